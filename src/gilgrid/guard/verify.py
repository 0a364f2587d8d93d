"""Finds out what only matters once everything else says deadlock: it costs more than a look.

Whether Ctrl-C would reach a handler of the program's own, and whether a socket gives up by itself.
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

from gilgrid.guard import calls
from gilgrid.guard.mappings import Mappings
from gilgrid.guard.memory import Memory
from gilgrid.guard.picture import Channel, Picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilgrid.guard.picture import Process, Thread

# Modules/signalmodule.c: struct { int tripped; PyObject *func; } for each signal below NSIG, 65 on Linux. Those of
# the 31 real-time signals are hardly ever set and name one object, SIG_DFL: that is how the array is found.
_ENTRY = 16
_SIGNALS = 65
_ALIKE = re.compile(rb"(?s)(\0{8}(?!\0{8}).{6}\0\0)\1{29,}")
_DEFAULT = b"default_int_handler\0"
_TO_METHOD, _TO_NAME = 16, 0  # in a PyCFunctionObject and in its PyMethodDef
_MOST_BYTES = 1 << 24

_SOL_SOCKET, _SO_RCVTIMEO, _SO_SNDTIMEO = 1, 20, 21
_TIMEVAL = struct.Struct("=qq")

_libc = ctypes.CDLL(None, use_errno=True)


def verified(picture: Picture) -> Picture:
    """The picture, with what a proof would have to know besides."""
    processes = {pid: _verified(process) for pid, process in picture.processes.items()}
    return Picture(root=picture.root, processes=processes)


def _verified(process: Process) -> Process:
    threads = tuple(_timed_by_socket(process, thread) for thread in process.threads)
    handles_interrupt = signal.SIGINT in process.handled and _has_own_interrupt_handler(process.pid)
    return replace(process, threads=threads, handles_interrupt=handles_interrupt)


def _has_own_interrupt_handler(pid: int) -> bool:
    """Whether its SIGINT does anything but raise KeyboardInterrupt; yes where it cannot be said."""
    with suppress(OSError), Memory(pid) as memory:
        for handlers in _python_handlers(pid, memory):
            (function,) = memory.words(handlers + signal.SIGINT * _ENTRY + 8, "=Q") or (0,)
            (method,) = memory.words(function + _TO_METHOD, "=Q") or (0,)
            (name,) = memory.words(method + _TO_NAME, "=Q") or (0,)
            return memory.bytes(name, len(_DEFAULT)) != _DEFAULT
    return True


def _python_handlers(pid: int, memory: Memory) -> Iterator[int]:
    """Where CPython keeps which function handles which signal."""
    for start, end in Mappings(pid).writable("python"):
        found = memory.bytes(start, min(end - start, _MOST_BYTES)) or b""
        for match in _ALIKE.finditer(found):
            # Where the pointer has zeros at its end the match begins, and ends, inside of a word.
            yield -(-(start + match.end()) // 8) * 8 - _SIGNALS * _ENTRY


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
