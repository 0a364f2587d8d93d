"""The words of the house as types: cells, probes, verdicts, records.

Frozen data, checked where it enters (``config``, ``records``) and trusted after.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from gilgrid.since.dataclasses import dataclass
from gilgrid.since.enum import StrEnum

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from gilgrid.evidence import Cause, Evidence


class Verdict(StrEnum):
    """What happened to one probe in one cell: a closed set."""

    OK = "ok"
    WRONG = "wrong"
    FAILED = "failed"
    CRASH = "crash"
    DEADLOCK = "deadlock"
    TIMEOUT = "timeout"
    FLAKY = "flaky"
    BUILD_FAILED = "build-failed"
    UNAVAILABLE = "unavailable"
    ERROR = "error"

    @property
    def is_hang(self) -> bool:
        """Whether it had to be ended, as it would not have ended by itself, or not in time."""
        return self in {Verdict.DEADLOCK, Verdict.TIMEOUT}

    @property
    def meaning(self) -> str:
        """One line for legends and documents."""
        return _MEANINGS[self]


_MEANINGS = {
    Verdict.OK: "finished, exit code 0, every check held",
    Verdict.WRONG: "finished, but a check of its result failed",
    Verdict.FAILED: "exited with another code, or raised",
    Verdict.CRASH: "killed by a signal that gilgrid did not send",
    Verdict.DEADLOCK: "proven: these threads can only be released by one another",
    Verdict.TIMEOUT: "the deadline passed and nothing was proven",
    Verdict.FLAKY: "its repeats disagree",
    Verdict.BUILD_FAILED: "the subject did not build",
    Verdict.UNAVAILABLE: "no such environment exists",
    Verdict.ERROR: "gilgrid itself failed",
}


class Stage(StrEnum):
    """When an axis is present: while the subject is built, while it runs, or both."""

    BUILD = "build"
    RUN = "run"


@dataclass(frozen=True, kw_only=True, order=True)
class Coordinate:
    """One axis of a cell: the version it is built with, and the one it runs with where that differs."""

    axis: str
    version: str
    run_version: str | None = None

    @property
    def at_run(self) -> str:
        """The version present while the probe runs."""
        return self.run_version or self.version

    def __str__(self) -> str:
        # A digit in the name would run into the version: pybind11_2.13.6.
        separator = "_" if any(character.isdigit() for character in self.axis) else ""
        run = f"-run{self.run_version}" if self.run_version else ""
        return f"{self.axis.replace('-', '_')}{separator}{self.version}{run}"


@dataclass(frozen=True, kw_only=True, order=True)
class Cell:
    """One version of each axis, and the Python: ``cp311-cython3.0.12-scipy1.10.1``.

    ``str`` and ``parse`` are each other's inverse and the only place that knows the form of the name.
    """

    python: str
    coordinates: tuple[Coordinate, ...]

    def __str__(self) -> str:
        return self._name

    @cached_property  # told, and looked up, far more often than made
    def _name(self) -> str:
        return "-".join([f"cp{self.python.replace('.', '')}", *map(str, self.coordinates)])

    @classmethod
    @cache  # a cell has ten records
    def parse(cls, text: str) -> Self:
        """Read a cell's name. Raises ``ValueError`` with the segment that is not one."""
        tag, *segments = text.split("-")
        python = re.fullmatch(r"cp(\d)(\d+)", tag)
        if not python:
            raise ValueError(f"'{text}' is no cell: '{tag}' should name a Python, as cp311 does")
        coordinates: list[Coordinate] = []
        for segment in segments:
            run = re.fullmatch(r"run(\d[^_]*)", segment)  # not run2_1.0: an axis named run2
            named = re.fullmatch(r"(\w*\d\w*)_(\d.*)", segment) or re.fullmatch(r"([a-z_]+)(\d.*)", segment)
            if run and coordinates and not coordinates[-1].run_version:
                last = coordinates.pop()
                coordinates.append(
                    Coordinate(axis=last.axis, version=last.version, run_version=run[1]),
                )
            elif named and not run:
                coordinates.append(Coordinate(axis=named[1].replace("_", "-"), version=named[2]))
            else:
                raise ValueError(f"'{text}' is no cell: '{segment}' should be an axis and its version")
        return cls(python=f"{python[1]}.{python[2]}", coordinates=tuple(coordinates))

    @property
    def is_crossed(self) -> bool:
        """Whether some axis runs with another version than it was built with."""
        return any(coordinate.run_version for coordinate in self.coordinates)

    def coordinate(self, axis: str) -> Coordinate | None:
        """The coordinate on that axis; ``None`` where the cell is projected away from it."""
        return next((c for c in self.coordinates if c.axis == axis), None)

    def projected(self, axes: tuple[str, ...]) -> Cell:
        """The cell as seen by a probe that depends on these axes only."""
        coordinates = tuple(c for c in self.coordinates if c.axis in axes)
        return self if coordinates == self.coordinates else Cell(python=self.python, coordinates=coordinates)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One command run in a cell's environment, under the guard."""

    name: str
    command: tuple[str, ...]
    axes: tuple[str, ...]
    subject: str = ""
    """The name of the subject that it runs with."""
    threads: int = 1
    deadline_s: float = 20.0
    repeats: int = 1
    env: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    """Files and folders that the command reads: a change to one of them asks for a new measurement."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check that a probe made of its own result."""

    name: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One run of a probe's command: a record has as many as the probe has repeats."""

    verdict: Verdict
    seconds: float
    cpu_seconds: float
    reason: str = ""
    """One line, for people: why the verdict is not ``ok``."""
    running: str = ""
    """What the command said it was doing when it was ended (a test's name, say)."""
    exit_code: int | None = None
    signal: int | None = None
    checks: tuple[Check, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    output: str = ""
    output_bytes: int = 0
    ended: tuple[str, ...] = ()
    """Processes that outlived the command, or the deadline, and that the guard ended."""
    evidence: Evidence | None = None
    """Of a hang: who waits for whom, and the frames that show it."""

    @property
    def cause(self) -> Cause | None:
        """Why it hung. No evidence, no cause."""
        return self.evidence.cause if self.evidence else None


@dataclass(frozen=True, kw_only=True)
class Record:
    """Everything known of one probe in one cell."""

    cell: Cell
    probe: str
    verdict: Verdict
    reason: str
    inputs: str
    """Digest of all that the verdict depends on; the same inputs are not measured again."""
    measured_at: str
    """UTC, ISO 8601."""
    seconds: float
    detail: str = ""
    """What does not fit a line: where gilgrid itself failed."""
    parameters: str = ""
    """Of a benchmark, what was chosen of its parameters."""
    attempts: tuple[Attempt, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    """What was really installed while it ran, by distribution."""
    build_key: str = ""
    build_versions: Mapping[str, str] = field(default_factory=dict)
    build_log: str = ""
    """Where the compiler's and Cython's output is kept."""
    build_seconds: float | None = None
    by_hand: str = ""
    """A shell command that does the same without a guard, for a debugger."""
    machine: Mapping[str, Any] = field(default_factory=dict)
    gilgrid: str = ""

    @property
    def counts(self) -> dict[Verdict, int]:
        """How often each verdict was seen among the repeats."""
        verdicts = [attempt.verdict for attempt in self.attempts]
        return {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}

    @property
    def machine_name(self) -> str:
        """The machine that it was measured on, for people."""
        of = self.machine
        cpu = of.get("cpu") or of.get("machine", "?")
        return f"{cpu}, {of.get('cpus', '?')} CPUs, {of.get('system', '?')} {of.get('release', '')}".rstrip()

    @property
    def cause(self) -> Cause | None:
        """Why it hung, where those repeats that hung agree on it."""
        causes = {attempt.cause for attempt in self.attempts if attempt.evidence}
        return causes.pop() if len(causes) == 1 else None


SETUP_CACHE = ".setup_cache"
"""How the name of a record ends that is of what asv runs before all benchmarks of a class."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A benchmark that did not end well."""

    commit: str
    environment: str
    """As asv names it: more than one may be of the same cell, with other environment variables."""
    record: Record


def disagreement(attempts: Sequence[Attempt]) -> str:
    """How often each verdict was seen among attempts that disagree, and why the first was not well."""
    counts = Counter(attempt.verdict for attempt in attempts)
    told = ", ".join(f"{count} x {verdict}" for verdict, count in counts.items())
    reasons = [attempt.reason for attempt in attempts if attempt.reason]
    return ": ".join([told, *reasons[:1]])


def agreed(verdicts: list[Verdict]) -> Verdict:
    """The verdict of several repeats: theirs where they agree; an error of gilgrid's is never outvoted."""
    distinct = set(verdicts)
    if Verdict.ERROR in distinct or not distinct:
        return Verdict.ERROR
    return distinct.pop() if len(distinct) == 1 else Verdict.FLAKY
