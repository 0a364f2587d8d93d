"""The guard beside a process that does one thing after another, as pytest does: it judges what has begun."""

from __future__ import annotations

import math
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gilgrid.evidence import Evidence
    from gilgrid.guard.lookout import Lookout
    from gilgrid.guard.marks import Mark, Marks

_YOUNG_S = 0.2  # what has begun so recently is left alone
_IDLE_S = 0.1  # so often it is looked for something that has begun
_AFTER_A_FAILURE_S = 1.0


class Hang:
    """What a process hung in, and what was seen then: a proof, or what its threads were at the deadline."""

    __slots__ = ("evidence", "mark", "seconds")

    def __init__(self, mark: Mark, evidence: Evidence) -> None:
        self.mark = mark
        self.evidence = evidence
        self.seconds = time.monotonic() - mark.since


class Sidecar:
    """Call `look` again after `patience_s`. Where nothing takes long it costs 10 microseconds each time."""

    def __init__(self, pid: int, marks: Marks, bystanders: frozenset[int] = frozenset()) -> None:
        self._pid = pid
        self._marks = marks
        self._bystanders = bystanders
        self._lookout: Lookout | None = None
        self._at: Mark | None = None
        self._next = 0.0

    @property
    def patience_s(self) -> float:
        """Until when there is nothing to be done."""
        return max(0.0, self._next - time.monotonic())

    def look(self) -> Hang | None:
        """The hang that is proven, or at its deadline."""
        now = time.monotonic()
        mark = self._marks.read()
        self._next = now + _IDLE_S
        if not mark.stage or now < mark.since + _YOUNG_S:
            return None
        try:
            evidence = self._evidence(mark)
        except OSError:  # a machine that is out of files or memory; what it looks at is none the worse
            self._next = now + _AFTER_A_FAILURE_S
            return None
        # What began meanwhile is not to blame for what was seen of the one before.
        return Hang(mark, evidence) if evidence and self._marks.read() == mark else None

    def _evidence(self, mark: Mark) -> Evidence | None:
        lookout = self._begun_lookout()
        if mark != self._at:
            self._at = mark
            lookout.begin()
        if time.monotonic() >= mark.until:
            return lookout.last_words()
        evidence = lookout.look()
        self._next = min(lookout.next, mark.until if mark.until > time.monotonic() else math.inf)
        return evidence

    def _begun_lookout(self) -> Lookout:
        if self._lookout is None:
            from gilgrid.guard.lookout import Lookout  # noqa: PLC0415 - most suites never need it
            from gilgrid.guard.observe.sample import Sampler  # noqa: PLC0415 - as above

            self._lookout = Lookout(Sampler(self._pid, included=True))
            self._lookout.command = self._pid
            self._lookout.bystanders = self._bystanders
        return self._lookout
