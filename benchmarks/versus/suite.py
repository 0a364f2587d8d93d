"""`pytest --gilgrid` beside pytest alone and pytest-timeout.

python benchmarks/versus/suite.py cost       # what it costs an empty test, and how soon a hang is told
python benchmarks/versus/suite.py outcome    # what becomes of two hundred tests of which six are bad
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from gilgrid.guard import Command, run  # noqa: E402 - after the path
from tests.guard.targets.build import build  # noqa: E402 - as above

SIDES = {
    "pytest": ("-p", "no:gilgrid"),  # beside itself: what the measurement makes of nothing
    "gilgrid, off": (),
    "gilgrid": ("--gilgrid",),
    "pytest-timeout, signal": ("--timeout=60", "--timeout-method=signal"),
    "pytest-timeout, thread": ("--timeout=60", "--timeout-method=thread"),
}
SUITE = ROOT / "tests" / "suite" / "two_hundred.py"
TESTS = 200
ENDED_BY_HAND_S = 60.0
_OUTCOME = re.compile(r"(?m)^=* ?((?:\d+ \w+,? ?)+) in ")
OUTCOMES = {
    "gilgrid": ("--gilgrid",),
    "gilgrid, -n 2": ("--gilgrid", "-n2"),
    "pytest-timeout, signal": ("--timeout=5", "--timeout-method=signal"),
    "pytest-timeout, signal, without the crash": (
        "--timeout=5",
        "--timeout-method=signal",
        "--deselect=test_large.py::test_segfault",
    ),
    "pytest-timeout, thread": ("--timeout=5", "--timeout-method=thread"),
    "pytest-timeout, signal, -n 2": ("--timeout=5", "--timeout-method=signal", "-n2"),
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
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["cost", "outcome"])
    parser.add_argument("--tests", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.what == "cost":
            cost(Path(folder), options.tests, options.rounds)
        else:
            outcome(Path(folder))
    print(f"load over a minute: {os.getloadavg()[0]:.2f}")


def cost(folder: Path, tests: int, rounds: int) -> None:
    """The CPU time is that of all processes of a side.

    Each side runs at once with pytest, on one processor, which they share by milliseconds: what a busy
    machine does to one it does to the other. In turns, pytest differs from itself by more than that.
    """
    empty = folder / "empty"
    empty.mkdir()
    (empty / "test_empty.py").write_text("\n".join(f"def test_{n}(): pass" for n in range(tests)), "utf-8")
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(processors)})
    more: dict[str, list[float]] = {side: [] for side in SIDES}
    plain = []
    for _ in range(rounds):
        for side, arguments in SIDES.items():
            alone, took = _cpu_seconds(empty, SIDES["pytest"], arguments)
            plain.append(alone)
            more[side].append((took - alone) / tests * 1e6)
    os.sched_setaffinity(0, processors)
    print(f"pytest alone: {statistics.median(plain) / tests * 1e6:.0f} us of CPU a test, start included")
    for side, several in more.items():
        low, middle, high = statistics.quantiles(several)
        print(f"{side:24} {middle:6.1f} us more a test, half of all rounds {low:.1f} to {high:.1f}")
    hang = folder / "hang"
    hang.mkdir()
    (hang / "test_hang.py").write_text(HANG, encoding="utf-8")
    (hang / "conftest.py").write_text(TOLD, encoding="utf-8")
    told = sorted(_until_told(hang) for _ in range(rounds))
    print(f"a deadlock is told {statistics.median(told):.2f} s after its test began, {told[-1]:.2f} at worst")


def outcome(folder: Path) -> None:
    """Each side once, and all that it leaves is ended."""
    shutil.copy(SUITE, folder / "test_large.py")
    path = os.pathsep.join(map(str, build(sys.executable, folder / "built", ("libgomp",))))
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    print("| | over after | exit code | what pytest says at last | tests without a result | left running |")
    print("|---|---|---|---|---|---|")
    for side, arguments in OUTCOMES.items():
        ending = run(
            Command(
                argv=(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments),
                cwd=folder,
                env=env | {"PYTHONPATH": path},
                deadline_s=ENDED_BY_HAND_S,
            )
        )
        said = _OUTCOME.findall(ending.output)
        results = (
            sum(int(number) for number in re.findall(r"(\d+) (?:passed|failed)", said[-1])) if said else 0
        )
        was_ended = ending.exit_code is None and ending.signal is None
        over = (
            f"never: ended by hand after {ending.seconds:.0f} s" if was_ended else f"{ending.seconds:.1f} s"
        )
        code = ending.exit_code if ending.exit_code is not None else f"signal {ending.signal}"
        last = said[-1] if said else "no summary"
        left = ", ".join(process.name for process in ending.ended) or "nothing"
        row = (side, over, "" if was_ended else code, last, TESTS - results, left)
        print(f"| {' | '.join(map(str, row))} |", flush=True)


def _cpu_seconds(folder: Path, *sides: tuple[str, ...]) -> list[float]:
    """Of each, with all of its processes."""
    started = [
        subprocess.Popen(_command(arguments), cwd=folder, stdout=subprocess.DEVNULL) for arguments in sides
    ]
    took = []
    for process in started:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        took.append(used.ru_utime + used.ru_stime)
    for process in started:
        if process.returncode:
            raise SystemExit(f"{process.args!r} exited with {process.returncode}")
    return took


def _until_told(folder: Path) -> float:
    for name in ("begun", "told"):
        (folder / name).unlink(missing_ok=True)
    subprocess.run(_command(("--gilgrid",)), cwd=folder, stdout=subprocess.DEVNULL, check=False)
    begun, told = (float((folder / name).read_text(encoding="utf-8")) for name in ("begun", "told"))
    return told - begun


def _command(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]


if __name__ == "__main__":
    main()
