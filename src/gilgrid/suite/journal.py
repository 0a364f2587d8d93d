"""What of a suite has ended, in a file that outlives the process that ran it and has no name on any disk."""

from __future__ import annotations

import os
import pickle
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


_PICKLED = b"p"
_PASSED = struct.Struct("=ciiddd")
_PACK = _PASSED.pack


@dataclass
class Found:
    """How something of a suite ended that did not end by itself."""

    stage: int
    item: int
    phase: int
    verdict: str
    reason: str
    """One line."""
    told: str
    """All that is known, for people."""
    seconds: float
    collecting: str = ""
    """The id of what was being collected."""
    out: str = ""
    err: str = ""
    """What it had printed by then, where pytest had captured it."""


@dataclass
class Past:
    """What earlier processes of this run have left: what has ended, in this order."""

    order: list[str] | None = None
    """The ids of all tests."""
    reports: dict[int, list[Any]] = field(default_factory=dict)
    """Of each test that has begun, by its place: what pytest says of a phase, or a `Passed`."""
    warnings: list[Any] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    clocks: dict[str, Any] = field(default_factory=dict)
    """When the session began, in pytest's own terms."""
    collecting: str = ""


class Passed(NamedTuple):
    """A phase of a test that passed and left nothing else to be told."""

    phase: int
    start: float
    stop: float
    duration: float


class Journal:
    """Entries are pickled: who writes and who reads them are forks of one process.

    But for those that there are most of: to pickle a report takes 15 microseconds, to pack what is new in it
    takes one.
    """

    def __init__(self) -> None:
        self._file = os.memfd_create("gilgrid-journal", os.MFD_CLOEXEC)

    def write(self, kind: str, *content: Any) -> None:
        """Add an entry. Raises what pickle does where the content is nothing that can be kept."""
        os.write(self._file, _PICKLED + pickle.dumps((kind, content), 5))

    def write_passed(self, place: int, passed: Passed) -> None:
        """Add that a phase of a test has passed."""
        os.write(self._file, _PACK(b"=", place, *passed))

    def past(self) -> Past:
        """All that has been written so far."""
        past = Past()
        for kind, content in self._entries():
            if kind == "order":
                (past.order,) = content
            elif kind == "report":
                place, report = content
                past.reports.setdefault(place, []).append(report)
            elif kind == "warning":
                past.warnings.append(content)
            elif kind == "found":
                past.found += content
            elif kind == "clocks":
                (past.clocks,) = content
            elif kind == "collecting":
                (past.collecting,) = content
        return past

    def _entries(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        with os.fdopen(os.open(f"/proc/self/fd/{self._file}", os.O_RDONLY | os.O_CLOEXEC), "rb") as file:
            while kind := file.read(1):
                try:
                    if kind == _PICKLED:
                        yield pickle.load(file)  # noqa: S301 - our own
                    else:
                        _, place, *passed = _PASSED.unpack(kind + file.read(_PASSED.size - 1))
                        yield "report", (place, Passed(*passed))
                except (EOFError, pickle.UnpicklingError, struct.error):  # cut off by a kill
                    return
