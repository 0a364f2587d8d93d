"""``python -m gilgrid``, as ``mpiexec`` starts it."""

import sys

from gilgrid.cli import main

if __name__ == "__main__":
    sys.exit(main())
