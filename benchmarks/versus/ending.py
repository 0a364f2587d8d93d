"""What is left of a command that ran out of time, by how it was ended, and how long that took.

usage: python benchmarks/versus/ending.py [--rounds N] [--shape NAME]

Each shape of tests/guard/shapes.py that has a fixed number of processes, ended in each way of
tests/guard/targets/programs/limits.py and by gilgrid's guard, in turn. Prints, for each, how many processes
lived on, how many were begun in place of others that were killed, and the time from the limit until the call
returned. Needs gilgrid installed.
"""

from __future__ import annotations

import argparse
import os
import runpy
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gilgrid.machine import machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
SHAPES = ROOT / "tests" / "guard" / "shapes.py"
LIMITS = ROOT / "tests" / "guard" / "targets" / "programs" / "limits.py"
GUARD = """
import sys
from gilgrid.guard import Command, run
run(Command(argv=tuple(sys.argv[2:]), deadline_s=float(sys.argv[1])))
print("returned", flush=True)
"""
WAYS: dict[str, list[str]] = {
    "`killpg`, then read": [str(LIMITS), "group"],
    "`kill`, then `communicate`": [str(LIMITS), "child"],
    "`subprocess.run(timeout=)`": [str(LIMITS), "run"],
    "own subreaper": [str(LIMITS), "tree"],
    "gilgrid's guard": ["-c", GUARD],
}
MEASURED = (
    "plain",
    "setsid",
    "double fork",
    "ignores TERM",
    "stopped",
    "respawner",
    "root exited first",
    "subreaper",
)
MARK = "VERSUS_RUN"
STAMPED = 'echo start > "$0"; exec "$@"'  # a shell starts in a millisecond, a Python in ten
LIMIT_S = 1.0
PATIENCE_S = 2.0  # past the limit, with what never returns
SETTLE_S = 0.3  # so long may what was killed take to go
TRIES = 5
POLL_S = 0.01


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How many lived on, how many were begun after the shape stood, and when the call returned, if it did."""

    left: int
    replaced: int
    took_s: float | None


def shown(endings: Sequence[Ending]) -> str:
    """One way with one shape, all rounds of it."""
    left = _from_to([ending.left for ending in endings])
    words = [left if left == "0" else f"**{left}**"]
    if any(ending.replaced for ending in endings):
        words.append(f"{_from_to([ending.replaced for ending in endings])} replaced")
    returned = [1000 * ending.took_s for ending in endings if ending.took_s is not None]
    if returned:
        words.append(f"{statistics.median(returned):.0f} ms (worst {max(returned):.0f})")
    if len(returned) < len(endings):
        words.append(f"never returned ({len(endings) - len(returned)})" if returned else "never returned")
    return ", ".join(words)


def _from_to(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low}" if low == high else f"{low} to {high}"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shape", choices=MEASURED, action="append")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends what runs, as Ctrl-C does
    here = machine()
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    print(f"{here['cpu']}, {here['cpus']} CPUs, {here['system']} {here['release']}; gilgrid {commit}")
    print(f"$ python benchmarks/versus/ending.py --rounds {options.rounds}")
    load = os.getloadavg()[0]
    shapes = {name: runpy.run_path(str(SHAPES))["SHAPES"][name][1] for name in options.shape or MEASURED}
    found: dict[tuple[str, str], list[Ending]] = {(shape, way): [] for shape in shapes for way in WAYS}
    for number in range(options.rounds):
        for shape, stands in shapes.items():
            for way in _turned(list(WAYS), number):
                found[shape, way].append(_ended(way, shape, stands))
    print(f"\n| tree | of | {' | '.join(WAYS)} |\n|---|---|{'---|' * len(WAYS)}")
    for shape, stands in shapes.items():
        print(f"| {shape} | {stands} | {' | '.join(shown(found[shape, way]) for way in WAYS)} |")
    print(f"\nnever returned: not within {PATIENCE_S:.0f} s after the limit, which is {LIMIT_S:.0f} s")
    print("root exited first: it is over before the limit, so the time is from the start")
    print(f"load over a minute: {load:.2f} before, {os.getloadavg()[0]:.2f} after")


def _turned(ways: Sequence[str], number: int) -> list[str]:
    """The ways in another order each round."""
    first = number % len(ways)
    return [*ways[first:], *ways[:first]]


def _ended(way: str, shape: str, stands: int) -> Ending:
    """What became of that shape, which stood when the limit came."""
    for _ in range(TRIES):
        mark = f"{os.getpid()}-{time.monotonic_ns()}"
        with tempfile.TemporaryDirectory(prefix="versus-") as place:
            try:
                ending = _try(way, shape, stands, Path(place, "roll"), mark)
            finally:
                _end(mark)
        if ending is not None:
            return ending
    sys.exit(f"{shape} has not come to stand within {LIMIT_S} s, {TRIES} times")


def _try(way: str, shape: str, stands: int, fifo: Path, mark: str) -> Ending | None:
    """The same, None if it did not stand."""
    os.mkfifo(fifo)
    roll = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    command = ["/bin/sh", "-c", STAMPED, str(fifo), sys.executable, "-I", "-S", str(SHAPES), shape, str(fifo)]
    with subprocess.Popen(
        [sys.executable, *WAYS[way], str(LIMIT_S), *command],
        env=os.environ | {MARK: mark},
        stdout=subprocess.PIPE,
        bufsize=0,
    ) as process:
        assert process.stdout is not None  # noqa: S101 - for mypy
        try:
            select.select([roll], [], [])
            began = time.monotonic()
            limit = began if shape == "root exited first" else began + LIMIT_S
            entered = 0
            while entered < 1 + stands and time.monotonic() < began + LIMIT_S:  # with the line of the stamp
                entered += len(_lines(roll))
                time.sleep(POLL_S)
            returned = _returned(process, began + LIMIT_S + PATIENCE_S)
            time.sleep(SETTLE_S)
            left = sum(pid != process.pid for pid in _marked(mark))
            replaced = len(_lines(roll))
        finally:
            os.close(roll)
            _end(mark)
    if entered < 1 + stands:
        return None
    return Ending(left=left, replaced=replaced, took_s=None if returned is None else returned - limit)


def _lines(roll: int) -> list[bytes]:
    try:
        return os.read(roll, 1 << 16).splitlines()
    except BlockingIOError:
        return []


def _returned(process: subprocess.Popen[bytes], until: float) -> float | None:
    """When the process said so, None if it has not by then."""
    assert process.stdout is not None  # noqa: S101 - for mypy
    while select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
        line = process.stdout.readline()
        if line == b"returned\n":
            return time.monotonic()
        if not line:
            sys.exit(f"{process.args!r} ended with {process.wait()}")
    return None


def _marked(mark: str) -> Iterator[int]:
    """Who was started by that run and lives, whatever group or session it has gone to."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)


def _end(mark: str) -> None:
    """End all of that run."""
    while marked := list(_marked(mark)):
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in marked:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        time.sleep(0.01)


if __name__ == "__main__":
    main()
