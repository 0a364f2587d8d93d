"""What a run costs on Dask's workers over the same run in one process, on one machine.

usage: python benchmarks/versus/executors.py [--rounds N] [gilgrid run's --matrix, --cell and --probe]

Both sides measure the same cells anew (--rerun), in turns, with environments and builds that stand already:
what is left is what a job costs. Dask has a scheduler and as many workers of one thread as there are CPUs,
started once from the command line, as a user does. Needs gilgrid[dask].
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CELLS = ["--cell", "*cython3.0.12-scipy1.10.1", "--cell", "*cython3.3.1-scipy1.17.1"]
PROBES = ["--probe", "callback-*", "--probe", "prange-*"]
GILGRID = [sys.executable, "-m", "gilgrid.cli"]
DASK = [sys.executable, "-m", "dask"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    options, selection = parser.parse_known_args()
    selection = selection or [*CELLS, *PROBES]
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, load over a minute: {os.getloadavg()[0]:.2f}")
    run(selection)  # makes the environments and builds
    with cluster() as address:
        sides: dict[str, list[str]] = {"local": [], "dask": ["--executor", f"dask:{address}"]}
        run([*selection, "--rerun", *sides["dask"]])  # each worker unpacks the project
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(options.rounds):
            for name, executor in sides.items():
                seconds[name].append(run([*selection, "--rerun", *executor]))
                print(f"{name:6} {seconds[name][-1]:6.1f} s", flush=True)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ratios = [dask / local for local, dask in zip(seconds["local"], seconds["dask"], strict=True)]
    print(f"medians: local {medians['local']:.1f} s, dask {medians['dask']:.1f} s")
    print(f"dask over local: {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
    print(f"load over a minute: {os.getloadavg()[0]:.2f}")


def run(options: list[str]) -> float:
    """Seconds of one run, all of whose verdicts are the expected ones."""
    begun = time.perf_counter()
    subprocess.run([*GILGRID, "run", *options], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


@contextmanager
def cluster() -> Iterator[str]:
    """The address of a scheduler with its workers, which end with it."""
    with tempfile.TemporaryDirectory(prefix="gilgrid-") as folder, ExitStack() as stack:
        file = Path(folder, "scheduler.json")
        workers = [
            "worker",
            "--scheduler-file",
            str(file),
            "--nthreads",
            "1",
            "--nworkers",
            str(os.cpu_count()),
        ]
        for command in (["scheduler", "--port", "0", "--scheduler-file", str(file)], workers):
            process = stack.enter_context(
                subprocess.Popen([*DASK, *command, "--no-dashboard"], cwd=folder, stderr=subprocess.DEVNULL)
            )
            stack.callback(process.terminate)
        from distributed import Client  # noqa: PLC0415 - needed for the other side only

        while not file.exists():
            time.sleep(0.1)
        with Client(scheduler_file=str(file)) as client:  # type: ignore[no-untyped-call]
            client.wait_for_workers(os.cpu_count() or 1, timeout=60)
            address = str(client.scheduler_info()["address"])
        yield address


if __name__ == "__main__":
    main()
