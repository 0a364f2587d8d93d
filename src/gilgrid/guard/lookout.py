"""When to look at a tree that is sampled: only where it seems stuck, and now and then in any case."""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gilgrid.evidence import Evidence
    from gilgrid.guard.observe.sample import Sampler
    from gilgrid.guard.prover import Prover

_LOOK_ANYWAY_S = 5.0  # two threads may hold each other while others keep the CPUs busy


class Lookout:
    """Samples the tree of a command, and has the prover look where that is worth it.

    `packages` is the folder that pystack is in, where this process does not find it by itself.
    """

    def __init__(
        self, sampler: Sampler, packages: bytes = b"", on_suspicion: Callable[[], None] | None = None
    ) -> None:
        self._sampler = sampler
        self._packages = packages
        self._on_suspicion = on_suspicion
        self._prover: Prover | None = None
        self._look_anyway = 0.0
        self.command = 0  # its pid
        self.bystanders: set[int] = set()

    @property
    def looks(self) -> int:
        """How often it has tried to prove something."""
        return self._prover.looks if self._prover else 0

    @property
    def stops(self) -> int:
        """How often it has stopped a process for that."""
        return self._prover.stops if self._prover else 0

    @property
    def next(self) -> float:
        """When to look again, as `time.monotonic` has it."""
        return self._sampler.next_sample

    def begin(self) -> None:
        """From now on something else runs: it has its time before it is looked at in any case."""
        self._look_anyway = time.monotonic() + _LOOK_ANYWAY_S

    def look(self) -> Evidence | None:
        """Take a sample; the evidence of a deadlock, where there is one. Raises `OSError`."""
        self._sampler.sample()
        # To import the prover takes 30 ms, which no short program shall pay for that keeps its CPUs busy.
        if self._prover is None and self._sampler.may_be_worth_a_look_soon:
            self._begun_prover()
        if time.monotonic() < self._look_anyway and not self._sampler.is_worth_a_look:
            return None
        self.begin()
        return self._begun_prover().look()

    def prepare(self) -> None:
        """Be ready for that: it will soon be too late to import what it takes."""
        self._begun_prover().prepare()

    def last_words(self) -> Evidence:
        """What is proven at the deadline, or what the threads are at."""
        return self._begun_prover().last_words()

    def _begun_prover(self) -> Prover:
        if self._prover is None:
            from gilgrid.guard.prover import Prover  # noqa: PLC0415 - see `look`

            if self._packages:
                sys.path.append(os.fsdecode(self._packages))
            self._prover = Prover(self._sampler, self.command, self._on_suspicion, self.bystanders)
        return self._prover
