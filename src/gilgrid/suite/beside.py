"""The process beside a suite: it judges what that is at, ends it where it hangs, and says how it ended."""

from __future__ import annotations

import json
import os
import pickle
import re
import select
import signal
import socket
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
_IS_AT_WORK = {Stage.STARTING, Stage.COLLECTING, Stage.TESTING, Stage.BETWEEN, Stage.FINISHING}


def keep(
    suite: int, first: int, marks: Marks, files: socket.socket, crash: int
) -> tuple[Mark, Found | None, int]:
    """Until the suite, a child of this process, has ended: what it was at, how that ended, and its code."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)  # see `outer`: what comes here has come to all
    tree = Tree()
    tree.root = suite
    files.settimeout(0)  # recv_fds takes flags, and leaves them out
    sidecar = Sidecar(suite, marks)
    poll = select.poll()
    poll.register(tree.changes, select.POLLIN)
    parent = _pidfd(first)
    if parent >= 0:
        poll.register(parent, select.POLLIN)
    while True:
        ready = [fd for fd, _ in poll.poll(1000 * sidecar.patience_s + 1)]
        tree.reap()
        mark = marks.read()
        if tree.root_status is not None:
            code = os.waitstatus_to_exitcode(tree.root_status)
            found = _ended_early(mark, code, _received(files), crash)
            if found:
                tree.end()
            return mark, found, code
        if parent in ready:
            tree.end()
            return mark, None, 0
        hang = sidecar.look()
        if hang is not None:
            found = _hung(hang, _received(files))
            tree.end()
            return hang.mark, found, -signal.SIGKILL


def main() -> None:
    """The same for a process that is not its child, whose arguments are those of ``workers.Worker``."""
    _, _, pid, place, bystanders, *rest = sys.argv
    shared, crash, socket_fd = map(int, rest)
    files = socket.socket(fileno=socket_fd)
    files.settimeout(0)
    suite = int(pid)
    for number in _HELD_BACK:
        signal.signal(number, signal.SIG_IGN)
    marks = Marks(shared)
    sidecar = Sidecar(suite, marks, frozenset(json.loads(bystanders)))
    end = _pidfd(suite)
    found = None
    process = look(suite)
    controller = process.parent if process else 0
    while found is None:
        if select.select([end], [], [], sidecar.patience_s)[0]:
            found = _ended_early(marks.read(), None, _received(files), crash)
            break
        process = look(suite)
        if process and process.parent != controller:  # nobody is left to hear of it
            end_descendants(suite)
            return
        hang = sidecar.look()
        if hang is not None:
            found = _hung(hang, _received(files))
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


def _received(files: socket.socket) -> list[int]:
    """The files that pytest captures into, as the suite has sent them; they outlive it."""
    try:
        return socket.recv_fds(files, 16, 2)[1]
    except OSError:
        return []


def _text(file: int) -> str:
    with suppress(OSError):
        size = os.fstat(file).st_size
        start = max(0, size - _MOST_BYTES)
        return os.pread(file, _MOST_BYTES, start).decode("utf-8", errors="backslashreplace")
    return ""


def _hung(hang: Hang, captured: list[int]) -> Found:
    from gilgrid.model import Verdict  # noqa: PLC0415 - most suites never need them
    from gilgrid.report import hang as report  # noqa: PLC0415

    mark = hang.mark
    verdict = Verdict.DEADLOCK if hang.evidence.is_proof else Verdict.TIMEOUT
    out, err = [*map(_text, captured), "", ""][:2]
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


def _ended_early(mark: Mark, code: int | None, captured: list[int], crash: int) -> Found | None:
    """Where the process ended while it was at work, and pytest has not said how the session went."""
    if mark.stage not in _IS_AT_WORK:
        return None
    if code is None:
        fatal = _FATAL.search(_text(crash))
        verdict = "crash" if fatal else "failed"
        reason = fatal[1] if fatal else "the process has ended, by SIGKILL or by os._exit"
    elif code < 0:
        verdict, reason = "crash", f"killed by {signal.Signals(-code).name}"
    else:
        verdict, reason = "failed", f"the process exited with code {code}, and pytest with it"
    out, err = [*map(_text, captured), "", ""][:2]
    return Found(
        stage=mark.stage,
        item=mark.item,
        phase=mark.phase,
        verdict=verdict,
        reason=reason,
        told="\n\n".join(filter(None, [f"{verdict}: {reason}", _text(crash).strip()])),
        seconds=0.0,
        out=out,
        err=err,
    )
