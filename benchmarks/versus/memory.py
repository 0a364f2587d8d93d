"""What the kernels take of memory beyond their inputs and outputs, as the system sees it.

usage: python benchmarks/versus/memory.py

Needs gilgrid installed. It runs ``memory_sides.py`` in the newest pair of the bundled matrix.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cells

SIDES = Path(__file__).with_name("memory_sides.py")


def main() -> None:
    """Run the sides in the cell and print what they print."""
    python, variables = cells.command("kernels-cython", "cython3.3.1-scipy1.17.1")
    sys.exit(subprocess.run([*python, str(SIDES)], env=variables, check=False).returncode)


if __name__ == "__main__":
    main()
