"""A supervisor process as its client sees it: start it, tell it, hear it, end it."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gilgrid.guard import protocol
from gilgrid.guard.handover import environment_now, inherited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_IMPORT_ROOT = str(Path(__file__).resolve().parents[2])
# -I and -S: neither the user's environment nor site-packages can change what the supervisor is, and it starts
# in half the time. Our own folder comes last on its path, so nothing beside gilgrid can stand in for the
# standard library. _exit: nothing is left to tidy up, and 2 ms are saved.
_START = (
    "import os, sys; sys.path.append(sys.argv[1]); from gilgrid.guard.keeper import main; os._exit(main())"
)
_LONGEST_WAIT_S = 3600.0  # poll(2) counts milliseconds in an int


class Supervisor:
    """One supervisor process and the conversation with it, over `ours` of a socket pair.

    It gets `theirs`, which is closed here. `in_place` is for a command that takes gilgrid's place: it remains
    in gilgrid's process group and gets all that can be inherited. Raises OSError when it cannot be started.
    """

    def __init__(self, ours: socket.socket, theirs: socket.socket, *, in_place: bool = False) -> None:
        self._socket = ours
        # Else a session of its own: neither the terminal's signals nor a killpg of gilgrid's group reach it.
        # Its stderr joins what it says: a traceback is then the reason that it is LOST for.
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _START, _IMPORT_ROOT],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=theirs.fileno(),
            # Not None: the child would read libc's own array, which another thread may be moving (setenv(3)).
            env=environment_now(),
            start_new_session=not in_place,
            # Named one by one: close_fds=False could make it posix_spawn(3), whose child ignores signals 32
            # and 33 (glibc, sysdeps/unix/sysv/linux/spawni.c), and so would the command.
            pass_fds=inherited() if in_place else (),
        )
        theirs.close()
        self._poll = select.poll()
        self._poll.register(ours, select.POLLIN)
        self._besides: dict[int, Callable[[], None]] = {}
        try:
            # Besides the end of file: a fork of gilgrid made meanwhile may hold a copy of their end open.
            self._pidfd = os.pidfd_open(self._process.pid)
            self._poll.register(self._pidfd, select.POLLIN)
        except (AttributeError, OSError):
            self._pidfd = -1  # Linux before 5.3

    def tell(self, message: protocol.Message) -> None:
        """Say something; the answer, or the end of its words, shows whether it was heard."""
        with suppress(ConnectionError):
            self._socket.sendall(protocol.encode(message), socket.MSG_NOSIGNAL)

    def besides(self, fd: int, heed: Callable[[], None]) -> None:
        """While `lines` waits, call `heed` when `fd` is readable."""
        self._besides[fd] = heed
        self._poll.register(fd, select.POLLIN)

    def lines(self, patience_s: float) -> Iterator[bytearray]:
        """Yield what it says, to the end of it, or for so long."""
        until = time.monotonic() + patience_s
        said = bytearray()
        while True:
            left = until - time.monotonic()
            ready = {fd for fd, _ in self._poll.poll(1000 * min(max(left, 0.0), _LONGEST_WAIT_S))}
            for fd in ready & self._besides.keys():
                self._besides[fd]()
            if not ready - self._besides.keys():
                if left <= 0:  # only now: this process may have been stopped meanwhile
                    break
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

    def end(self, patience_s: float) -> int:
        """Have it end its tree and then itself; returns its code as subprocess has it.

        One that has not ended after `patience_s` was stopped, or hangs itself: it is killed.
        """
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        for _ in self.lines(patience_s):
            pass
        self._process.kill()
        if self._pidfd >= 0:
            os.close(self._pidfd)
        return self._process.wait()
