"""What Cython's check for an exception costs after each call of LAPACK, where it hangs nothing.

usage: python benchmarks/versus/exception_check.py [--rounds N] [--sizes N ...] [--work S]

Needs gilgrid installed. Two pairs take turns, in processes of their own: Cython 3.0.12 built with SciPy
1.10.1, whose LAPACK has the check, and with 1.17.1, whose has not. Both *run* with SciPy 1.17.1, so that all
else is the same. The loop is the callback's, with the GIL released around it, and LAPACK's stev.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import cells

if TYPE_CHECKING:
    from typing import Self

SIDES = Path(__file__).with_name("exception_check_sides.py")
CHECKED, CLEAN = "cython3.0.12-scipy1.10.1-run1.17.1", "cython3.0.12-scipy1.17.1"
SIZES = (2, 4, 8, 16, 32, 64, 128)


class Side:
    """A process of one pair, which measures whenever it is asked to."""

    def __init__(self, coordinates: str) -> None:
        python, variables = cells.command("kernels-cython", coordinates)
        self._process = subprocess.Popen(
            [*python, str(SIDES)], env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def seconds(self, size: int, count: int, threads: int) -> float:
        """Seconds per problem."""
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        assert self._process.stdout is not None  # noqa: S101 - as above
        self._process.stdin.write(f"{size} {count} {threads}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())


def main() -> None:
    """Measure every size, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--work", type=float, default=0.1, help="seconds that one thread has to do per turn")
    options = parser.parse_args()
    print(f"load over a minute: {os.getloadavg()[0]:.2f}")
    print("| n | without, us | with, us | per call, us | without, 2 threads | with, 2 threads | times |")
    print("|---|---|---|---|---|---|---|")
    with Side(CLEAN) as clean, Side(CHECKED) as checked:
        for size in options.sizes:
            for side in (clean, checked):
                side.seconds(size, 64, 2)  # the first call imports SciPy, and starts a team
            count = max(64, int(options.work / clean.seconds(size, 1000, 1)))
            turns: dict[tuple[str, int], list[float]] = {}
            for _ in range(options.rounds):
                for threads in (1, 2):
                    for name, side in (("clean", clean), ("checked", checked)):
                        measured = side.seconds(size, count, threads)
                        turns.setdefault((name, threads), []).append(measured * 1e6)
            us = {place: statistics.median(values) for place, values in turns.items()}
            price = statistics.median(
                with_it - without
                for with_it, without in zip(turns["checked", 1], turns["clean", 1], strict=True)
            )
            alone = f"{us['clean', 1]:.3g} | {us['checked', 1]:.3g} | {price:.3g}"
            fighting = (
                f"{us['clean', 2]:.3g} | {us['checked', 2]:.3g} | {us['checked', 2] / us['clean', 2]:.1f}"
            )
            print(f"| {size} | {alone} | {fighting} |", flush=True)
    print(f"load over a minute: {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
