"""What was proven, as evidence for people: the threads that hold each other, and what of their stacks tells; pure."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from gilgrid.evidence import Cause, Evidence, Waiter
from gilgrid.guard.cause import cause, members
from gilgrid.guard.cycle import cycle
from gilgrid.guard.proof import dead as proven_dead
from gilgrid.guard.stack import Stack, is_system
from gilgrid.guard.waits import Kind, waits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from gilgrid.evidence import Frame
    from gilgrid.guard.picture import Picture, Process, Thread
    from gilgrid.guard.waits import Stacks, Wait

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
    precise = {tid: wait if tid in proven_dead(told) else _plain(picture)[tid] for tid, wait in told.items()}
    holders = _gil_holders(picture)
    starts = sorted(dead, key=lambda tid: (tid not in holders, not _is_main(picture, tid), tid))
    found = cycle(precise, dead, starts, lambda tid: _is_idle(tid, picture, precise, stacks))
    team = members(picture, precise, stacks, found)
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
        others=max(0, len(everybody) - _MOST_THREADS),
        not_permitted=not_permitted,
    )


def _plain(picture: Picture) -> Mapping[int, Wait]:
    return waits(picture, {})


def _shown(picture: Picture, found: tuple[int, ...], dead: frozenset[int]) -> list[tuple[Process, Thread]]:
    """The cycle, in its order; then the main threads that wait for it, and without a cycle all."""
    places = {thread.tid: (process, thread) for process, thread in picture.threads()}
    rest = [tid for tid in sorted(dead) if tid not in found and (not found or tid in picture.processes)]
    return [places[tid] for tid in islice([*found, *rest], _MOST_THREADS)]


def _gil_holders(picture: Picture) -> frozenset[int]:
    return frozenset(gil.holder for gil in picture.gils() if gil.holder)


def _is_main(picture: Picture, tid: int) -> bool:
    return tid in picture.processes


def _is_idle(tid: int, picture: Picture, waits: Mapping[int, Wait], stacks: Stacks) -> bool:
    """Whether a thread only waits for work: in a pool of its own, with no Python on its stack."""
    if _is_main(picture, tid) or waits[tid].kind is not Kind.LOCK:
        return False
    stack = stacks.get(tid)
    return stack is not None and not stack.python


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
    """The native frames that tell: not those of libc, of the interpreter, or without a name and a neighbour's."""
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
