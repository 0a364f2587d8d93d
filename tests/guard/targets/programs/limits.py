"""Commands run with a time limit: `limits.py SCENARIO [--fixed]`, or `limits.py WAY SECONDS COMMAND...`.

The ways are the usual one, which polls and then kills a process group, those of the standard library, and
one that leaves less. A way prints "over" when it has killed, and "returned" when it is done.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, Popen, TimeoutExpired
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.guard.targets.programs.children import LATER_S
else:
    from children import LATER_S

fixed = "--fixed" in sys.argv
POLL_S = 0.05
SHORT_S, HOUR_S = 1.0, 3600.0
PRINTS_1MB = [sys.executable, "-c", "print('x' * 1_000_000)"]
LOCK_TWICE = [sys.executable, str(Path(__file__).with_name("locks.py")), "lock-twice"]
SLEEPS = ["sleep", str(HOUR_S)]


class Outcome(NamedTuple):
    """What came of a command."""

    in_time: bool
    output: bytes
    errors: bytes


# ---- The ways ----


def group(command: Sequence[str], limit_s: float) -> Outcome:
    """The usual one: poll until the limit, kill the process group, and read when all is over."""
    process = Popen(command, stdout=PIPE, stderr=PIPE, start_new_session=True)
    assert process.stdout
    assert process.stderr
    until = time.monotonic() + limit_s
    while process.poll() is None and time.monotonic() < until:
        time.sleep(POLL_S)
    in_time = process.poll() is not None
    if not in_time:
        os.killpg(os.getpgid(process.pid), signal.SIGKILL)
    print("over", flush=True)
    return Outcome(in_time, process.stdout.read(), process.stderr.read())


def child(command: Sequence[str], limit_s: float) -> Outcome:
    """As the manual of `Popen.communicate` has it: kill the child, then read the rest."""
    process = Popen(command, stdout=PIPE, stderr=PIPE)
    try:
        return Outcome(True, *process.communicate(timeout=limit_s))  # noqa: FBT003
    except TimeoutExpired:
        process.kill()
        print("over", flush=True)
        return Outcome(False, *process.communicate())  # noqa: FBT003


def run(command: Sequence[str], limit_s: float) -> Outcome:
    """`subprocess.run`, which kills the child and leaves the rest of its output unread."""
    try:
        done = subprocess.run(command, check=False, capture_output=True, timeout=limit_s)
    except TimeoutExpired as late:
        return Outcome(False, late.stdout or b"", late.stderr or b"")  # noqa: FBT003
    return Outcome(True, done.stdout, done.stderr)  # noqa: FBT003


def tree(command: Sequence[str], limit_s: float) -> Outcome:
    """Read while it runs; adopt whom it leaves, and kill until nobody is left.

    It ends every child of this process, and has to run after those who replace who is killed.
    """
    set_child_subreaper = 36  # linux/prctl.h
    assert ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0) == 0
    process = Popen(command, stdout=PIPE, stderr=PIPE)
    try:
        outcome = Outcome(True, *process.communicate(timeout=limit_s))  # noqa: FBT003
    except TimeoutExpired as late:
        outcome = Outcome(False, late.stdout or b"", late.stderr or b"")  # noqa: FBT003
        process.kill()
        process.wait()
    end_children()
    return outcome


def end_children() -> None:
    """Kill children, and whoever becomes one by that, until there is none."""
    mine = Path(f"/proc/self/task/{os.getpid()}/children")
    with suppress(ChildProcessError):
        while True:
            for pid in map(int, mine.read_text(encoding="ascii").split()):
                os.kill(pid, signal.SIGKILL)  # nobody gets a child's pid before it is waited for
            os.waitpid(-1, 0)


# ---- A pipe that is read too late ----


def polled() -> None:
    """A command that is well writes more than a pipe takes; it is polled, and read when it has ended."""
    outcome = (tree if fixed else group)(PRINTS_1MB, HOUR_S)
    assert (outcome.in_time, len(outcome.output)) == (True, 1_000_001)


def waited() -> None:
    """The same without a limit: it is waited for, and read when it has ended."""
    with Popen(PRINTS_1MB, stdout=PIPE, stderr=PIPE, start_new_session=True) as process:
        assert process.stdout
        if not fixed:
            process.wait()
        assert len(process.stdout.read()) == 1_000_001


def polled_gives_up() -> None:
    """As `polled`: at the limit a command that is well is killed for being slow, and most is lost."""
    outcome = group(PRINTS_1MB, LATER_S)
    assert not outcome.in_time
    assert 0 < len(outcome.output) < 1_000_001


# ---- A pipe that somebody holds who was not killed ----


def escaped(left: Sequence[str] = SLEEPS) -> None:
    """Who has left the killed process group holds the pipe that is read to its end."""
    assert not (tree if fixed else group)([sys.executable, __file__, "apart", *left], SHORT_S).in_time


def escaped_hung() -> None:
    """The same, and that one can never end."""
    escaped(LOCK_TWICE)


def child_killed() -> None:
    """Who was begun by the killed child holds the pipe, and can never end."""
    assert not (tree if fixed else child)([sys.executable, __file__, "below", *LOCK_TWICE], SHORT_S).in_time


# ---- Commands ----


def apart(*command: str) -> None:
    """Wait for a command in a session of its own."""
    Popen(command, start_new_session=True).wait()


def below(*command: str) -> None:
    """Wait for a command."""
    Popen(command).wait()


WAYS: dict[str, Callable[[Sequence[str], float], Outcome]] = {
    "group": group,
    "child": child,
    "run": run,
    "tree": tree,
}

if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    if name in WAYS:
        WAYS[name](arguments[1:], float(arguments[0]))
        print("returned", flush=True)
    else:
        globals()[name.replace("-", "_")](*(word for word in arguments if word != "--fixed"))
        print("done")
