"""Starts a command as it would start without a guard: in a session of its own, or in gilgrid's place."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
from contextlib import suppress

from gilgrid.guard import handover, protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

_PIPE_BYTES = 1 << 20  # pipe(7): the most without privilege; with the usual 64 KiB both sides take turns
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_SHELL = b"/bin/sh"
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127  # POSIX, sh: exit status for commands

_prctl = ctypes.CDLL(None, use_errno=True).prctl


class Child:
    """A started command: its pid, and where to read what it prints, if here, and why it did not start."""

    __slots__ = ("failure", "output", "pid")

    def __init__(self, pid: int, output: int | None, failure: int) -> None:
        self.pid = pid
        self.output = output
        self.failure = failure

    def why_not_started(self) -> str:
        """Ask once it has ended: why it could not be executed, or "" if it was."""
        try:
            return os.read(self.failure, 4096).decode(errors="backslashreplace")
        except BlockingIOError:
            return ""


class _Start:
    """How to start a command, as its own process needs it."""

    def __init__(self, spec: protocol.Message) -> None:
        self.argv = [protocol.raw(word) for word in spec["argv"]]
        self.env = {protocol.raw(name): protocol.raw(value) for name, value in spec["env"]}
        self.cwd = None if spec["cwd"] is None else protocol.raw(spec["cwd"])
        self.keep: bool = spec["keep"]
        self.handed: protocol.Message | None = spec["handed"]


def launch(spec: protocol.Message) -> Child:
    """Start the command of `spec`. What goes wrong in the child is told by `Child.why_not_started`.

    Nothing waits here for execve(2), which can take for ever on a dead network mount: the deadline covers it.
    """
    start = _Start(spec)
    failure, failure_end = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(failure, False)
    output = output_end = None
    if start.handed is None:
        output, output_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(output, False)
        with suppress(OSError):  # EPERM: this user's pipes are large enough (pipe(7)); slower, no more
            fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    supervisor = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = _NOT_EXECUTABLE
        try:
            _become(start, output_end, supervisor)
        except BaseException as error:  # noqa: BLE001 - there must be no second supervisor
            code = _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
            os.write(failure_end, _reason(error, start).encode(errors="backslashreplace"))
        finally:
            os._exit(code)
    if output_end is not None:
        os.close(output_end)
    os.close(failure_end)
    return Child(pid, output, failure)


def _become(start: _Start, output_end: int | None, supervisor: int) -> None:
    if not start.keep:
        # The last resort, should the supervisor be SIGKILLed. The signal comes when the parent *thread* ends
        # (PR_SET_PDEATHSIG(2const)), which is the process here as the supervisor has one thread. The parent
        # may have died before the call: hence the second look.
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != supervisor:
        return
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)  # execve(2) keeps what is ignored, as SIGPIPE is by Python
    if start.handed is not None:
        handover.receive(start.handed)
    elif output_end is not None:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output_end, 1)
        os.dup2(output_end, 2)
    if start.cwd is not None:
        os.chdir(start.cwd)
    # Only now: what has come to the process group since the fork ends this process as it would the command.
    signal.pthread_sigmask(signal.SIG_SETMASK, start.handed["blocked"] if start.handed is not None else ())
    _execute(start.argv, start.env)


def _execute(argv: list[bytes], env: Mapping[bytes, bytes]) -> NoReturn:
    """As execvpe(3) does it: what has no #! line is a script of the shell's. Python's own searches on."""
    name = argv[0]
    missing = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    if not name:
        raise missing
    folders = env.get(b"PATH", os.fsencode(os.defpath)).split(b":") if b"/" not in name else [b""]
    refused: OSError | None = None
    for folder in folders:
        path = folder + b"/" + name if folder else name
        try:
            os.execve(path, argv, env)  # noqa: S606 - no shell is the point
        except PermissionError as error:
            refused = error
        except (FileNotFoundError, NotADirectoryError):
            if b"/" in name:
                raise
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            os.execve(_SHELL, [_SHELL, path, *argv[1:]], env)  # noqa: S606 - the script's own choice
    raise refused or missing


def _reason(error: BaseException, start: _Start) -> str:
    if not isinstance(error, OSError):
        return repr(error)
    # Of a search along PATH the error names one place only.
    where = start.cwd if start.cwd is not None and error.filename == start.cwd else start.argv[0]
    return f"{os.fsdecode(where)}: {error.strerror}"
