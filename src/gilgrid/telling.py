"""What a hang comes down to: the telling frame of each stack, and one line of all. Pure.

The line has no ids and no times: the same hang is told with the same line in every run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gilgrid.advice import ADVICE
from gilgrid.evidence import Cause
from gilgrid.printable import line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gilgrid.evidence import Evidence, Frame, Waiter

UNNAMED = "threads that can only be released by one another"
_STANDARD_LIBRARY = re.compile(r"^<frozen |/lib(64)?/python3\.\d+/(?!(site|dist)-packages/)")
# Of these, the frame above says more: they are how any thread waits.
_RUNTIME_LIBRARY = re.compile(r"(lib(c|pthread|gomp|omp|iomp5|stdc\+\+|python3)|ld-linux|python[\d.]*$)\b")
_RUNTIME_FUNCTION = re.compile(
    r"_*(Py[A-Z_]|Pyx_|pthread_|lll_|futex|GOMP_|gomp_|omp_|kmpc?_|take_gil|syscall|clone|start_thread)"
    r"|(\w+ )?(std|pybind11)::"
)
_LONGEST_NAME = 60
_NAMES = 3


def sentence(evidence: Evidence) -> str:
    """One line: the cause, and who waits for whom, by the names of functions."""
    if not evidence.cause:
        return _joined(UNNAMED, _together(evidence))
    clauses = {Cause.SPINNING: _spins, Cause.GIL_HELD_BY_WAITER: _alone, Cause.SELF_DEADLOCK: _alone}
    clause = clauses.get(evidence.cause, _held if evidence.cause.startswith("gil-vs-") else _together)
    return _joined(ADVICE[evidence.cause].title, clause(evidence))


def telling(waiter: Waiter) -> Frame | None:
    """The frame that tells most of where a thread is: its own program's, not that of what it waits with."""
    own = (frame for frame in waiter.python if not _STANDARD_LIBRARY.search(str(frame.file)))
    native = (frame for frame in waiter.native if frame.function and not is_runtime(frame))
    # Without a Python frame of its own, what native code it is in says more than threading.py.
    return next((frame for frames in (own, native, waiter.python, waiter.native) for frame in frames), None)


def is_runtime(frame: Frame) -> bool:
    """Whether a native frame is of what every program waits with: the C library, OpenMP, the interpreter."""
    library = str(frame.library).rpartition("/")[2]
    return bool(_RUNTIME_LIBRARY.match(library) or _RUNTIME_FUNCTION.match(str(frame.function)))


def source(frame: Frame) -> str:
    """The source file of a frame, where it is known: without debug information a library stands in for it."""
    return "" if frame.file in {"???", frame.library} else line(frame.file)


def name(function: str) -> str:
    """A function's name without its arguments: C++ writes them, and those of its templates, in full."""
    plain = bare = line(function) or "?"
    if "(" in plain or "::" in plain:  # not Python's <module> and f.<locals>.g
        while (without := re.sub(r"(?<!operator)<[^<>]*>", "", bare)) != bare:
            bare = without
        bare = (
            re.sub(r"^\w+ (?=[\w:~]+$)", "", re.sub(r"(?<=\w)\(.*$", "", bare)) or plain
        )  # no void before it
    return bare if len(bare) <= _LONGEST_NAME else f"...{bare[3 - _LONGEST_NAME :]}"


def _held(evidence: Evidence) -> str:
    holder = next((waiter for waiter in evidence.threads if waiter.holds_gil), None)
    waiting = [w for w in evidence.threads if waits_for_gil(w) and not w.holds_gil]
    of_cycle = [waiter for waiter in waiting if waiter.tid in evidence.cycle] or waiting
    if not holder:
        return _together(evidence)
    waiters = f", {min(map(_who, of_cycle))} waits for it" if of_cycle else ""
    return f"{_who(holder)} holds the GIL{waiters}"


def waits_for_gil(waiter: Waiter) -> bool:
    """Whether a thread waits for the GIL."""
    return "GIL" in str(waiter.waits_for)


def runs(waiter: Waiter) -> bool:
    """Whether a thread waits for nothing."""
    return not waiter.waits_for or "it runs" in str(waiter.waits_for)


def _alone(evidence: Evidence) -> str:
    return next((_who(waiter) for waiter in _chosen(evidence)), "")


def _spins(evidence: Evidence) -> str:
    # A thread that waits is listed beside those that spin.
    spinning = list(filter(runs, evidence.threads)) or evidence.threads
    return _listed(_distinct(spinning))


def _together(evidence: Evidence) -> str:
    chosen = _chosen(evidence)
    names = _distinct(chosen)
    if len(chosen) > 1 and len(names) == 1:
        return f"threads in {names[0]} wait for each other"
    if not evidence.cycle or len(chosen) <= 1:
        return f"{_listed(names)} {'waits' if len(names) == 1 else 'wait'}" if names else ""
    return f"{_listed(names)} wait for {'each other' if len(names) == 2 else 'one another'}"  # noqa: PLR2004 - two are each other


def _chosen(evidence: Evidence) -> Sequence[Waiter]:
    return [waiter for waiter in evidence.threads if waiter.tid in evidence.cycle] or evidence.threads


def _distinct(waiters: Iterable[Waiter]) -> list[str]:
    # Which thread of a cycle was seen first is chance: the main thread leads, then the alphabet.
    ordered = sorted(waiters, key=lambda waiter: (not waiter.is_main, _who(waiter)))
    return list(dict.fromkeys(map(_who, ordered)))


def _listed(names: list[str]) -> str:
    if len(names) > _NAMES:
        return f"{', '.join(names[: _NAMES - 1])} and others"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _who(waiter: Waiter) -> str:
    frame = telling(waiter)
    if not frame:
        process = line(waiter.process)[:_LONGEST_NAME]
        return f"process {process}" if waiter.is_main else f"a thread of {process}"
    file = source(frame).rpartition("/")[2]
    where = f"{file}:{frame.line}" if file and frame.line else file
    if not frame.function and frame.library:
        return f"code of {line(frame.library).rpartition('/')[2]}"
    return f"{name(frame.function)} ({where})" if where else name(frame.function)


def _joined(title: str, clause: str) -> str:
    return f"{title}: {clause}" if clause else title
