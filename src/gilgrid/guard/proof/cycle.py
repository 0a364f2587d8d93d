"""Of all threads that are dead, the few that hold each other; pure."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from gilgrid.guard.proof.waits import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gilgrid.guard.proof.waits import Wait

# For whom it is known by name, and for whom only as one of many that could.
_PRECISE = frozenset({Kind.GIL, Kind.MUTEX, Kind.JOIN, Kind.BARRIER, Kind.INITIALISER, Kind.ONCE})
_COST_OF_ANY = 10
IDLE = 30
"""The cost of a thread that waits for work of its library: it holds nothing that others wait for."""


def cycle(
    waits: Mapping[int, Wait], dead: frozenset[int], starts: Iterable[int], cost_of: Callable[[int], int]
) -> tuple[int, ...]:
    """Threads each of which waits for the next, and the last for the first; the most telling one there is.

    Through the first of `starts` that is in a cycle. A thread that nobody can release, or that only itself
    could, is a cycle of its own. The less a thread tells, the higher is `cost_of` it.
    """

    def cost(tid: int, other: int) -> int:
        return cost_of(other) * (1 if waits[tid].kind in _PRECISE else _COST_OF_ANY)

    for start in starts:
        if start not in dead:
            continue
        released_by = waits[start].released_by
        if not released_by or start in released_by:
            return (start,)
        if waits[start].kind not in _PRECISE and all(cost_of(tid) >= IDLE for tid in released_by & dead):
            return (start,)
        found = _shortest(waits, dead, start, cost)
        if found:
            return found
    return ()


def _shortest(
    waits: Mapping[int, Wait], dead: frozenset[int], start: int, cost: Callable[[int, int], int]
) -> tuple[int, ...]:
    """The cheapest way from `start` back to it (Dijkstra)."""
    queue: list[tuple[int, tuple[int, ...]]] = [(0, (start,))]
    seen: set[int] = set()
    while queue:
        spent, way = heapq.heappop(queue)
        here = way[-1]
        if here == start and len(way) > 1:
            return way[:-1]
        if here in seen:
            continue
        seen.add(here)
        for other in sorted(waits[here].released_by & dead):
            if other not in seen or other == start:
                heapq.heappush(queue, (spent + cost(here, other), (*way, other)))
    return ()
