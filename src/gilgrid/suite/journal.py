"""What of a suite has ended, in a file that outlives the process that ran it and has no name on any disk."""

from __future__ import annotations

import os
import pickle
import struct
from dataclasses import field, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from gilgrid.since.dataclasses import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilgrid.model import Verdict
    from gilgrid.suite.stages import Stage

_LENGTH = struct.Struct("=cI")
_PICKLED, _PACKED = b"p", b"="
_PASSED = struct.Struct("=cii3d")


@dataclass(frozen=True, kw_only=True)
class Found:
    """How something of a suite ended that did not end by itself."""

    stage: Stage
    item: int
    phase: int
    verdict: Verdict
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

    @property
    def place(self) -> tuple[object, ...]:
        """Equal for two that hung at the same."""
        return self.stage, self.item, self.phase, self.collecting

    @property
    def sentence(self) -> str:
        """Of what is no test."""
        where = f"{self.stage.name_for_people} {self.collecting}".rstrip()
        return f"{self.verdict} while {where}: {self.reason}"


@dataclass(kw_only=True)
class Past:
    """What earlier processes of this run have left: what has ended, in this order."""

    order: list[str] = field(default_factory=list)
    """The ids of all tests; the place of a test is its place in this list."""
    reports: dict[int, list[Any]] = field(default_factory=dict)
    """Of each test that has begun, by its place: a phase as `plain.of_report` has it, or a `Passed`."""
    warnings: list[Any] = field(default_factory=list)
    """As `plain.of_warning` has them."""
    found: list[Found] = field(default_factory=list)
    clocks: dict[str, Any] = field(default_factory=dict)
    """When the session began, in pytest's own terms."""
    properties: list[Any] = field(default_factory=list)
    """What the JUnit file says of the suite as a whole."""
    collecting: str = ""
    interrupted_by: int = 0
    """The signal of Ctrl-C, where the process that hung could not answer it."""


class Passed(NamedTuple):
    """A phase of a test that passed and left nothing else to be told."""

    phase: int
    start: float
    stop: float
    duration: float


_LATEST = {one.name for one in fields(Past) if one.name not in {"reports", "warnings", "found"}}


class Journal:
    """What is written is plain data: who reads it need not have imported what tests define.

    Most entries are phases that passed: to pickle a report takes 15 microseconds, to pack what is new in it
    takes one. What cannot be written, for want of memory or past a limit on file sizes, is not there: after a
    hang that test is run once more.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._write = os.write  # a test may replace it
        self._dumps = pickle.dumps

    def write(self, kind: str, *content: Any) -> None:
        """Add an entry: a field of `Past` and what that is now, or, of those with several, one more."""
        pickled = self._dumps((kind, content), 5)
        self.add(_LENGTH.pack(_PICKLED, len(pickled)) + pickled)

    @staticmethod
    def entry(place: int, phase: int, start: float, stop: float, duration: float) -> bytes:
        """That a phase of a test has passed, to be added."""
        return _PASSED.pack(_PACKED, place, phase, start, stop, duration)

    def add(self, entry: bytes) -> None:
        """Add one, or several."""
        try:
            written = self._write(self._file, entry)
        except OSError:
            return
        if written != len(entry):
            self._cut(os.lseek(self._file, -written, os.SEEK_CUR))

    def past(self) -> Past:
        """All that has been written so far."""
        past = Past()
        for kind, content in self._entries():
            if kind in _LATEST:
                (value,) = content
                setattr(past, kind, value)
            elif kind == "reports":
                place, report = content
                past.reports.setdefault(place, []).append(report)
            elif kind == "warnings":
                past.warnings.append(content)
            elif kind == "found":
                past.found += content
        return past

    def _entries(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        at = 0
        with os.fdopen(os.open(f"/proc/self/fd/{self._file}", os.O_RDONLY | os.O_CLOEXEC), "rb") as file:
            while head := file.read(_LENGTH.size):
                try:
                    if head[:1] == _PICKLED:
                        entry = pickle.loads(file.read(_LENGTH.unpack(head)[1]))  # noqa: S301 - our own
                    else:
                        _, place, *passed = _PASSED.unpack(head + file.read(_PASSED.size - len(head)))
                        entry = "reports", (place, Passed(*passed))
                except (EOFError, pickle.UnpicklingError, struct.error):  # cut off by a kill
                    self._cut(at)
                    return
                yield entry
                at = file.tell()

    def _cut(self, end: int) -> None:
        """Go on writing there."""
        os.ftruncate(self._file, end)
        os.lseek(self._file, end, os.SEEK_SET)
