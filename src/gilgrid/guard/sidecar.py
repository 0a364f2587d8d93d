"""The guard beside a process that does one thing after another, as pytest does: it judges what has begun."""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from contextlib import suppress

from gilgrid.guard.tree import look

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gilgrid.evidence import Evidence
    from gilgrid.guard.lookout import Lookout
    from gilgrid.guard.marks import Mark, Marks

_YOUNG_S = 0.2  # what has begun so recently is left alone
_IDLE_S = 0.1  # so often it is looked for something that has begun
_LONG_S = 1.0  # whoever works is left alone for so long: to begin to look takes 30 ms
_WORKS_SHARE = 0.1  # of one CPU
_AFTER_A_FAILURE_S = 1.0
_SOON_S = 1.0  # before a deadline
_STOPPED_S = 1.0  # so long it may take to stop: a system call that cannot be interrupted is finished first
_PAUSE_S = 0.001


class Hang:
    """What a process hung in, and what was seen then: a proof, or what its threads were at the deadline."""

    __slots__ = ("evidence", "mark", "seconds")

    def __init__(self, mark: Mark, evidence: Evidence) -> None:
        self.mark = mark
        self.evidence = evidence
        self.seconds = time.monotonic() - mark.since


class Sidecar:
    """Call `look` again after `patience_s`. Where nothing takes long it costs 10 microseconds each time.

    `bystanders` are those of `Prover`; more of them may be told later.
    """

    def __init__(self, pid: int, marks: Marks, bystanders: Iterable[int] = ()) -> None:
        self.bystanders = set(bystanders)
        self._pid = pid
        self._marks = marks
        self._lookout: Lookout | None = None
        self._at: Mark | None = None
        self._used = (time.monotonic(), 0.0)
        self._next = 0.0
        self._has_failed = False
        self._is_prepared = False

    @property
    def patience_s(self) -> float:
        """Until when there is nothing to be done."""
        return max(0.0, self._next - time.monotonic())

    def look(self) -> Hang | None:
        """The hang that is proven, or at its deadline. The process is stopped then, and is to be ended."""
        now = time.monotonic()
        mark = self._marks.read()
        self._next = now + _IDLE_S
        works = self._works(now) and now < mark.until - _SOON_S
        if not mark.stage or now < mark.since + (_LONG_S if works else _YOUNG_S):
            return None
        try:
            evidence = self._evidence(mark)
        except Exception as error:  # noqa: BLE001 - out of files or memory; what it looks at is none the worse
            evidence = self._failed(mark, error)
        return Hang(mark, evidence) if evidence and self._stop_at(mark) else None

    def _works(self, now: float) -> bool:
        """Whether it has used a CPU since the last look."""
        try:
            used_s = time.clock_gettime(_cpu_clock(self._pid))
        except OSError:  # it has ended
            return False
        before, self._used = self._used, (now, used_s)
        return used_s - before[1] > _WORKS_SHARE * (now - before[0])

    def _evidence(self, mark: Mark) -> Evidence | None:
        lookout = self._begun_lookout()
        if mark != self._at:
            self._at = mark
            lookout.begin()
        if time.monotonic() >= mark.until:
            return lookout.last_words()
        if time.monotonic() >= mark.until - _SOON_S and not self._is_prepared:
            self._is_prepared = True
            lookout.prepare()
        evidence = lookout.look()
        self._next = min(lookout.next, mark.until if mark.until > time.monotonic() else math.inf)
        return evidence

    def _failed(self, mark: Mark, error: Exception) -> Evidence | None:
        """What remains: at the deadline, that it has come."""
        from gilgrid.evidence import Evidence  # noqa: PLC0415 - most suites never need it

        self._next = time.monotonic() + _AFTER_A_FAILURE_S
        if not self._has_failed:
            self._has_failed = True
            sys.stderr.write(f"\ngilgrid: what hangs cannot be looked at: {error!r}\n")
        return Evidence(not_permitted=str(error)) if time.monotonic() >= mark.until else None

    def _stop_at(self, mark: Mark) -> bool:
        """Stop it; whether it is still at that. What began meanwhile is not to blame for what was seen."""
        try:
            os.kill(self._pid, signal.SIGSTOP)
        except ProcessLookupError:
            return False
        until = time.monotonic() + _STOPPED_S
        while (process := look(self._pid)) and not process.stopped and time.monotonic() < until:
            time.sleep(_PAUSE_S)
        if process and not process.dead and self._marks.read() == mark:
            return True
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGCONT)
        return False

    def _begun_lookout(self) -> Lookout:
        if self._lookout is None:
            from gilgrid.guard.lookout import Lookout  # noqa: PLC0415 - most suites never need it
            from gilgrid.guard.observe.sample import Sampler  # noqa: PLC0415 - as above

            self._lookout = Lookout(Sampler(self._pid, included=True))
            self._lookout.command = self._pid
            self._lookout.bystanders = self.bystanders
        return self._lookout


def _cpu_clock(pid: int) -> int:
    """The clock of all CPU time of a process, as clock_getcpuclockid(3) makes it."""
    return ~pid << 3 | 2
