"""Looks at a running tree again and again, and proves its deadlock when there is one.

Samples cost next to nothing, and say when a look is worth it. A look reads /proc, stops nobody, and mostly
proves by itself. Only where a thread holds the GIL and the native stacks could tell what it waits for
are these taken, which stops the process for a moment.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from gilgrid.evidence import Evidence
from gilgrid.guard.observe.collect import NothingToSeeError, check_sight, collect, may_be_lost
from gilgrid.guard.observe.descriptors import links
from gilgrid.guard.observe.stacks import NoStacksError, python_stacks, stacks
from gilgrid.guard.observe.verify import verified
from gilgrid.guard.proof import calls
from gilgrid.guard.proof.explain import at_the_deadline, explain
from gilgrid.guard.proof.fixed_point import dead, is_deadlock, lost
from gilgrid.guard.proof.waits import Kind, waits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from gilgrid.guard.observe.sample import Sampler
    from gilgrid.guard.proof.picture import Picture, Thread
    from gilgrid.guard.proof.stack import Stack
    from gilgrid.guard.proof.waits import Stacks, Wait

_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_PICTURE_SHARE = 0.01  # of one CPU, for pictures that prove nothing
_STOP_SHARE = 0.01  # of the time of a tree that lives
# On a busy machine a stop takes longer than it costs the tree, and the first may come to nothing.
_SHORTEST_WITHOUT_STOP_S, _LONGEST_WITHOUT_STOP_S = 2.0, 15.0
_QUICK_RETRIES = 3  # of a picture that was blurred, while somebody waits for a GIL that does not move
_SETTLE_S = 0.02  # after a stop
_PICTURES_AFTER_A_STOP = 8  # who waits for the GIL may be in the queue for a CPU in the first
_PICTURES_WITHOUT_WAITERS = 2
_TO_PERMIT = (
    "it takes the user of the program, or root; in a container, --cap-add=SYS_PTRACE; and where Yama "
    "restricts it (/proc/sys/kernel/yama/ptrace_scope), gilgrid must have started the program"
)
_TOLD_BY_STACK = {Kind.LOCK, Kind.BARRIER, Kind.HANDLER, Kind.ALARM}
_ACCEPTS = {"accept", "accept4"}
_MOST_PROCESSES = 8  # whose stacks are taken as evidence


class Prover:
    """Judges the tree that is sampled, of which `root` is the pid of the command.

    Call `look` after each sample that says it is worth one. `looks` and `stops` are how often it has tried
    to prove something, and stopped a process for that. `on_suspicion` is called before it takes stacks, which
    may come to nothing. `bystanders` are threads that are known to release nothing while they wait for what
    they are told from outside, as those of a test runner.
    """

    def __init__(
        self,
        sampler: Sampler,
        root: int,
        on_suspicion: Callable[[], None] | None = None,
        bystanders: Collection[int] = (),
    ) -> None:
        self.looks = self.stops = 0
        self._sampler = sampler
        self._root = root
        self._on_suspicion = on_suspicion or (lambda: None)
        self._bystanders = bystanders
        # What gilgrid itself holds open, and so gave to the command, is held outside the tree.
        self._outside = frozenset(target for _, target in links(os.getpid()))
        self._refused = ""
        self._unseen = ""  # why nothing can be seen here at all
        try:
            check_sight()
        except NothingToSeeError as error:
            self._unseen = str(error)
        self._pause_s = _SHORTEST_PAUSE_S
        self._next_picture = self._next_stop = 0.0
        self._last_picture = 0.0
        self._gil_waiters: set[int] = set()
        self._stop_pause_s = _SHORTEST_WITHOUT_STOP_S
        self._retries = 0
        self._is_blurred = False  # the last picture: a thread that polls was on its way, and not at its wait

    def look(self) -> Evidence | None:
        """Take a picture, unless it is too soon for another; the evidence of a deadlock, if there is one."""
        begun = time.monotonic()
        if begun < self._next_picture or self._unseen:
            return None
        used_s = time.process_time()
        evidence = self._examine()
        self._pace(begun, time.process_time() - used_s)
        return evidence

    def prepare(self) -> None:
        """Import what stacks take."""
        with suppress(NoStacksError):
            python_stacks(os.getpid())

    def last_words(self, *, may_stop: bool = True) -> Evidence:
        """What is proven even so, or what the threads are at; without `may_stop`, as far as Python tells."""
        if self._unseen:
            return Evidence(not_permitted=self._unseen)
        self._sampler.walk(whole=True)
        self._sampler.sample()
        picture, _, found = _solved(self._picture(), {})
        if lost(picture, found) and not self._sampler.walk(whole=True):
            return self._explained(picture, found)
        known: dict[int, Stack] = {}
        for pid in self._sampler.pids[:_MOST_PROCESSES]:
            known |= self._stacks_of(pid, may_stop=may_stop)
            self.stops += may_stop
        self.looks += 1
        if may_stop and (evidence := self._proven_by(known, picture)):
            return evidence
        seen = at_the_deadline(picture, known, self._sampler.spinners, not_permitted=self._refused)
        return replace(seen, cpus_used=self._cpus_used())

    def _pace(self, begun: float, used_s: float) -> None:
        """When the next picture is worth it: soon where somebody has run since the last, or just then."""
        changed = self._is_blurred or self._sampler.last_ran > self._last_picture
        self._pause_s = _SHORTEST_PAUSE_S if changed else min(2 * self._pause_s, _LONGEST_PAUSE_S)
        self._retries = self._retries + 1 if self._is_blurred and self._sampler.in_vain else 0
        is_retried = 0 < self._retries <= _QUICK_RETRIES
        pause_s = self._pause_s if is_retried else max(self._pause_s, used_s / _PICTURE_SHARE)
        self._next_picture = time.monotonic() + pause_s
        self._last_picture = begun

    def _examine(self) -> Evidence | None:
        # A glance first: to find who else there is takes longer.
        if not may_be_lost(self._sampler.pids, self._sampler.in_vain) or self._sampler.walk():
            return None
        self.looks += 1
        picture = self._picture()
        plain = waits(picture, {})
        if is_deadlock(picture, plain, dead(plain)):
            picture, plain, found = _solved(picture, {})
            if is_deadlock(picture, plain, found) and not self._sampler.walk(whole=True):
                return self._explained(picture, found)
        suspects = list(islice(_worth_a_stop(picture, plain), _MOST_PROCESSES))
        if not suspects or time.monotonic() < self._next_stop:
            return None
        return self._examine_stacks(picture, suspects)

    def _picture(self) -> Picture:
        # Who waited for the GIL polls, even where it did not look so from afar.
        pollers = self._sampler.pollers | self._gil_waiters
        picture = collect(self._sampler.pids, self._root, pollers, self._outside, self._sampler.walk)
        self._note_refusals(picture)
        self._is_blurred = any(t.call is None and t.tid in pollers for _, t in picture.threads())
        self._gil_waiters |= {
            t.tid for _, t in picture.threads() if t.call and t.call.futex and t.call.futex.gil
        }
        return _without(picture, self._bystanders) if self._bystanders else picture

    def _examine_stacks(self, before: Picture, suspects: list[int]) -> Evidence | None:
        self._on_suspicion()
        begun = time.monotonic()
        told: dict[int, Stack] = {}
        try:
            for pid in suspects:
                told |= stacks(pid)
                self.stops += 1
        except NoStacksError as error:
            self._refuse(error)
            return None
        finally:
            now = time.monotonic()
            self._next_stop = now + min((now - begun) / _STOP_SHARE, self._stop_pause_s)
            self._stop_pause_s = min(2 * self._stop_pause_s, _LONGEST_WITHOUT_STOP_S)
        return self._proven_by(told, before)

    def _proven_by(self, told: Stacks, before: Picture) -> Evidence | None:
        """The evidence, if with these stacks a picture after the stop shows what the one before it did."""
        for _ in range(_PICTURES_AFTER_A_STOP if self._gil_waiters else _PICTURES_WITHOUT_WAITERS):
            time.sleep(_SETTLE_S)
            after, precise, found = _solved(self._picture(), told)
            is_proven = is_deadlock(after, precise, found) and _unchanged(before, after, found)
            if is_proven and not self._sampler.walk(whole=True):
                return self._explained(after, found, told)
        return None

    def _explained(self, picture: Picture, found: frozenset[int], told: Stacks | None = None) -> Evidence:
        after_s = time.monotonic() - self._sampler.last_progress(found)
        cpus_used = self._cpus_used()
        self._on_suspicion()
        known = dict(told or {})
        first = [process.pid for process in lost(picture, found)]
        for pid in [pid for pid in first if not picture.processes[pid].tids & known.keys()][:_MOST_PROCESSES]:
            known |= self._stacks_of(pid)
        evidence = explain(picture, found, known, detected_after=after_s, not_permitted=self._refused)
        return replace(evidence, cpus_used=cpus_used)

    def _cpus_used(self) -> float | None:
        used = self._sampler.cpus_used
        return None if used is None else round(used, 2)

    def _stacks_of(self, pid: int, *, may_stop: bool = True) -> Stacks:
        try:
            return stacks(pid) if may_stop else python_stacks(pid)
        except NoStacksError as error:
            self._refuse(error)
        try:
            return python_stacks(pid)
        except NoStacksError:
            return {}

    def _note_refusals(self, picture: Picture) -> None:
        for process in picture.processes.values():
            if process.refused:
                self._refuse(process.refused)

    def _refuse(self, reason: object) -> None:
        self._refused = self._refused or f"{reason}; {_TO_PERMIT}"


def _solved(picture: Picture, told: Stacks) -> tuple[Picture, dict[int, Wait], frozenset[int]]:
    """The picture with all that a proof would have to know, the waits in it, and who is dead by them."""
    picture = verified(picture, dead(waits(picture, told)))
    precise = waits(picture, told)
    return picture, precise, dead(precise)


def _without(picture: Picture, bystanders: Collection[int]) -> Picture:
    """The picture without those of these threads that wait to be told something."""

    def stays(thread: Thread) -> bool:
        call = thread.call
        return thread.tid not in bystanders or call is None or not (call.reads or call.name in _ACCEPTS)

    processes = {
        pid: replace(process, threads=tuple(filter(stays, process.threads)))
        for pid, process in picture.processes.items()
    }
    return replace(picture, processes=processes)


def _worth_a_stop(picture: Picture, plain: dict[int, Wait]) -> Iterator[int]:
    """The processes of which a thread waits for a GIL whose holder's stack could tell what it waits for."""
    for process in picture.processes.values():
        holders = {tid for t in process.tids if plain[t].kind is Kind.GIL for tid in plain[t].released_by}
        kinds = {plain[tid].kind for tid in holders & plain.keys()}
        if any(thread.call and thread.call.name not in calls.RESTARTED for thread in process.threads):
            continue  # a stop would end its call, with EINTR
        if kinds & _TOLD_BY_STACK or (Kind.RUNNING in kinds and process.has_openmp):
            yield process.pid


def _unchanged(before: Picture, after: Picture, tids: frozenset[int]) -> bool:
    """Whether these threads wait in the same calls in both pictures; a stop itself makes them call again."""
    earlier = {thread.tid: thread.call for _, thread in before.threads()}
    return all(earlier.get(thread.tid) == thread.call for _, thread in after.threads() if thread.tid in tids)
