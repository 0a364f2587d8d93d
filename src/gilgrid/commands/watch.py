"""``gilgrid watch``: a command as it would be without gilgrid, and where it hangs, why."""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gilgrid import guard
from gilgrid.errors import WatchExit
from gilgrid.guard import Command, End

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from gilgrid.evidence import Evidence
    from gilgrid.guard import Ending
    from gilgrid.model import Verdict


def command(options: argparse.Namespace) -> int:
    """Run the command in gilgrid's place; the exit code is its own, or one of ``WatchExit``."""
    argv = _argv(options)
    try:
        report = _Report(options.json) if options.json else None
    except OSError as error:
        _say(f"{options.json}: {error.strerror}: no result could be written there")
        return WatchExit.GILGRID_FAILED
    if options.pid is not None:
        return _watch_pid(options.pid, report)
    ending = guard.run(
        Command(
            argv=tuple(argv),
            deadline_s=options.deadline,
            prove=True,
            keep=options.keep,
            in_place=True,
        ),
        on_suspicion=_import_words,
    )
    code = exit_code(ending)
    if ending.end is End.EXITED and report is None:
        return code  # 20 ms earlier, by what nobody asks for
    return code if _tell(ending, report, argv, options.deadline) else WatchExit.GILGRID_FAILED


def _watch_pid(pid: int, report: _Report | None) -> int:
    """Look at a running process once and judge it, without ending it."""
    from gilgrid.commands.outcome import running_to_json  # noqa: PLC0415 - see `command`
    from gilgrid.model import Verdict  # noqa: PLC0415

    evidence = guard.examine(pid)
    if evidence is None:
        _say(f"there is no process {pid}")
        return WatchExit.NOT_FOUND
    if report is not None and not report.write(running_to_json(pid, evidence)):
        return WatchExit.GILGRID_FAILED
    _print_hang(evidence, Verdict.DEADLOCK if evidence.is_proof else None, None)
    return WatchExit.DEADLOCK if evidence.is_proof else 0


def _argv(options: argparse.Namespace) -> list[str]:
    """The command without the `--` before it. Exits where the call makes no sense."""
    argv: list[str] = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
    if options.pid is not None and argv:
        options.mistake("either --pid or a command, not both")
    if options.pid is None and not argv:
        options.mistake("name the command to watch, as in: gilgrid watch -- python prog.py")
    return argv


def exit_code(ending: Ending) -> int:
    """What ``gilgrid watch`` exits with."""
    if ending.end is End.DEADLOCK:
        return WatchExit.DEADLOCK
    if ending.end is End.DEADLINE:
        return WatchExit.TIMEOUT
    if ending.signal is not None:
        return WatchExit.SIGNALLED + ending.signal
    return WatchExit.GILGRID_FAILED if ending.exit_code is None else ending.exit_code


def _tell(ending: Ending, report: _Report | None, argv: Sequence[str], deadline_s: float | None) -> bool:
    """Write the result where it is asked for, say what is to be said; whether that could be written."""
    from gilgrid.commands.outcome import sentences, to_json, verdict  # noqa: PLC0415 - see `command`
    from gilgrid.evidence import Evidence  # noqa: PLC0415

    evidence = Evidence.from_json(ending.evidence) if ending.evidence else None
    is_written = report is None or report.write(to_json(ending, evidence, argv))
    hangs = ending.end in {End.DEADLOCK, End.DEADLINE}
    said = sentences(ending, _debugger())
    if sys.stderr is not None and (hangs or said):
        _hear_signals_again()
        with suppress(OSError):  # nobody reads it; the exit code says it too
            if hangs:
                _print_hang(evidence or Evidence(), verdict(ending), deadline_s)
            for sentence in said:
                _say(sentence)
    return is_written


def _import_words() -> None:
    """Import what a hang is told with, which takes 0.2 s, while its stacks are taken."""
    with suppress(ImportError):
        from gilgrid import files  # noqa: F401, PLC0415 - see `command`
        from gilgrid.commands import outcome  # noqa: F401, PLC0415
        from gilgrid.report import hang, terminal  # noqa: F401, PLC0415


def _debugger() -> str:
    """What is kept is nobody's child any more, and Yama lets none but root look at it (ptrace(2))."""
    with suppress(OSError), open("/proc/sys/kernel/yama/ptrace_scope", encoding="ascii") as file:  # noqa: PTH123
        if os.geteuid() != 0 and file.read().strip() != "0":
            return "sudo gdb"
    return "gdb"


def _print_hang(evidence: Evidence, what: Verdict | None, deadline_s: float | None) -> None:
    # Where all is well it is not needed: rich takes longer to import than most commands to run.
    try:
        from rich.console import Console  # noqa: PLC0415

        from gilgrid.report.hang import hang  # noqa: PLC0415
        from gilgrid.report.terminal import print_to  # noqa: PLC0415
    except ImportError:
        _say(f"{what}: {what.meaning}" if what else "no deadlock is proven")
    else:
        print_to(Console(stderr=True), hang(evidence, verdict=what, deadline_s=deadline_s))
        sys.stderr.flush()


def _hear_signals_again() -> None:
    """The command has ended: Ctrl-C ends gilgrid, whose words may be more than somebody wants to read."""
    numbers = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM}
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)  # forgets what was meant for the command
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


def _say(sentence: str) -> None:
    print(f"gilgrid: {sentence}", file=sys.stderr)  # noqa: T201 - the command's stdout is not gilgrid's


class _Report:
    """Where the result goes. What is no regular file, as a pipe, is opened while gilgrid still holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._fd: int | None = None
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            is_file = stat.S_ISREG(path.stat().st_mode)
        except FileNotFoundError:
            is_file = True
        if not is_file:
            self._fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        elif not os.access(self._path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def write(self, content: dict[str, Any]) -> bool:
        """Write it whole, or say why not."""
        from gilgrid import files  # noqa: PLC0415 - 20 ms that only --json needs

        try:
            if self._fd is None:
                files.write_json(self._path.resolve(), content)
            else:
                with os.fdopen(self._fd, "w", encoding="utf-8", errors="backslashreplace") as file:
                    file.write(files.json_text(content))
        except OSError as error:
            _say(f"{self._path}: {error.strerror}: the result is not written")
            return False
        return True
