"""Signals that gilgrid is sent while a command runs in its place: they are for the command.

The supervisor decides which to pass on: what has come to the whole process group, as from a terminal, the
command has got itself.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilgrid.guard.protocol import Message

_INFO = struct.Struct("=IiiI112x")  # signalfd_siginfo (signalfd(2)): signo, errno, code, pid
_MASK_WORDS = 16  # sigset_t of glibc and musl: 1024 bits
_WORD_BITS = 8 * ctypes.sizeof(ctypes.c_ulong)
# Faults of its own, what Python ignores, and what tells of its children are gilgrid's.
_OWN = {
    signal.SIGKILL,
    signal.SIGSTOP,
    signal.SIGCHLD,
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGTRAP,
    signal.SIGSYS,
}
RELAYED = signal.valid_signals() - _OWN


class Relay:
    """From here on no signal interrupts this process: each waits at `fd` until it is read."""

    def __init__(self) -> None:
        mask = (ctypes.c_ulong * _MASK_WORDS)()
        for number in RELAYED:
            mask[(number - 1) // _WORD_BITS] |= 1 << (number - 1) % _WORD_BITS
        signal.pthread_sigmask(signal.SIG_BLOCK, RELAYED)
        self.fd: int = ctypes.CDLL(None, use_errno=True).signalfd(-1, mask, os.O_CLOEXEC | os.O_NONBLOCK)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "cannot listen for signals")

    def signals(self) -> Iterator[Message]:
        """What has come, each with the pid of its sender, 0 where it is the kernel."""
        while True:
            try:
                content = os.read(self.fd, 16 * _INFO.size)
            except BlockingIOError:
                return
            for number, _, _, sender in _INFO.iter_unpack(content):
                yield {"signal": number, "sender": sender}

    def close(self) -> None:
        """Listen no more. What was held back stays so: the command has ended, gilgrid is about to."""
        os.close(self.fd)
