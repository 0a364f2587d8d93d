"""The process beside a suite: it judges what that is at, ends it where it hangs, and says how it ended."""

from __future__ import annotations

import json
import os
import pickle
import re
import select
import signal
import sys
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from gilgrid.guard.marks import Marks
from gilgrid.guard.sidecar import Sidecar
from gilgrid.guard.tree import Tree, end_descendants, look
from gilgrid.printable import signal_name
from gilgrid.suite.stages import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gilgrid.evidence import Evidence, Frame
    from gilgrid.guard.marks import Mark
    from gilgrid.guard.sidecar import Hang
    from gilgrid.model import Verdict
    from gilgrid.suite.journal import Found

_HELD_BACK = {
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
}
_MOST_BYTES = 1 << 20  # of what was captured, and of what faulthandler says
_FATAL = re.compile("^Fatal Python error: (.*)$", re.MULTILINE)
_OF_PYTEST = re.compile(r"/(_pytest|pluggy)/")
_RUNS = {Stage.COLLECTING, Stage.ARRANGING, Stage.TESTING}
"""Where no exit is pytest's own."""
_IS_AT_WORK = _RUNS | {Stage.STARTING, Stage.BETWEEN, Stage.FINISHING}


def keep(suite: int, first: int, marks: Marks, heard: int, crash: int) -> tuple[Mark, Found | None, int]:
    """Until the suite, a child of this process, has ended: what it was at, how that ended, and its code.

    It ends the suite when the `first` process does. `heard` and `crash` are those of `Beside`.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)  # see `outer`: what comes here has come to all
    tree = Tree()
    tree.root = suite
    beside = Beside(suite, marks, heard, crash)
    parent = _pidfd(first)
    waited_for = [tree.changes, heard, parent]
    while True:
        ready = beside.wait(waited_for)
        tree.reap()
        if tree.root_status is not None:
            code = os.waitstatus_to_exitcode(tree.root_status)
            mark = marks.read()
            found = beside.ended_early(code)
            if found:
                tree.end()
            return mark, found, code
        if parent in ready:
            tree.end()
            return marks.read(), None, 0
        found = beside.judge(tree.end)
        if found is not None:
            return marks.read(), found, -signal.SIGKILL


def main() -> None:
    """The same for a process that is not its child; the argument is that of `workers.start`."""
    told = json.loads(sys.argv[1])
    for number in _HELD_BACK:
        signal.signal(number, signal.SIG_IGN)
    suite = told["suite"]
    end = partial(end_descendants, suite)
    end_of_suite = _pidfd(suite)
    first = look(suite)
    beside = Beside(suite, Marks(told["marks"]), told["heard"], told["crash"], told["bystanders"])
    waited_for = [told["heard"], end_of_suite]
    found = None
    while found is None:
        ready = beside.wait(waited_for)
        process = look(suite)
        if first is None or process is None or process.identity != first.identity or end_of_suite in ready:
            found = beside.ended_early(None)
            break
        if process.parent != told["controller"]:  # nobody is left to hear of it
            end()
            return
        found = beside.judge(end)
    draft = f"{told['place']}.draft"
    with suppress(OSError):  # the session is over, and with it the folder
        with open(draft, "wb") as file:  # noqa: PTH123 - pathlib costs 15 ms to import
            pickle.dump(found, file, 5)
        os.rename(draft, told["place"])  # noqa: PTH104 - as above


class Beside:
    """What both do. `heard` is the pipe of `marking.tell_sidecar`, `crash` a file for faulthandler."""

    def __init__(
        self, suite: int, marks: Marks, heard: int, crash: int, bystanders: Iterable[int] = ()
    ) -> None:
        self._suite = suite
        self._marks = marks
        self._heard = heard
        self._crash = crash
        self._sidecar = Sidecar(suite, marks, bystanders)
        self._captured: list[int] = []  # files that outlive the suite once they are open here

    def wait(self, files: list[int]) -> list[int]:
        """For one of these, or until it is time to look; those that cannot be had are left out."""
        poll = select.poll()
        for file in files:
            if file >= 0:
                poll.register(file, select.POLLIN)
        ready = [file for file, _ in poll.poll(1000 * self._sidecar.patience_s + 1)]
        if self._heard in ready:
            files.remove(self._heard)
            self._hear()
        return ready

    def judge(self, end: Callable[[], object]) -> Found | None:
        """What it hangs in, if it does; it is ended then."""
        hang = self._sidecar.look()
        if hang is None:
            return None
        end()
        return self._of_hang(hang)

    def ended_early(self, code: int | None) -> Found | None:
        """Where the process ended while it was at work, and pytest has not said how the session went."""
        mark = self._marks.read()
        if mark.stage not in _IS_AT_WORK or (code is not None and code >= 0 and mark.stage not in _RUNS):
            return None
        from gilgrid.model import Verdict  # noqa: PLC0415 - most suites never need it

        said = _text(self._crash)
        if code is None:
            fatal = _FATAL.search(said)
            verdict = Verdict.CRASH if fatal else Verdict.FAILED
            reason = fatal[1] if fatal else "the process has ended, by SIGKILL or by os._exit"
        elif code < 0:
            verdict, reason = Verdict.CRASH, f"killed by {signal_name(-code)}"
        else:
            verdict, reason = Verdict.FAILED, f"the process exited with code {code}, and pytest with it"
        told = "\n\n".join(filter(None, [f"{verdict}: {reason}", _frames(said).strip()]))
        return self._found(mark, verdict, reason, told, time.monotonic() - mark.since)

    def _of_hang(self, hang: Hang) -> Found:
        from gilgrid.model import Verdict  # noqa: PLC0415 - most suites never need them
        from gilgrid.report import hang as report  # noqa: PLC0415

        evidence, limit_s = _without_pytest(hang.evidence), hang.mark.limit_s
        reason = report.sentence(evidence)
        if evidence.is_proof:
            told = report.text(evidence, verdict=Verdict.DEADLOCK)
            return self._found(hang.mark, Verdict.DEADLOCK, reason, told, hang.seconds)
        reason = f"still running after {limit_s:g} s: {reason if evidence.cause else 'no deadlock is proven'}"
        told = report.text(evidence, verdict=Verdict.TIMEOUT, deadline_s=limit_s)
        return self._found(hang.mark, Verdict.TIMEOUT, reason, told, hang.seconds)

    def _found(self, mark: Mark, verdict: Verdict, reason: str, told: str, seconds: float) -> Found:
        from gilgrid.suite.journal import Found  # noqa: PLC0415 - as above

        found = Found(
            stage=Stage(mark.stage),
            item=mark.item,
            phase=mark.phase,
            verdict=verdict,
            reason=reason,
            told=told,
            seconds=seconds,
        )
        out, err = [*map(_text, self._captured), "", ""][:2]
        return replace(found, out=out, err=err)

    def _hear(self) -> None:
        said = os.read(self._heard, 1 << 16)
        if not said:
            return  # it ended before it could
        told = json.loads(said)
        self._sidecar.bystanders.update(told["bystanders"])
        with suppress(OSError):
            for number in told["captured"]:
                self._captured.append(os.open(f"/proc/{self._suite}/fd/{number}", os.O_RDONLY | os.O_CLOEXEC))


def _pidfd(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return -1  # Linux before 5.3, or it has ended


def _text(file: int) -> str:
    with suppress(OSError):
        size = os.fstat(file).st_size
        start = max(0, size - _MOST_BYTES)
        return os.pread(file, _MOST_BYTES, start).decode("utf-8", errors="backslashreplace")
    return ""


def _without_pytest(evidence: Evidence) -> Evidence:
    """The evidence without the frames of pytest that the Python stack of a test ends in."""
    return replace(
        evidence, threads=tuple(replace(one, python=_of_test(one.python)) for one in evidence.threads)
    )


def _of_test(stack: tuple[Frame, ...]) -> tuple[Frame, ...]:
    ends = (n for n, frame in enumerate(stack) if _OF_PYTEST.search(frame.file))
    return stack[: next(ends, len(stack))] or stack


def _frames(text: str) -> str:
    """What faulthandler says, without the frames of pytest that each stack ends in."""
    rows: list[str] = []
    cut = False
    for row in text.splitlines():
        is_frame = row.startswith("  File ")
        is_first = is_frame and not (rows and rows[-1].startswith("  "))
        if is_frame and (cut or (_OF_PYTEST.search(row) and not is_first)):
            rows += [] if cut else ["  ..."]
            cut = True
        else:
            cut = False
            rows.append(row)
    return "\n".join(rows)
