"""Takes a picture of a process tree from /proc, without stopping anybody.

Two looks at every thread, 15 ms apart, and between them one at what it waits on: who has not run from the
first to the second was, at one instant for all of them, as the picture has it. Only who polls for the GIL
runs, every 5 ms, and then that GIL must not have changed hands.
"""

from __future__ import annotations

import ctypes
import os
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from gilgrid.guard.observe.descriptors import Descriptors
from gilgrid.guard.observe.mappings import Mappings
from gilgrid.guard.observe.memory import Memory
from gilgrid.guard.observe.reader import Reader
from gilgrid.guard.proof import calls
from gilgrid.guard.proof.picture import Call, Picture, Process, Thread
from gilgrid.guard.tree import look
from gilgrid.since.dataclasses import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

_BETWEEN_S = 0.015
# A thread that polls for the GIL runs for some 20 microseconds every 5 ms: look again where it just did.
_ATTEMPTS = 10
_PAUSE_S = 0.001
_KCMP_VM = 1

_libc = ctypes.CDLL(None, use_errno=True)


class NothingToSeeError(Exception):
    """The system does not show what threads wait for; the text says what is missing."""


@dataclass(frozen=True, kw_only=True)
class _Look:
    """One look at one thread: what /proc said of it, word for word."""

    state: str
    call: str  # "running", or number, arguments, stack pointer and program counter
    ran: str  # time on a CPU, time waiting for one, number of slices

    @property
    def is_on_its_way(self) -> bool:
        return not self.call[:1].isdigit()


def check_sight() -> None:
    """Raise `NothingToSeeError` unless this system shows what threads wait for."""
    if not calls.names():
        raise NothingToSeeError(f"gilgrid does not know the system calls of {os.uname().machine}")
    for name in ("syscall", "schedstat"):
        if not os.path.exists(f"/proc/self/{name}"):  # noqa: PTH110 - pathlib costs 15 ms to import
            raise NothingToSeeError(f"/proc has no file {name!r}: this kernel does not say what threads do")
    if _text("/proc/self/schedstat").split() == ["0", "0", "0"]:
        raise NothingToSeeError("/proc/PID/schedstat stays 0: this kernel does not count what threads do")


def may_be_lost(pids: Iterable[int], pollers: Collection[int]) -> bool:
    """Whether a glance leaves it open that the main thread of a process never runs again, or a GIL holder."""
    return bool(pollers) or any(_main_may_never_run(pid) for pid in pids)


def collect(
    pids: Iterable[int],
    root: int,
    pollers: Collection[int],
    outside: Collection[str],
    walk: Callable[[], Collection[int]] = tuple,
) -> Picture:
    """A picture of these processes.

    `pollers` are threads that run again and again without using a CPU, `outside` the identities of pipes and
    sockets that others than the tree hold. `walk` finds the processes that have come since these were found.
    """
    collectors = [_Collector(pid, pollers) for pid in pids]
    processes = [collector.process(root) for collector in collectors]
    if len(processes) > 1 or any(_waits_on_files(process) for process in processes if process):
        descriptors = Descriptors([collector.pid for collector in collectors], outside)
        processes = [process and replace(process, files=descriptors.of(process.pid)) for process in processes]
    time.sleep(_BETWEEN_S)
    # Who is there now, and was not looked at, may release anybody; who comes later can do no more than who
    # starts it.
    is_complete = not walk()
    present = [collector.tids() for collector in collectors]
    again = [collector.looks() for collector in collectors]  # all of them before anything else is done
    steady = [
        collector.steady(process, tids, looks)
        for collector, process, tids, looks in zip(collectors, processes, present, again)  # noqa: B905 - strict is of 3.10
        if process is not None
    ]
    processes_by_pid = {process.pid: process for process in _with_memories(steady)}
    return Picture(root=root, processes=processes_by_pid, is_complete=is_complete)


class _Collector:
    """Collects one process."""

    def __init__(self, pid: int, pollers: Collection[int]) -> None:
        self.pid = pid
        self._pollers = pollers
        self._refused = ""
        self._ours: dict[int, int] = {}
        self._first = self.looks()

    def tids(self) -> list[int]:
        """The threads that it has now."""
        try:
            return [int(name) for name in os.listdir(f"/proc/{self.pid}/task")]  # noqa: PTH208 - as above
        except (FileNotFoundError, ProcessLookupError):
            return []

    def looks(self) -> dict[int, _Look]:
        """One look at each thread."""
        found: dict[int, _Look] = {}
        for tid in self.tids():
            with suppress(FileNotFoundError, ProcessLookupError):
                found[tid] = self._look(tid)
        return found

    def _look(self, tid: int) -> _Look:
        folder = f"/proc/{self.pid}/task/{tid}"
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(_PAUSE_S)
            state = _text(f"{folder}/stat").rpartition(")")[2].split()[0]
            ran = _text(f"{folder}/schedstat")
            try:
                call = _text(f"{folder}/syscall").strip()
            except PermissionError as error:
                self._refused = f"{folder}/syscall: {error.strerror}"
                call = ""
            found = _Look(state=state, call=call, ran=ran)
            if not found.is_on_its_way or tid not in self._pollers:
                break
        return found

    def process(self, root: int) -> Process | None:
        """The process and what its threads wait on; None when it has gone."""
        process = look(self.pid)
        if process is None:
            return None
        basic = Process(pid=self.pid, parent=process.parent, name=process.name)
        if process.dead or not self._first:
            return basic
        unknown = replace(basic, threads=tuple(Thread(tid=tid) for tid in self._first))
        try:
            status = {tid: _status(self.pid, tid) for tid in self._first}
            # Thread ids as the process has them in its memory: others, in a PID namespace of its own.
            self._ours = {int(status[tid]["NSpid"].split()[-1]): tid for tid in self._first}
            mappings = Mappings(self.pid)
            with Memory(self.pid) as memory:
                reader = Reader(memory, self._ours, mappings)
                threads = tuple(
                    Thread(
                        tid=tid,
                        name=status[tid]["Name"],
                        call=_call(seen, reader),
                        stopped=seen.state in "Tt",
                    )
                    for tid, seen in self._first.items()
                    if seen.state not in "ZX"
                )
        except (FileNotFoundError, ProcessLookupError):
            return unknown  # a thread of it has just ended
        except PermissionError as error:
            self._refused = self._refused or f"{error.filename}: {error.strerror}"
        if self._refused:
            return replace(unknown, refused=self._refused)
        return replace(
            basic,
            threads=threads,
            handled=_handled(list(status.values())),
            mapped=mappings.shared,
            has_timers=_has_timers(self.pid),
            # What was forked to be watched has lost nothing that it is told of.
            is_fork=self.pid != root and _stack_start(self.pid) == _stack_start(process.parent),
            has_openmp=mappings.has_openmp,
        )

    def steady(self, process: Process, present: list[int], again: dict[int, _Look]) -> Process:
        """The process with no call for a thread that has run meanwhile, and with those that have come."""
        threads = [
            thread if self._is_steady(thread, again.get(thread.tid)) else replace(thread, call=None)
            for thread in process.threads
        ]
        newcomers = [Thread(tid=tid) for tid in {*present, *again} - self._first.keys()]
        return replace(process, threads=(*threads, *newcomers))

    def _is_steady(self, thread: Thread, again: _Look | None) -> bool:
        first = self._first[thread.tid]
        if thread.call is None or again is None or again.state != first.state:
            return False
        gil = thread.call.futex.gil if thread.call.futex else None
        if gil is None:
            return again == first
        call, call_again = first.call.split(), again.call.split()
        if call[:2] + call[-2:] != call_again[:2] + call_again[-2:]:  # the word; the stack and the code
            return False
        with suppress(OSError), Memory(self.pid) as memory:
            found = memory.gil(int(call[1], 16), self._ours)
            return found is not None and (found.holder, found.switches) == (gil.holder, gil.switches)
        return False


def _call(seen: _Look, reader: Reader) -> Call | None:
    if seen.is_on_its_way:
        return None
    if seen.state == "D":  # it waits for a disk, say, wherever in its call
        return Call(name="uninterruptible sleep")
    return reader.call(seen.call.split())


def _main_may_never_run(pid: int) -> bool:
    try:
        words = _text(f"/proc/{pid}/syscall").split()
    except PermissionError:
        return True  # the picture will say so
    except OSError:
        return False
    if not words[0].isdigit():
        return False
    return calls.may_never_end(calls.names().get(int(words[0]), ""), [int(word, 16) for word in words[1:-2]])


def _waits_on_files(process: Process) -> bool:
    return any(thread.call and (thread.call.reads or thread.call.writes) for thread in process.threads)


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123 - as above
        return file.read()


def _status(pid: int, tid: int) -> dict[str, str]:
    """/proc/PID/task/TID/status (proc_pid_status(5))."""
    lines = _text(f"/proc/{pid}/task/{tid}/status").splitlines()
    found = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return {"NSpid": str(tid), "Name": "", **found}


def _handled(status: list[dict[str, str]]) -> frozenset[int]:
    """The signals that have a handler and that one thread at least does not block."""
    caught = int(status[0]["SigCgt"], 16)
    unblocked = 0
    for thread in status:
        unblocked |= ~int(thread["SigBlk"], 16)
    mask = caught & unblocked
    return frozenset(number for number in range(1, 65) if mask >> (number - 1) & 1)


def _stack_start(pid: int) -> str:
    """Where its first thread's stack begins, which fork(2) copies and execve(2) chooses at random."""
    try:
        return _text(f"/proc/{pid}/stat").rpartition(")")[2].split()[25]
    except OSError:
        return ""


def _with_memories(processes: list[Process]) -> Iterator[Process]:
    """The processes, each with the first of them that has the same memory: clone(2) with CLONE_VM."""
    firsts: dict[str, list[int]] = {}
    for process in processes:
        alike = firsts.setdefault(_stack_start(process.pid), [])
        memory = next((pid for pid in alike if _same_memory(process.pid, pid)), process.pid)
        if memory == process.pid:
            alike.append(process.pid)
        yield replace(process, memory=memory)


def _same_memory(one: int, other: int) -> bool:
    """Whether the two were not only forked but share their memory (kcmp(2)); yes where it cannot be said."""
    return _libc.syscall(calls.KCMP.get(os.uname().machine, -1), one, other, _KCMP_VM, 0, 0) in (0, -1)


def _has_timers(pid: int) -> bool:
    try:
        return bool(_text(f"/proc/{pid}/timers"))
    except OSError:
        return True  # a kernel that does not tell
