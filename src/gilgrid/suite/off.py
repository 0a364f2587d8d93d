"""What switches ``--gilgrid`` off: somebody talks with the tests, or nothing can be done for them."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any


class _Taken:
    by = 0


def take() -> None:
    """From now on this process is one of a suite; its forks are not."""
    _Taken.by = os.getpid()


def why_off(options: Any) -> str:
    """What the user has asked for that leaves nothing to judge, in a few words; empty where nothing does."""
    if _Taken.by == os.getpid():
        return "it is at work in this process already"  # a test runs another suite within it
    if options.capture == "no":
        return "-s lets tests talk with you"
    if options.usepdb or options.trace:
        return "--pdb and --trace let you talk with tests"
    if options.collectonly or getattr(options, "help", False) or getattr(options, "version", 0):
        return "no test is run"
    return "a debugger is at work" if _is_debugged() else ""


def why_impossible() -> str:
    """The same, of what the user may not know of."""
    if sys.platform != "linux":
        return "it needs Linux"
    # A fork has none of the other threads. Those of native libraries, as BLAS has, start again when needed.
    threads = threading.active_count()
    return f"{threads} threads run in this process before its tests do" if threads > 1 else ""


def _is_debugged() -> bool:
    trace = sys.gettrace()
    module = getattr(trace, "__module__", None) or type(trace).__module__
    if trace is not None and module.partition(".")[0] != "coverage":
        return True
    monitoring = getattr(sys, "monitoring", None)  # PEP 669, of Python 3.12
    if monitoring is not None and monitoring.get_tool(monitoring.DEBUGGER_ID) is not None:
        return True
    return sys.platform == "linux" and _is_traced()


def _is_traced() -> bool:
    """Whether gdb, say, has this process under its control: ptrace(2) is for one at a time."""
    with open("/proc/self/status", encoding="utf-8", errors="replace") as status:  # noqa: PTH123 - as fast
        return any(row.startswith("TracerPid:") and row.split()[1] != "0" for row in status)
