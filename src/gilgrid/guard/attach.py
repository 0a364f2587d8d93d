"""Judges a process that runs already, once, without ending it."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from gilgrid.guard.observe.sample import Sampler
from gilgrid.guard.prover import Prover
from gilgrid.guard.tree import look

if TYPE_CHECKING:
    from gilgrid.evidence import Evidence

_PATIENCE_S = 1.5


def examine(pid: int) -> Evidence | None:
    """What is seen of a process and all that descend from it; None where there is no such process.

    `detected_after` of the evidence is None where nothing is proven. Takes about a second where that is so.
    The process is only stopped, for some 0.1 s, where that shows why a thread holds the GIL and waits.
    """
    process = look(pid)
    if process is None or process.dead:
        return None
    with closing(Sampler(pid, included=True)) as sampler:
        prover = Prover(sampler, pid)
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            sampler.sample()
            evidence = prover.look() if sampler.is_worth_a_look else None
            if evidence is not None:
                return evidence
            time.sleep(max(0.0, sampler.next_sample - time.monotonic()))
        return prover.last_words(may_stop=False)
