"""Runs a command under a supervisor process of its own, and returns how it ended.

Why a process: what ends a tree must outlive a gilgrid that is killed, and must own that tree alone. Only a
whole process can be a child subreaper (PR_SET_CHILD_SUBREAPER(2const)), so each command needs its own.
"""

from __future__ import annotations

import math
import os
import socket
import time
from contextlib import suppress
from dataclasses import field
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gilgrid.guard import handover, protocol, tree
from gilgrid.guard.handover import Handover
from gilgrid.guard.protocol import End
from gilgrid.guard.relay import Relay
from gilgrid.guard.supervisor import Supervisor
from gilgrid.since.dataclasses import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_OVERDUE_S = 30.0  # past its deadline a supervisor that says nothing has been stopped or is hung itself


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to run.

    `env` is the complete environment; None inherits gilgrid's. `deadline_s` None means no deadline. Of the
    output, stdout and stderr in one, the first and the last half of `output_limit_bytes` are kept. With
    `prove` it ends as soon as a deadlock is proven; with `keep` what hangs is left alive for a debugger.
    Raises ValueError for what can never be run.

    With `in_place` it is what it would be if it had been started in place of gilgrid: it has gilgrid's stdin,
    stdout, stderr and all other descriptors that gilgrid was started with, its environment, ignored and
    blocked signals, session, process group and terminal; signals sent to gilgrid reach it, gilgrid stops and
    continues with it, and what it leaves behind when it ends by itself lives on. No output is kept then. It
    is for a gilgrid that runs this one command and nothing else, from its main thread: of what it has given
    away it holds nothing but stderr any more, and it hears no signals.
    """

    argv: tuple[str, ...]
    cwd: Path | None = None
    env: Mapping[str, str] | None = None
    deadline_s: float | None = None
    output_limit_bytes: int = 256 * 1024
    prove: bool = False
    keep: bool = False
    in_place: bool = False

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

    `exit_code` and `signal` are the command's own, so both are None where the guard ended it; of NOT_FOUND
    `exit_code` is a shell's: 127 where there is no such command, 126 where it is not executable. `seconds` is
    wall time to the end of the command itself. `cpu_seconds` is of the whole tree; `max_rss_bytes` is of its
    largest process, and never under the 10 MB of the supervisor that it was forked from. `output_bytes` also
    counts what was cut from `output`. `ended` are the processes that lived when the command was over and that
    the guard ended; `survivors`, normally none, could not be, or were left alone. `detail` says more of
    NOT_FOUND and LOST. `evidence`, of DEADLOCK and DEADLINE, is what the prover saw. While the command ran it
    tried `looks` times to prove something, and stopped a process for that `stops` times.
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
    evidence: Mapping[str, Any] | None = field(default=None, repr=False)
    looks: int = 0
    stops: int = 0


class _Runs:
    """The runs under way in this process.

    No lock: a signal handler may call `cancel_all` at any point of `run` in the same thread. A run enters
    itself before it looks at `cancelled`, which is set before the runs are cancelled: none is missed.
    """

    def __init__(self) -> None:
        self.lifelines: set[socket.socket] = set()
        self.cancelled = False


_runs = _Runs()


def run(
    command: Command,
    *,
    on_quiet: Callable[[bool], None] | None = None,
    on_suspicion: Callable[[], None] | None = None,
) -> Ending:
    """Run `command` to its end and leave no process of it.

    `on_quiet`, for a command that is to be proven, is called in this thread with True once the tree has used
    under 3 % of a CPU over the last second, and with False when it works again; not when it ends.
    `on_suspicion` is called each time that stacks are taken, which may prove a deadlock. What goes wrong on
    gilgrid's side is LOST, not an exception. An exception raised here, by one of them or Ctrl-C, ends the
    tree on its way.
    """
    started = time.monotonic()
    try:
        place = _Place() if command.in_place else None  # before anything of our own is opened
        ours, theirs = socket.socketpair()
    except OSError as error:
        return Ending(end=End.LOST, seconds=0.0, detail=f"cannot start a supervisor: {error}")
    with ours, theirs:
        _runs.lifelines.add(ours)
        try:
            if _runs.cancelled:
                return Ending(end=End.CANCELLED, seconds=0.0)
            try:
                supervisor = Supervisor(ours, theirs, in_place=command.in_place)
                if place is not None:
                    place.handover.let_go()
            except OSError as error:
                return Ending(end=End.LOST, seconds=0.0, detail=f"cannot start a supervisor: {error}")
            return _converse(supervisor, command, _Hooks(on_quiet, on_suspicion), started, place)
        finally:
            _runs.lifelines.discard(ours)


def cancel_all(*, for_good: bool = True) -> None:
    """End every command under way in this process and, for good, let no other start in it.

    For any thread and any signal handler. It does not wait: each `run` returns CANCELLED.
    """
    _runs.cancelled = _runs.cancelled or for_good
    for lifeline in tuple(_runs.lifelines):
        # Not close: its number could be another file's by the time that the run uses it.
        with suppress(OSError):
            lifeline.shutdown(socket.SHUT_WR)


class _Hooks(NamedTuple):
    """What `run` calls while the command runs."""

    on_quiet: Callable[[bool], None] | None
    on_suspicion: Callable[[], None] | None


class _Place:
    """gilgrid's place, taken by a command."""

    def __init__(self) -> None:
        self.handover = Handover()
        self.relay = Relay()
        self._stop = 0  # the last of the command's stops that is known here

    def heed(self, supervisor: Supervisor, message: protocol.Message) -> None:
        """Pass signals on once the command has started, and stop with it."""
        if "root" in message:
            supervisor.besides(self.relay.fd, lambda: self._pass_signals_on(supervisor))
        elif "stopped" in message:
            self._pass_signals_on(supervisor)  # what has come so far knows nothing of this stop
            self._stop = message["stopped"]
            supervisor.tell({"ready": self._stop})

    def _pass_signals_on(self, supervisor: Supervisor) -> None:
        for message in self.relay.signals():
            supervisor.tell(message | {"stop": self._stop})


def _converse(
    supervisor: Supervisor,
    command: Command,
    hooks: _Hooks,
    started: float,
    place: _Place | None,
) -> Ending:
    root: protocol.Message | None = None
    report: protocol.Message | None = None
    strays: list[bytearray] = []
    deadline_s = math.inf if command.deadline_s is None else command.deadline_s
    try:
        supervisor.tell(_spec(command) | {"handed": None if place is None else place.handover.message()})
        for line in supervisor.lines(deadline_s + _OVERDUE_S):
            message = protocol.decode(line)
            if message is None:
                strays.append(line)
            elif "end" in message:
                report = message
            elif "quiet" in message:
                if hooks.on_quiet is not None:
                    hooks.on_quiet(message["quiet"])
            elif "suspects" in message:
                if hooks.on_suspicion is not None:
                    hooks.on_suspicion()
            else:
                root = root or message
                if place is not None:
                    place.heed(supervisor, message)
    finally:
        code = supervisor.end(_OVERDUE_S)
        if place is not None:
            place.relay.close()
    return _lost(root, strays, code, started) if report is None else _ending(report)


def _lost(root: protocol.Message | None, strays: list[bytearray], code: int, started: float) -> Ending:
    if root is not None:
        tree.end_session(root["root"], root["since"])
    if _runs.cancelled:
        return Ending(end=End.CANCELLED, seconds=time.monotonic() - started)
    said = b"\n".join(strays).decode(errors="backslashreplace").strip()
    detail = f"the supervisor ended with code {code} and no report. {said}".strip()
    return Ending(end=End.LOST, seconds=time.monotonic() - started, detail=detail)


def _spec(command: Command) -> protocol.Message:
    return {
        "client": os.getpid(),
        "argv": [_text(word) for word in command.argv],
        "env": [(protocol.text(name), protocol.text(value)) for name, value in _environment(command)],
        "cwd": None if command.cwd is None else _text(command.cwd),
        "deadline_s": command.deadline_s,
        "output_limit_bytes": command.output_limit_bytes,
        "prove": command.prove,
        "packages": _packages() if command.prove else "",
        "keep": command.keep,
    }


def _environment(command: Command) -> Iterable[tuple[bytes, bytes]]:
    if command.env is not None:
        return [(os.fsencode(name), os.fsencode(value)) for name, value in command.env.items()]
    return (handover.environment() if command.in_place else handover.environment_now()).items()


def _packages() -> str:
    """The folder that pystack is in: the keeper, which starts without site-packages, is told of it."""
    spec = PathFinder.find_spec("pystack")
    return _text(Path(spec.origin).parents[1]) if spec is not None and spec.origin else ""


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
