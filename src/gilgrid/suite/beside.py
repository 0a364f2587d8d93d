"""The process beside a suite: it judges what that is at, ends it where it hangs, and says how it ended."""

from __future__ import annotations

import json
import os
import pickle
import re
import select
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from gilgrid.guard.marks import Marks
from gilgrid.guard.sidecar import Sidecar
from gilgrid.guard.tree import Tree, end_descendants, look
from gilgrid.suite.journal import Found
from gilgrid.suite.stages import Stage

if TYPE_CHECKING:
    from gilgrid.guard.marks import Mark
    from gilgrid.guard.sidecar import Hang

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
_OF_PYTEST = re.compile(r'  File "[^"]*/(_pytest|pluggy)/')
_RUNS = {Stage.COLLECTING, Stage.TESTING}
"""Where no exit is pytest's own."""
_IS_AT_WORK = {Stage.STARTING, Stage.COLLECTING, Stage.TESTING, Stage.BETWEEN, Stage.FINISHING}


def keep(suite: int, first: int, marks: Marks, named: int, crash: int) -> tuple[Mark, Found | None, int]:
    """Until the suite, a child of this process, has ended: what it was at, how that ended, and its code."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)  # see `outer`: what comes here has come to all
    tree = Tree()
    tree.root = suite
    sidecar = Sidecar(suite, marks)
    captured = _Captured(suite, named)
    poll = select.poll()
    poll.register(tree.changes, select.POLLIN)
    poll.register(named, select.POLLIN)
    parent = _pidfd(first)
    if parent >= 0:
        poll.register(parent, select.POLLIN)
    while True:
        ready = [fd for fd, _ in poll.poll(1000 * sidecar.patience_s + 1)]
        if named in ready:
            poll.unregister(named)
            captured.open()
        tree.reap()
        mark = marks.read()
        if tree.root_status is not None:
            code = os.waitstatus_to_exitcode(tree.root_status)
            found = _ended_early(mark, code, captured, crash)
            if found:
                tree.end()
            return mark, found, code
        if parent in ready:
            tree.end()
            return mark, None, 0
        hang = sidecar.look()
        if hang is not None:
            found = _hung(hang, captured)
            tree.end()
            return hang.mark, found, -signal.SIGKILL


def main() -> None:
    """The same for a process that is not its child, whose arguments are those of ``workers.Worker``."""
    _, _, pid, place, bystanders, *rest = sys.argv
    shared, crash, named = map(int, rest)
    suite = int(pid)
    captured = _Captured(suite, named)
    for number in _HELD_BACK:
        signal.signal(number, signal.SIG_IGN)
    marks = Marks(shared)
    sidecar = Sidecar(suite, marks, frozenset(json.loads(bystanders)))
    end = _pidfd(suite)
    waited_for = [end, named]
    found = None
    process = look(suite)
    controller = process.parent if process else 0
    while found is None:
        ready = select.select(waited_for, [], [], sidecar.patience_s)[0]
        if named in ready:
            waited_for.remove(named)
            captured.open()
        if end in ready:
            found = _ended_early(marks.read(), None, captured, crash)
            break
        process = look(suite)
        if process and process.parent != controller:  # nobody is left to hear of it
            end_descendants(suite)
            return
        hang = sidecar.look()
        if hang is not None:
            found = _hung(hang, captured)
            end_descendants(suite)
    draft = f"{place}.draft"
    with open(draft, "wb") as file:  # noqa: PTH123 - pathlib costs 15 ms to import
        pickle.dump(found, file, 5)
    os.rename(draft, place)  # noqa: PTH104 - as above


def _pidfd(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return -1  # Linux before 5.3


class _Captured:
    """What pytest has captured, in files that outlive the suite once they are open here."""

    def __init__(self, suite: int, named: int) -> None:
        self._suite = suite
        self._named = named
        self._files: list[int] = []

    def open(self) -> None:
        """Open those that the suite has named."""
        with suppress(OSError):
            for number in os.read(self._named, 64).split():
                self._files.append(
                    os.open(f"/proc/{self._suite}/fd/{int(number)}", os.O_RDONLY | os.O_CLOEXEC)
                )

    def read(self) -> list[str]:
        """Of stdout and of stderr, since the last report."""
        return [*map(_text, self._files), "", ""][:2]


def _text(file: int) -> str:
    with suppress(OSError):
        size = os.fstat(file).st_size
        start = max(0, size - _MOST_BYTES)
        return os.pread(file, _MOST_BYTES, start).decode("utf-8", errors="backslashreplace")
    return ""


def _hung(hang: Hang, captured: _Captured) -> Found:
    from gilgrid.model import Verdict  # noqa: PLC0415 - most suites never need them
    from gilgrid.report import hang as report  # noqa: PLC0415

    mark = hang.mark
    verdict = Verdict.DEADLOCK if hang.evidence.is_proof else Verdict.TIMEOUT
    out, err = captured.read()
    reason = report.sentence(hang.evidence)
    if verdict is Verdict.TIMEOUT:
        told = reason if hang.evidence.cause else "no deadlock is proven"
        reason = f"still running after {mark.limit_s:g} s: {told}"
    deadline_s = None if verdict is Verdict.DEADLOCK else mark.limit_s
    return Found(
        stage=mark.stage,
        item=mark.item,
        phase=mark.phase,
        verdict=verdict.value,
        reason=reason,
        told=report.text(hang.evidence, verdict=verdict, deadline_s=deadline_s),
        seconds=hang.seconds,
        out=out,
        err=err,
    )


def _ended_early(mark: Mark, code: int | None, captured: _Captured, crash: int) -> Found | None:
    """Where the process ended while it was at work, and pytest has not said how the session went."""
    if mark.stage not in _IS_AT_WORK or (code is not None and code >= 0 and mark.stage not in _RUNS):
        return None
    if code is None:
        fatal = _FATAL.search(_text(crash))
        verdict = "crash" if fatal else "failed"
        reason = fatal[1] if fatal else "the process has ended, by SIGKILL or by os._exit"
    elif code < 0:
        verdict, reason = "crash", f"killed by {signal.Signals(-code).name}"
    else:
        verdict, reason = "failed", f"the process exited with code {code}, and pytest with it"
    out, err = captured.read()
    return Found(
        stage=mark.stage,
        item=mark.item,
        phase=mark.phase,
        verdict=verdict,
        reason=reason,
        told="\n\n".join(filter(None, [f"{verdict}: {reason}", _frames(_text(crash)).strip()])),
        seconds=0.0,
        out=out,
        err=err,
    )


def _frames(text: str) -> str:
    """What faulthandler says, without the frames of pytest that each stack ends in."""
    rows: list[str] = []
    cut = False
    for row in text.splitlines():
        is_frame = row.startswith("  File ")
        is_first = is_frame and not (rows and rows[-1].startswith("  "))
        if is_frame and (cut or (_OF_PYTEST.match(row) and not is_first)):
            rows += [] if cut else ["  ..."]
            cut = True
        else:
            cut = False
            rows.append(row)
    return "\n".join(rows)
