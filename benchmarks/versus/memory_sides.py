"""What ``memory.py`` runs inside a cell: the peak of one call, less what is given and what is returned."""

from __future__ import annotations

import multiprocessing
import re
from pathlib import Path

import numpy as np
from lapack_kernels import eigh_tridiagonal

SIZE, THREADS = 32, 2
COUNTS = (1_000, 10_000, 100_000)


def main() -> None:
    """Measure each count in a process of its own, and print a table."""
    print(f"n = {SIZE}, {THREADS} threads; KiB")
    print("| problems | driver | outputs | peak beyond inputs and outputs |")
    print("|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    for driver in ("stev", "stevd", "stevr"):
        for count in COUNTS:
            with context.Pool(1) as alone:
                outputs, beyond = alone.apply(measured, (count, driver))
            print(f"| {count} | {driver} | {outputs} | {beyond} |", flush=True)


def measured(count: int, driver: str) -> tuple[int, int]:
    """KiB of the outputs, and of the peak of resident memory beyond them."""
    rng = np.random.default_rng(0)
    d, e = rng.standard_normal((count, SIZE)), rng.standard_normal((count, SIZE - 1))
    eigh_tridiagonal(d[:8], e[:8], threads=THREADS, driver=driver)  # what is loaded and started once
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew: proc(5)
    before = status("VmRSS")
    values, vectors = eigh_tridiagonal(d, e, threads=THREADS, driver=driver)
    outputs = (values.nbytes + vectors.nbytes) // 1024
    return outputs, status("VmHWM") - before - outputs


def status(field: str) -> int:
    """A field of this process's status, in KiB."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found  # noqa: S101 - Linux has it
    return int(found[1])


if __name__ == "__main__":
    main()
