"""What of a suite has ended, in memory that outlives the process that ran it."""

from __future__ import annotations

import os
import pickle
import struct
from dataclasses import field, fields
from mmap import mmap
from typing import TYPE_CHECKING, Any, NamedTuple

from gilgrid.since.dataclasses import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilgrid.model import Verdict
    from gilgrid.suite.stages import Stage

_PICKLED, _PACKED = b"p", b"="
_HEAD = struct.Struct("=cI")
"""Of an entry that is pickled, with its length."""
_PASSED = struct.Struct("=cii3d")
_START = struct.calcsize("Q")
_FIRST_BYTES = 1 << 16


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
    """The memory of a file.

    What is written is plain data: who reads it need not have imported what tests define. It begins with where
    it ends: an entry is there once that says so, whenever its writer is ended. Most are phases that passed:
    to pickle a report takes 15 microseconds, to pack what is new in it takes one. What cannot be written, for
    want of memory or past a limit on file sizes, is not there: after a hang that test is run once more.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._dumps, self._allocate = pickle.dumps, os.posix_fallocate  # a test may replace them
        self._allocate(file, 0, _FIRST_BYTES)
        self._map(_FIRST_BYTES)
        self._end[0] = _START

    def _map(self, size: int) -> None:
        self._memory = mmap(self._file, size)
        self._end = memoryview(self._memory)[:_START].cast("Q")

    def write(self, kind: str, *content: Any) -> None:
        """Add an entry: a field of `Past` and what that is now, or, of those with several, one more."""
        pickled = self._dumps((kind, content), 5)
        entry = _HEAD.pack(_PICKLED, len(pickled)) + pickled
        start = self._end[0]
        end = start + len(entry)
        if end <= len(self._memory) or self._grow(end):
            self._memory[start:end] = entry
            self._end[0] = end

    def write_passed(self, place: int, phase: int, start: float, stop: float, duration: float) -> None:
        """Add that a phase of a test has passed."""
        at = self._end[0]
        end = at + _PASSED.size
        if end <= len(self._memory) or self._grow(end):
            _PASSED.pack_into(self._memory, at, _PACKED, place, phase, start, stop, duration)
            self._end[0] = end

    def _grow(self, end: int) -> bool:
        """Whether there is room for so much now."""
        size = 2 * max(end, len(self._memory))
        try:
            self._allocate(self._file, 0, size)  # what is not there when it is written to is a SIGBUS
            self._map(size)
        except (OSError, ValueError):
            return False
        return True

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
        self._map(os.fstat(self._file).st_size)  # another process may have needed more
        at = _START
        while at < self._end[0]:
            try:
                end, entry = self._read(at)
            except Exception:  # noqa: BLE001 - what crashed may have written over it before, and anything there
                self._end[0] = at
                return
            yield entry
            at = end

    def _read(self, at: int) -> tuple[int, tuple[str, tuple[Any, ...]]]:
        """Where the entry there ends, and what it says."""
        kind = self._memory[at : at + 1]
        if kind == _PACKED:
            _, place, *passed = _PASSED.unpack_from(self._memory, at)
            return at + _PASSED.size, ("reports", (place, Passed(*passed)))
        if kind != _PICKLED:
            raise ValueError(kind)
        start = at + _HEAD.size
        end = start + _HEAD.unpack_from(self._memory, at)[1]
        return end, pickle.loads(self._memory[start:end])  # noqa: S301 - our own
