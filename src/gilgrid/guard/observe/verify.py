"""Finds out what only matters once everything else says deadlock: it costs more than a look.

Whether Ctrl-C, or a terminal that gets another size, would reach a handler of the program's own, whether a
socket gives up by itself, who else could map the shared memory that is waited in, and whether io_uring could
wake anybody.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import struct
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from gilgrid.guard.observe.descriptors import links
from gilgrid.guard.observe.mappings import Mappings
from gilgrid.guard.observe.memory import Memory
from gilgrid.guard.proof import calls
from gilgrid.guard.proof.picture import Channel, Picture
from gilgrid.guard.tree import folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from gilgrid.guard.proof.picture import Process, Thread

# Modules/signalmodule.c: struct { int tripped; PyObject *func; } for each signal below NSIG, 65 on Linux.
# Those of the 31 real-time signals are hardly ever set and name one object, SIG_DFL: so the array is found.
_ENTRY = 16
_SIGNALS = 65
_LAST_SIGNAL = _SIGNALS - 1
_ALIKE = bytes(29 * _ENTRY)  # of two neighbours nothing differs
_SOMETHING = re.compile(rb"[^\0]")
# What a person does at a terminal. Of SIGWINCH readline has a handler in C, which takes note of it.
_BY_HAND = {signal.SIGINT, signal.SIGWINCH}
_DEFAULT = b"default_int_handler\0"
_TO_METHOD, _TO_NAME = 16, 0  # in a PyCFunctionObject and in its PyMethodDef
_MOST_BYTES = 1 << 24

_SOL_SOCKET, _SO_RCVTIMEO, _SO_SNDTIMEO = 1, 20, 21
_TIMEVAL = struct.Struct("=qq")

_IO_URING = "anon_inode:[io_uring]"
_MEMORY = re.compile(r"/dev/(shm/.*|zero) \(deleted\)$")

_libc = ctypes.CDLL(None, use_errno=True)


def verified(picture: Picture, dead: Collection[int]) -> Picture:
    """The picture, with what the proof that these threads are dead would have to know besides."""
    foreign = _mapped_elsewhere(picture)
    processes = {
        pid: process if process.tids.isdisjoint(dead) else _verified(process, foreign)
        for pid, process in picture.processes.items()
    }
    return replace(picture, processes=processes)


def _verified(process: Process, foreign: frozenset[str]) -> Process:
    opened = {target for _, target in links(process.pid)}
    threads = tuple(_timed_by_socket(process, thread) for thread in process.threads)
    if _IO_URING in opened:
        threads = tuple(map(_timed, threads))  # it can wake who waits for anything but the GIL, after a time
    by_hand = process.handled & _BY_HAND
    handles_interrupt = bool(by_hand) and _has_own_handler(process.pid, by_hand)
    return replace(
        process,
        threads=tuple(_shared_with_others(thread, foreign) for thread in threads),
        handles_interrupt=handles_interrupt,
        had_threads=len(threads) == 1 and process.is_fork and _had_threads(process.pid),
    )


def _had_threads(pid: int) -> bool:
    with suppress(OSError):
        return Mappings(pid).has_stacks
    return False


def _mapped_elsewhere(picture: Picture) -> frozenset[str]:
    """Of the shared memory in which threads wait, what a process outside the tree maps as well."""
    asked = {thread.call.futex.shared for _, thread in picture.threads() if thread.call and thread.call.futex}
    if asked <= {""}:
        return frozenset()
    # Through a descriptor of it, it could be mapped later.
    inodes = {inode for pid in picture.processes for inode in _opened_memory(pid)}
    found = {identity for identity in asked if identity.rpartition(":")[2] in inodes}
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib costs 15 ms to import
        if name.isdigit() and int(name) not in picture.processes:
            with suppress(OSError):
                found |= asked & Mappings(int(name)).shared
    return frozenset(found)


def _opened_memory(pid: int) -> Iterator[str]:
    """The inodes of the memory without a name that a process holds a descriptor of."""
    for fd, target in links(pid):
        if _MEMORY.match(target):
            with suppress(OSError):
                yield str(os.stat(f"{folder(pid)}/fd/{fd}").st_ino)  # noqa: PTH116 - as above


def _timed(thread: Thread) -> Thread:
    call = thread.call
    if call is None or (call.futex is not None and call.futex.gil is not None):
        return thread
    return replace(thread, call=replace(call, timed=True))


def _shared_with_others(thread: Thread, foreign: frozenset[str]) -> Thread:
    futex = thread.call.futex if thread.call else None
    if thread.call is None or futex is None or futex.shared not in foreign:
        return thread
    return replace(thread, call=replace(thread.call, futex=replace(futex, shared="?")))


def _has_own_handler(pid: int, numbers: Collection[int]) -> bool:
    """Whether a signal of these runs a function of the program's own; yes where it cannot be said."""
    with suppress(OSError), Memory(pid) as memory:
        return not any(_has_none(memory, array, numbers) for array in _python_handlers(pid, memory))
    return True


def _has_none(memory: Memory, handlers: int, numbers: Collection[int]) -> bool:
    """Whether that array, if it is one, has CPython's own function for SIGINT, and none for SIGWINCH."""

    def function(number: int) -> int:
        (found,) = memory.words(handlers + number * _ENTRY + 8, "=Q") or (0,)
        return found

    if signal.SIGWINCH in numbers and function(signal.SIGWINCH) != function(_LAST_SIGNAL):
        return False
    if signal.SIGINT in numbers:
        return _raises_interrupt(memory, function(signal.SIGINT))
    # Both are ignored by Python: that this is the array, one can only say by something that is known of it.
    return function(signal.SIGPIPE) == function(signal.SIGXFSZ) not in {0, function(_LAST_SIGNAL)}


def _raises_interrupt(memory: Memory, function: int) -> bool:
    (method,) = memory.words(function + _TO_METHOD, "=Q") or (0,)
    (name,) = memory.words(method + _TO_NAME, "=Q") or (0,)
    return memory.bytes(name, len(_DEFAULT)) == _DEFAULT


def _python_handlers(pid: int, memory: Memory) -> Iterator[int]:
    """Where CPython keeps which function handles which signal."""
    for start, end in Mappings(pid).writable_of_python():
        found = memory.bytes(start, min(end - start, _MOST_BYTES)) or b""
        yield from (start + place for place in handler_arrays(found))


def handler_arrays(memory: bytes) -> Iterator[int]:
    """Where in this memory, which begins at a multiple of 16, such an array may lie."""
    # As one number, the memory is compared with itself an entry further on, a hundred times as fast as in a
    # loop.
    number = int.from_bytes(memory, "little")
    differs = (number ^ number >> 8 * _ENTRY).to_bytes(len(memory), "little")
    at = differs.find(_ALIKE)
    while at >= 0:
        something = _SOMETHING.search(memory, at)
        if something is None:
            return
        begun = something.start()
        if begun - at >= _ENTRY:  # nothing but zeros
            at = differs.find(_ALIKE, begun - _ENTRY + 1)
            continue
        different = _SOMETHING.search(differs, at)
        if different is None:
            return
        # There the last entry begins, a zero and a pointer; some of its bytes may be those of what follows.
        last = different.start() // 8 * 8
        last -= 8 if any(memory[last : last + 8]) else 0
        yield last - (_SIGNALS - 1) * _ENTRY
        at = differs.find(_ALIKE, different.start() + 1)


def _timed_by_socket(process: Process, thread: Thread) -> Thread:
    """The thread, with its call `timed` where a socket that it waits on has a time limit (socket(7))."""
    call = thread.call
    if call is None or not (call.reads or call.writes) or call.name in calls.POLLS:
        return thread
    for fd in {*call.reads, *call.writes}:
        file = process.files.get(fd)
        if file is not None and file.channel is Channel.SOCKET and _has_time_limit(process.pid, fd):
            return replace(thread, call=replace(call, timed=True))
    return thread


def _has_time_limit(pid: int, fd: int) -> bool:
    """Whether a call on that socket of another process gives up by itself; yes where it cannot be said."""
    import socket  # noqa: PLC0415 - 8 ms that most proofs do not need

    try:
        pidfd = os.pidfd_open(pid)
    except (AttributeError, OSError):
        return True
    try:
        number = calls.PIDFD_GETFD.get(os.uname().machine, -1)
        copy = _libc.syscall(number, pidfd, fd, 0)
        if copy < 0:
            return True
        with socket.socket(fileno=copy) as same:
            limits = (
                same.getsockopt(_SOL_SOCKET, which, _TIMEVAL.size) for which in (_SO_RCVTIMEO, _SO_SNDTIMEO)
            )
            return any(_TIMEVAL.unpack(limit) != (0, 0) for limit in limits)
    finally:
        os.close(pidfd)
