"""What a command that runs in gilgrid's place inherits of it, as if gilgrid were not there.

gilgrid hands over and holds nothing back: a reader of the command's output sees the end of it when the
command closes it, not when gilgrid ends.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gilgrid.guard.protocol import Message

_STANDARD = (0, 1, 2)
# Python ignores these itself when it starts, so how gilgrid found them is not known.
_IGNORED_BY_PYTHON = {signal.SIGPIPE, signal.SIGXFSZ}
# What ends or stops a process is held back in those above the command, which share its process group: not
# ignored, as then it could not be told whether a signal has come to all of the group (sigpending(2)).
HELD_BACK = signal.valid_signals() - {signal.SIGCHLD, signal.SIGKILL, signal.SIGSTOP}


class Handover:
    """Taken in gilgrid before it opens or starts anything of its own."""

    def __init__(self) -> None:
        self._standard = [_copy(fd) for fd in _STANDARD]
        self._ignored = [
            int(number)
            for number in signal.valid_signals() - _IGNORED_BY_PYTHON
            if signal.getsignal(number) is signal.SIG_IGN
        ]
        self._blocked = [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())]
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would hide how our own child ended

    def message(self) -> Message:
        """What the supervisor needs to know of it."""
        return {"standard": self._standard, "ignored": self._ignored, "blocked": self._blocked}

    def let_go(self) -> None:
        """Once the supervisor has it all: keep nothing but stderr."""
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for fd in (0, 1):
            os.dup2(null, fd, inheritable=False)
        os.close(null)
        let_go_of_inherited()


def _copy(fd: int) -> int | None:
    """A copy for the way down, where the number itself is taken; None where it was closed."""
    try:
        copy = os.dup(fd)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # gets this very number, so that nothing of gilgrid's own does
        return None
    os.set_inheritable(copy, True)  # noqa: FBT003 - it takes no keyword
    return copy


def inherited() -> list[int]:
    """The descriptors that are not this process's own, but for the first three.

    Those that Python opens are closed on execve(2) (PEP 446).
    """
    found = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - pathlib costs 15 ms to import
        with suppress(OSError):  # what the folder itself was read with
            if int(name) not in _STANDARD and os.get_inheritable(int(name)):
                found.append(int(name))
    return found


def let_go_of_inherited() -> None:
    """Hold it no longer: a pipe ends when the command has closed it."""
    for fd in inherited():
        os.close(fd)


def remember_inherited() -> None:
    """Hold it no longer, but know it still, for whoever looks at /proc/self/fd: O_PATH (open(2))."""
    for fd in inherited():
        with suppress(OSError):
            os.open(f"/proc/self/fd/{fd}", os.O_PATH | os.O_CLOEXEC)
        os.close(fd)


def environment() -> dict[bytes, bytes]:
    """The environment that gilgrid was started with.

    Not os.environ: in the C locale Python adds LC_CTYPE to that, for its children too (PEP 538).
    """
    try:
        with open("/proc/self/environ", "rb") as file:  # noqa: PTH123 - as above
            content = file.read()
    except OSError:
        return environment_now()
    variables: dict[bytes, bytes] = {}
    for variable in content.split(b"\0"):
        name, is_one, value = variable.partition(b"=")
        if is_one and name:
            variables.setdefault(name, value)  # of two by one name, getenv(3) finds the first
    return variables


def environment_now() -> dict[bytes, bytes]:
    """The environment of this process, whatever other threads do to it meanwhile."""
    while True:
        try:
            return dict(os.environb)
        except (KeyError, RuntimeError):  # a variable has just come or gone
            continue


def receive(handed: Message) -> None:
    """In the command's process, just before execve(2): take the place of gilgrid as it was started."""
    for fd, copy in zip(_STANDARD, handed["standard"]):  # noqa: B905 - strict is of 3.10
        if copy is None:
            os.close(fd)
        else:
            os.dup2(copy, fd)
            os.close(copy)
    for number in handed["ignored"]:
        signal.signal(number, signal.SIG_IGN)
