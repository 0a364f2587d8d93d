"""The kernels against their peers, at sizes from 2 to 512: who solves a batch fastest, how near the limit.

usage: python benchmarks/versus/kernels.py [--rounds N] [--sizes N ...] [--work S] [--only NAME]

Needs gilgrid installed. It runs ``kernels_sides.py`` in the newest pair of the bundled matrix, with joblib
beside it. All sides run in turn in every round; what is compared is the median of their times per problem.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cells

SIDES = Path(__file__).with_name("kernels_sides.py")


def main() -> None:
    """Run the sides in the cell and print what they print."""
    python, variables = cells.command("kernels-cython", "cython3.3.1-scipy1.17.1", "joblib")
    print(f"load over a minute: {os.getloadavg()[0]:.2f}", flush=True)
    done = subprocess.run([*python, str(SIDES), *sys.argv[1:]], env=variables, check=False)
    print(f"load over a minute: {os.getloadavg()[0]:.2f}")
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
