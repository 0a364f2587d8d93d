"""What was proven, for people: the threads that hold each other, and what of their stacks tells; pure."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from gilgrid.evidence import Cause, Evidence, Waiter
from gilgrid.guard.proof.cause import cause, members
from gilgrid.guard.proof.cycle import cycle
from gilgrid.guard.proof.fixed_point import dead as proven_dead
from gilgrid.guard.proof.stack import Stack, is_system
from gilgrid.guard.proof.waits import waits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from gilgrid.evidence import Frame
    from gilgrid.guard.proof.picture import Picture, Process, Thread
    from gilgrid.guard.proof.waits import Stacks, Wait

_MOST_THREADS = 12
_MOST_FRAMES = 8
# Frames of the interpreter that tell: the ways into its locks. All others are how Python calls Python.
_TELLING = re.compile(
    r"take_gil|PyGILState_Ensure|PyEval_(RestoreThread|AcquireThread|AcquireLock)|PyThread_acquire_lock|acquire_timed"
    r"|Py_FinalizeEx|wait_for_thread_shutdown|_PyMutex_Lock|PyImport_"
)
_INTERPRETER = re.compile(r"libpython\d|python\d?[\d.]*$")


def explain(
    picture: Picture, dead: frozenset[int], stacks: Stacks, *, detected_after: float, not_permitted: str
) -> Evidence:
    """The evidence for threads that are proven dead; `stacks` may be of some threads only."""
    told = waits(picture, stacks)
    # Stacks narrow down who could release whom; what was proven without them stays proven.
    still, plain = proven_dead(told), waits(picture, {})
    precise = {tid: wait if tid in still else plain[tid] for tid, wait in told.items()}
    holders = _gil_holders(picture)
    everybody = members(picture, precise, stacks, dead)
    starts = sorted(
        dead, key=lambda tid: (tid not in holders, everybody[tid].cost, tid not in picture.processes, tid)
    )
    found = cycle(precise, dead, starts, lambda tid: everybody[tid].cost)
    team = tuple(everybody[tid] for tid in found)
    shown = _shown(picture, found, dead)
    return Evidence(
        cause=cause(picture, team),
        threads=tuple(
            _waiter(process, thread, precise[thread.tid], stacks, holders, is_dead=True)
            for process, thread in shown
        ),
        cycle=found,
        others=len(dead) - len(shown),
        detected_after=round(detected_after, 3),
        not_permitted=not_permitted,
    )


def at_the_deadline(
    picture: Picture, stacks: Stacks, busy: Collection[int], *, not_permitted: str
) -> Evidence:
    """What the threads are at when nothing is proven: those that spin first, then the main ones."""
    told = waits(picture, stacks)
    everybody = sorted(picture.threads(), key=lambda place: (place[1].tid not in busy, place[1].tid))
    shown = [place for place in everybody if place[1].tid in busy or place[1].tid == place[0].pid]
    holders = _gil_holders(picture)
    return Evidence(
        cause=Cause.SPINNING if any(thread.tid in busy for _, thread in shown) else None,
        threads=tuple(
            _waiter(process, thread, told[thread.tid], stacks, holders, is_dead=False)
            for process, thread in shown[:_MOST_THREADS]
        ),
        others=len(everybody) - len(shown[:_MOST_THREADS]),
        not_permitted=not_permitted,
    )


def _shown(picture: Picture, found: tuple[int, ...], dead: frozenset[int]) -> list[tuple[Process, Thread]]:
    """The cycle, in its order; then the main threads that wait for it, and without a cycle all."""
    places = {thread.tid: (process, thread) for process, thread in picture.threads()}
    rest = [tid for tid in sorted(dead) if tid not in found and (not found or tid in picture.processes)]
    return [places[tid] for tid in islice([*found, *rest], _MOST_THREADS)]


def _gil_holders(picture: Picture) -> frozenset[int]:
    return frozenset(gil.holder for gil in picture.gils() if gil.holder)


def _waiter(
    process: Process, thread: Thread, wait: Wait, stacks: Stacks, holders: frozenset[int], *, is_dead: bool
) -> Waiter:
    stack = stacks.get(thread.tid, Stack())
    return Waiter(
        pid=process.pid,
        tid=thread.tid,
        process=process.name,
        is_main=thread.tid == process.pid,
        holds_gil=thread.tid in holders,
        waits_for=wait.kind.value,
        released_by=tuple(sorted(wait.released_by)[:_MOST_THREADS]),
        dead=is_dead,
        python=stack.python[:_MOST_FRAMES],
        native=tuple(islice(_telling(stack.native), _MOST_FRAMES)),
    )


def _telling(frames: Iterable[Frame]) -> Iterable[Frame]:
    """The native frames that tell: not libc's, not the interpreter's, none without a name twice in a row."""
    before = ""
    for frame in frames:
        library = frame.library.rpartition("/")[2]
        is_interpreter = bool(_INTERPRETER.match(library))
        if is_system(frame) and not frame.function.startswith(("pthread_", "dl", "__cxa_guard", "sem_")):
            continue
        if is_interpreter and not _TELLING.match(frame.function):
            continue
        if not frame.function and before == library:
            continue
        before = library
        yield frame
