"""What the guard of that commit costs a command, run by the Python that gilgrid itself has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

from lapack_kernels import NotBuiltError, eigh_tridiagonal

ROUNDS = 11
BUSY = """
import time
begun = time.perf_counter()
while time.perf_counter() < begun + 1:
    pass
print(time.process_time())
"""


class Guard:
    """The same in every pair: it is measured where no pair is, beside the kernels of ctypes."""

    timeout = 120.0

    def setup(self) -> None:
        """Find gilgrid as it was at the commit, and its Python."""
        if "GILGRID_PYTHON" not in os.environ or "GILGRID_SUBJECT" not in os.environ:
            raise NotImplementedError("asv runs without gilgrid's environments")
        try:
            eigh_tridiagonal([[0.0]], [[]], binding="ctypes")
        except NotBuiltError as error:
            raise NotImplementedError(str(error)) from None
        self.env = {**os.environ, "PYTHONPATH": str(Path(os.environ["GILGRID_SUBJECT"]).parent / "src")}
        self.watch = [os.environ["GILGRID_PYTHON"], "-m", "gilgrid.cli", "watch", "--"]
        self._seconds(self.watch)

    def track_start(self) -> float:
        """Seconds that ``gilgrid watch`` adds to a command that does nothing."""
        # In turns, as a machine is not the same for long.
        return median(self._seconds(self.watch) - self._seconds([]) for _ in range(ROUNDS))

    track_start.unit = "seconds"  # type: ignore[attr-defined]
    track_start.pretty_name = "What gilgrid watch adds to a command"  # type: ignore[attr-defined]

    def track_cpu(self) -> float:
        """CPU seconds that it uses itself while a program computes for a second, start and end included."""
        before = os.times()
        done = subprocess.run(
            [*self.watch, sys.executable, "-c", BUSY],
            env=self.env,
            capture_output=True,
            text=True,
            check=True,
        )
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        return used - float(done.stdout)

    track_cpu.unit = "seconds"  # type: ignore[attr-defined]
    track_cpu.pretty_name = "CPU of gilgrid watch beside a second of work"  # type: ignore[attr-defined]

    def _seconds(self, before: list[str]) -> float:
        begun = perf_counter()
        subprocess.run([*before, sys.executable, "-S", "-c", ""], env=self.env, check=True)
        return perf_counter() - begun
