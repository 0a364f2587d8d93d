"""Who can never run again: the greatest set of threads that only the set itself could release; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilgrid.guard.waits import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gilgrid.guard.picture import Picture, Process
    from gilgrid.guard.waits import Wait

# What waits like this has no time limit of its own, and was left alone for as long as it was watched.
_IDLE = frozenset({Kind.OUTSIDE})


def dead(waits: Mapping[int, Wait]) -> frozenset[int]:
    """The greatest fixed point: suppose that everybody is dead, and take out whom somebody alive can release."""
    found = {tid for tid, wait in waits.items() if not wait.is_alive}
    while released := {tid for tid in found if not _stays_dead(waits[tid], found)}:
        found -= released
    return frozenset(found)


def _stays_dead(wait: Wait, found: set[int]) -> bool:
    if wait.needs_each:
        return not wait.released_by.isdisjoint(found)
    return wait.released_by <= found


def lost(picture: Picture, waits: Mapping[int, Wait], found: frozenset[int]) -> list[Process]:
    """The processes that are lost: the main thread, or a thread that holds a GIL that others want, is dead."""
    holders = {
        thread.call.futex.gil.holder
        for _, thread in picture.threads()
        if thread.call and thread.call.futex and thread.call.futex.gil
    }
    return [
        process
        for process in picture.processes.values()
        if process.pid in found or not found.isdisjoint(holders & process.tids)
    ]


def is_deadlock(picture: Picture, waits: Mapping[int, Wait], found: frozenset[int]) -> bool:
    """Whether the command is lost: a process is, and whoever started it does nothing but wait.

    A parent that works, or waits for some time only, may be about to end its child and go on without it.
    """
    gone = {process.pid for process in lost(picture, waits, found)}
    return any(_waited_for(picture, waits, found, pid, gone) for pid in gone)


def _waited_for(
    picture: Picture, waits: Mapping[int, Wait], found: frozenset[int], pid: int, gone: set[int]
) -> bool:
    above = {picture.root}
    process = picture.processes.get(pid)
    while process is not None and process.pid != picture.root:
        process = picture.processes.get(process.parent)
        if process is not None:
            above.add(process.pid)
    return all(
        other in gone or _is_idle(picture.processes[other], waits, found)
        for other in above
        if other in picture.processes
    )


def _is_idle(process: Process, waits: Mapping[int, Wait], found: frozenset[int]) -> bool:
    if process.has_timers or any(file.channel == "timer" for file in process.files.values()):
        return False
    return all(tid in found or waits[tid].kind in _IDLE for tid in process.tids)
