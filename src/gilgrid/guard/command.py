"""Runs a command under a supervisor process of its own, and returns how it ended.

Why a process: what ends a tree must outlive a gilgrid that is killed, and must own that tree alone. Only a
whole process can be a child subreaper (PR_SET_CHILD_SUBREAPER(2const)), so each command needs its own.
"""

from __future__ import annotations

import math
import os
import select
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gilgrid.guard import protocol, tree
from gilgrid.guard.protocol import End

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_IMPORT_ROOT = str(Path(__file__).resolve().parents[2])
# -I and -S: neither the user's environment nor site-packages can change what the supervisor is, and it starts
# in half the time. Our own folder comes last on its path, so nothing beside gilgrid can stand in for the
# standard library. _exit: nothing is left to tidy up, and 2 ms are saved.
_START = (
    "import os, sys; sys.path.append(sys.argv[1]); from gilgrid.guard.watch import main; main(); os._exit(0)"
)
_OVERDUE_S = 30.0  # past its deadline a supervisor that says nothing has been stopped or is hung itself
_LONGEST_WAIT_S = 3600.0  # poll(2) counts milliseconds in an int


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to run.

    `env` is the complete environment; None inherits gilgrid's. `deadline_s` None means no deadline. Of the
    output, stdout and stderr in one, the first and the last half of `output_limit_bytes` are kept. Raises
    ValueError for what can never be run.
    """

    argv: tuple[str, ...]
    cwd: Path | None = None
    env: Mapping[str, str] | None = None
    deadline_s: float | None = None
    output_limit_bytes: int = 256 * 1024

    def __post_init__(self) -> None:
        if not self.argv:
            raise ValueError("argv is empty: name the command to run")
        if self.deadline_s is not None and not 0 <= self.deadline_s < math.inf:
            raise ValueError(f"deadline_s is {self.deadline_s}: give seconds from 0 up, or None for none")
        if self.output_limit_bytes < 0:
            raise ValueError(f"output_limit_bytes is {self.output_limit_bytes}: give 0 or more")
        variables = () if self.env is None else (word for pair in self.env.items() for word in pair)
        if any("\0" in word for word in (*self.argv, str(self.cwd), *variables)):
            raise ValueError("argv, cwd or env holds a NUL, which execve(2) cannot carry")


class Leftover(NamedTuple):
    """A process of a command that the guard met when the command itself was over."""

    pid: int
    name: str


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a command ended.

    `exit_code` and `signal` are the command's own, so both are None where the guard ended it. `seconds` is
    wall time to the end of the command itself. `cpu_seconds` is of the whole tree; `max_rss_bytes` is of its
    largest process, and never under the 10 MB of the supervisor that it was forked from. `output_bytes` also
    counts what was cut from `output`. `ended` are the processes that lived when the command was over and that
    the guard ended; `survivors`, normally none, could not be. `detail` says more of NOT_FOUND and LOST.
    """

    end: End
    seconds: float
    exit_code: int | None = None
    signal: int | None = None
    cpu_seconds: float = 0.0
    max_rss_bytes: int = 0
    output: str = field(default="", repr=False)
    output_bytes: int = 0
    output_cut: bool = False
    ended: tuple[Leftover, ...] = ()
    survivors: tuple[Leftover, ...] = ()
    detail: str = ""


class _Runs:
    """The runs under way in this process.

    No lock: a signal handler may call `cancel_all` at any point of `run` in the same thread. A run enters itself
    before it looks at `cancelled`, which is set before the runs are cancelled: none falls in between.
    """

    def __init__(self) -> None:
        self.lifelines: set[socket.socket] = set()
        self.cancelled = False


_runs = _Runs()


def run(command: Command, *, on_quiet: Callable[[bool], None] | None = None) -> Ending:
    """Run `command` to its end and leave no process of it.

    `on_quiet` is called from here with True once the tree has used under 3 % of a CPU over the last second, and
    with False when it works again. What goes wrong on gilgrid's side is LOST, not an exception.
    """
    started = time.monotonic()
    try:
        ours, theirs = socket.socketpair()
    except OSError as error:
        return Ending(end=End.LOST, seconds=0.0, detail=f"cannot start a supervisor: {error}")
    with ours, theirs:
        _runs.lifelines.add(ours)
        try:
            if _runs.cancelled:
                return Ending(end=End.CANCELLED, seconds=0.0)
            try:
                supervisor = _Supervisor(ours, theirs)
            except OSError as error:
                return Ending(end=End.LOST, seconds=0.0, detail=f"cannot start a supervisor: {error}")
            return _converse(supervisor, command, on_quiet, started)
        finally:
            _runs.lifelines.discard(ours)


def cancel_all() -> None:
    """End every command under way in this process and let no other start, from any thread or signal handler."""
    _runs.cancelled = True
    for lifeline in tuple(_runs.lifelines):
        # Not close: its number could be another file's by the time that the run uses it.
        with suppress(OSError):
            lifeline.shutdown(socket.SHUT_WR)


class _Supervisor:
    """The other process, as seen from here."""

    def __init__(self, ours: socket.socket, theirs: socket.socket) -> None:
        self._socket = ours
        # A session of its own: neither the terminal's signals nor a killpg of gilgrid's group reach it.
        # Its stderr joins what it says: a traceback is then the reason that it is LOST for.
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _START, _IMPORT_ROOT],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=theirs.fileno(),
            start_new_session=True,
        )
        theirs.close()
        self._poll = select.poll()
        self._poll.register(ours, select.POLLIN)
        try:
            # Besides the end of file: a fork of gilgrid made meanwhile may hold a copy of their end open.
            self._pidfd = os.pidfd_open(self._process.pid)
            self._poll.register(self._pidfd, select.POLLIN)
        except (AttributeError, OSError):
            self._pidfd = -1  # Linux before 5.3

    def tell(self, message: protocol.Message) -> None:
        with suppress(ConnectionError):  # it has ended, or was cancelled: what it says will show
            self._socket.sendall(protocol.encode(message), socket.MSG_NOSIGNAL)

    def lines(self, patience_s: float) -> Iterator[bytearray]:
        """Yield what it says, to the end of it, or for so long."""
        until = time.monotonic() + patience_s
        said = bytearray()
        while (left := until - time.monotonic()) > 0:
            if not self._poll.poll(1000 * min(left, _LONGEST_WAIT_S)):
                continue
            try:
                chunk = self._socket.recv(1 << 18, socket.MSG_DONTWAIT)
            except (BlockingIOError, ConnectionError):
                break
            if not chunk:
                break
            said += chunk
            *lines, said = said.split(b"\n")
            yield from lines
        yield said

    def end(self) -> int:
        """Have it end its tree and itself; its return code as subprocess has it."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        for _ in self.lines(_OVERDUE_S):
            pass
        self._process.kill()  # it has ended, but for one that was stopped or is hung
        if self._pidfd >= 0:
            os.close(self._pidfd)
        return self._process.wait()


def _converse(
    supervisor: _Supervisor, command: Command, on_quiet: Callable[[bool], None] | None, started: float
) -> Ending:
    root: protocol.Message | None = None
    report: protocol.Message | None = None
    strays: list[bytearray] = []
    deadline_s = math.inf if command.deadline_s is None else command.deadline_s
    try:
        supervisor.tell(_spec(command, tell_quiet=on_quiet is not None))
        for line in supervisor.lines(deadline_s + _OVERDUE_S):
            message = protocol.decode(line)
            if message is None:
                strays.append(line)
            elif "end" in message:
                report = message
            elif "quiet" in message:
                if on_quiet is not None:
                    on_quiet(message["quiet"])
            else:
                root = message
    finally:
        code = supervisor.end()
    if report is not None:
        return _ending(report)
    if root is not None:
        tree.end_session(root["root"], root["since"])
    if _runs.cancelled:
        return Ending(end=End.CANCELLED, seconds=time.monotonic() - started)
    said = b"\n".join(strays).decode(errors="backslashreplace").strip()
    detail = f"the supervisor ended with code {code} and no report. {said}".strip()
    return Ending(end=End.LOST, seconds=time.monotonic() - started, detail=detail)


def _spec(command: Command, *, tell_quiet: bool) -> protocol.Message:
    env = os.environ if command.env is None else command.env
    return {
        "client": os.getpid(),
        "argv": [_text(word) for word in command.argv],
        "env": [(_text(name), _text(value)) for name, value in env.items()],
        "cwd": None if command.cwd is None else _text(command.cwd),
        "deadline_s": command.deadline_s,
        "output_limit_bytes": command.output_limit_bytes,
        "tell_quiet": tell_quiet,
    }


def _text(word: str | Path) -> str:
    return protocol.text(os.fsencode(word))


def _ending(report: protocol.Message) -> Ending:
    head, tail = protocol.raw(report.pop("head")), protocol.raw(report.pop("tail"))
    dropped = report["output_bytes"] - len(head) - len(tail)
    cut = f"\n[gilgrid: {dropped} bytes of output cut here]\n".encode() if dropped else b""
    return Ending(
        end=End(report.pop("end")),
        ended=tuple(Leftover(*process) for process in report.pop("ended")),
        survivors=tuple(Leftover(*process) for process in report.pop("survivors")),
        output=(head + cut + tail).decode(errors="backslashreplace"),
        output_cut=dropped > 0,
        **report,
    )
