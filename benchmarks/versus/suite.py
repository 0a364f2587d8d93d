"""What `pytest --gilgrid` costs a test, beside pytest alone and pytest-timeout, and how soon a hang is told.

python benchmarks/versus/suite.py [--tests 2000] [--rounds 7]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

SIDES = {
    "pytest": (),
    "gilgrid": ("--gilgrid",),
    "pytest-timeout, signal": ("--timeout=60", "--timeout-method=signal"),
    "pytest-timeout, thread": ("--timeout=60", "--timeout-method=thread"),
}
HANG = """
import threading, time
from pathlib import Path

def test_hangs():
    Path("begun").write_text(str(time.monotonic()))
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
"""
TOLD = """
import time
from pathlib import Path

def pytest_runtest_logreport(report):
    if report.failed:
        Path("told").write_text(str(time.monotonic()))
"""


def main() -> None:
    """Measure all sides in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        suite = Path(folder, "suite")
        suite.mkdir()
        tests = "\n".join(f"def test_{number}(): pass" for number in range(options.tests))
        (suite / "test_empty.py").write_text(tests, encoding="utf-8")
        seconds: dict[str, list[float]] = {side: [] for side in SIDES}
        for _ in range(options.rounds):
            for side, arguments in SIDES.items():
                seconds[side].append(_cpu_seconds(suite, arguments))
        for side, took in seconds.items():
            more = statistics.median(a - b for a, b in zip(took, seconds["pytest"], strict=True))
            each = f"{more / options.tests * 1e6:7.1f} us more a test" if side != "pytest" else ""
            print(f"{side:24} {statistics.median(took):6.3f} s of CPU {each}")
        hang = Path(folder, "hang")
        hang.mkdir()
        (hang / "test_hang.py").write_text(HANG, encoding="utf-8")
        (hang / "conftest.py").write_text(TOLD, encoding="utf-8")
        told = statistics.median(_until_told(hang) for _ in range(options.rounds))
        print(f"a deadlock is told after {told:.2f} s")
    print(f"load over a minute: {os.getloadavg()[0]:.2f}")


def _cpu_seconds(folder: Path, arguments: tuple[str, ...]) -> float:
    """Of pytest and all of its processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _pytest(folder, arguments, code=0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _until_told(folder: Path) -> float:
    _pytest(folder, ("--gilgrid",), code=1)
    begun, told = (float((folder / name).read_text(encoding="utf-8")) for name in ("begun", "told"))
    return told - begun


def _pytest(folder: Path, arguments: tuple[str, ...], *, code: int) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=False)
    if done.returncode != code:
        raise SystemExit(f"{' '.join(command)} exited with {done.returncode}")


if __name__ == "__main__":
    main()
