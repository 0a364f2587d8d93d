"""Who can never run again: the greatest set of threads that only the set itself could release; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilgrid.guard.proof.picture import Channel
from gilgrid.guard.proof.waits import ACTIVE, TIMERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gilgrid.guard.proof.picture import Picture, Process
    from gilgrid.guard.proof.waits import Wait


def dead(waits: Mapping[int, Wait]) -> frozenset[int]:
    """The greatest fixed point: suppose everybody dead, and take out whom somebody alive can release."""
    silent = idle(waits)
    found = {tid for tid, wait in waits.items() if not wait.is_alive and wait.signalled_by <= silent}
    return _unreleased(waits, found)


def idle(waits: Mapping[int, Wait]) -> frozenset[int]:
    """Who has no time limit, and waits for nobody who has one or runs: only from outside could they wake."""
    found = {tid for tid, wait in waits.items() if wait.kind not in ACTIVE}
    while True:
        fewer = _unreleased(waits, {tid for tid in found if waits[tid].signalled_by <= found})
        if fewer == found:
            return fewer
        found = set(fewer)


def _unreleased(waits: Mapping[int, Wait], found: set[int]) -> frozenset[int]:
    while released := {tid for tid in found if not waits[tid].released_by <= found}:
        found -= released
    return frozenset(found)


def lost(picture: Picture, found: frozenset[int]) -> list[Process]:
    """The processes that are lost: the main thread is dead, or a thread that holds a GIL that others want.

    None where the picture is not complete: who is missing could release anybody.
    """
    if not picture.is_complete:
        return []
    holders = {gil.holder for gil in picture.gils()}
    return [
        process
        for process in picture.processes.values()
        if process.pid in found or not found.isdisjoint(holders & process.tids)
    ]


def is_deadlock(picture: Picture, waits: Mapping[int, Wait], found: frozenset[int]) -> bool:
    """Whether the command is lost: it is itself, or some process of it is and all others are at rest.

    One that works, or waits for some time only, may be about to end a hung process, and to go on without it.
    So may a server that waits for its clients.
    """
    gone = {process.pid for process in lost(picture, found)}
    if not gone or picture.root in gone:
        return bool(gone)
    silent = idle(waits)
    return all(_is_at_rest(other, silent) for pid, other in picture.processes.items() if pid not in gone)


def _is_at_rest(process: Process, silent: frozenset[int]) -> bool:
    files = process.files.values()
    has_timers = process.has_timers or any(file.channel is Channel.TIMER for file in files)
    serves = any(file.channel is Channel.OTHER and file.identity.startswith("socket:") for file in files)
    return process.tids <= silent and not has_timers and not serves and not process.handled & TIMERS
