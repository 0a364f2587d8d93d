"""Native and Python stacks of a process, through pystack.

Native ones need ptrace(2), which stops the process for about 0.1 s; Python's do not.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from gilgrid.evidence import Frame
from gilgrid.guard.observe.mappings import Mappings
from gilgrid.guard.proof.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

_INLINED = " (inlined)"
_UNKNOWN = "???"


class NoStacksError(Exception):
    """The stacks of a process could not be read; the text says why."""


def stacks(pid: int) -> dict[int, Stack]:
    """The stack of each thread of a process, stopping it for a moment; none where it has no Python.

    Raises `NoStacksError`.
    """
    return _stacks(pid, stop=True)


def python_stacks(pid: int) -> dict[int, Stack]:
    """The Python frames of each thread of a process, which is not stopped. Raises `NoStacksError`."""
    return _stacks(pid, stop=False)


def _stacks(pid: int, *, stop: bool) -> dict[int, Stack]:
    if not _runs_python(pid):
        return {}  # pystack knows no other programs
    os.environ.pop("DEBUGINFOD_URLS", None)  # elfutils would download symbols
    try:
        import logging  # noqa: PLC0415 - as pystack does

        from pystack.engine import NativeReportingMode, get_process_threads  # noqa: PLC0415 - 50 ms
    except ImportError as error:
        raise NoStacksError(f"pystack cannot be imported: {error}") from error
    mode = NativeReportingMode.ALL if stop else NativeReportingMode.OFF
    logging.disable()  # of what it logs it raises all that matters
    try:
        threads = list(get_process_threads(pid, stop_process=stop, native_mode=mode))
    except Exception as error:  # pystack raises more than its own errors
        raise NoStacksError(f"the stacks of process {pid}: {error}") from error
    finally:
        logging.disable(logging.NOTSET)
    return {
        thread.tid: Stack(native=tuple(_native(thread)), python=tuple(_python(thread))) for thread in threads
    }


def _runs_python(pid: int) -> bool:
    try:
        return Mappings(pid).has_python
    except OSError:
        return True  # pystack says better why it may not


def _native(thread: Any) -> Iterator[Frame]:
    for frame in reversed(thread.native_frames):
        function = "" if frame.symbol == _UNKNOWN else frame.symbol.removesuffix(_INLINED).partition("@@")[0]
        yield Frame(
            function=function, file=frame.path or "", line=max(0, frame.linenumber), library=frame.library
        )


def _python(thread: Any) -> Iterator[Frame]:
    for frame in reversed(list(thread.frames)):
        code = frame.code
        yield Frame(function=code.scope, file=code.filename, line=max(0, code.location.lineno))
