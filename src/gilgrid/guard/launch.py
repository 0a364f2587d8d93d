"""Starts a command as it would start without a guard, in a session of its own."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_PIPE_BYTES = 1 << 20  # pipe(7): the most without privilege; with the usual 64 KiB both sides take turns
_PR_SET_PDEATHSIG = 1  # linux/prctl.h

_prctl = ctypes.CDLL(None, use_errno=True).prctl


class Child:
    """A started command: its pid, and where to read what it prints and why it did not start."""

    __slots__ = ("failure", "output", "pid")

    def __init__(self, pid: int, output: int, failure: int) -> None:
        self.pid = pid
        self.output = output
        self.failure = failure

    def why_not_started(self) -> str:
        """Ask once it has ended: why it could not be executed, or "" if it was."""
        try:
            return os.read(self.failure, 4096).decode(errors="backslashreplace")
        except BlockingIOError:
            return ""


def launch(argv: list[bytes], env: Mapping[bytes, bytes], cwd: bytes | None) -> Child:
    """Start `argv`. What goes wrong in the child is told by `Child.why_not_started`.

    Nothing waits here for execve(2), which can take for ever on a dead network mount: the deadline covers it.
    """
    output, output_end = os.pipe2(os.O_CLOEXEC)
    failure, failure_end = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(output, False)
    os.set_blocking(failure, False)
    with suppress(OSError):  # EPERM: this user's pipes are large enough (pipe(7)); slower, no more
        fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    supervisor = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _become(argv, env, cwd, output_end, supervisor)
        except BaseException as error:  # noqa: BLE001 - there must be no second supervisor
            os.write(failure_end, _reason(error, argv, cwd).encode(errors="backslashreplace"))
        finally:
            os._exit(127)
    os.close(output_end)
    os.close(failure_end)
    return Child(pid, output, failure)


def _become(
    argv: list[bytes], env: Mapping[bytes, bytes], cwd: bytes | None, output_end: int, supervisor: int
) -> None:
    # The last resort, should the supervisor be SIGKILLed. The signal comes when the parent *thread* ends
    # (PR_SET_PDEATHSIG(2const)), which is the process here as the supervisor has one thread. The parent may
    # have died before the call: hence the second look.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != supervisor:
        return
    os.setsid()
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)  # execve(2) keeps what is ignored, as SIGPIPE is by Python
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output_end, 1)
    os.dup2(output_end, 2)
    if cwd is not None:
        os.chdir(cwd)
    os.execvpe(argv[0], argv, env)  # noqa: S606 - no shell is the point


def _reason(error: BaseException, argv: list[bytes], cwd: bytes | None) -> str:
    if not isinstance(error, OSError):
        return repr(error)
    # Of a search along PATH the error names the last place only.
    where = cwd if cwd is not None and error.filename == cwd else argv[0]
    return f"{os.fsdecode(where)}: {error.strerror}"
