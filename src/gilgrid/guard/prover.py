"""Looks at a running tree again and again, and proves its deadlock when there is one.

Samples cost next to nothing and only say when a look is worth it. A look reads /proc, stops nobody, and mostly
proves by itself. Only where a thread holds the GIL and the native stacks could tell what it waits for are these
taken, which stops the process for a moment.
"""

from __future__ import annotations

import math
import os
import time
from collections import deque
from typing import TYPE_CHECKING

from gilgrid.evidence import Evidence
from gilgrid.guard.collect import NothingToSeeError, collect, may_be_lost
from gilgrid.guard.descriptors import links
from gilgrid.guard.explain import at_the_deadline, explain
from gilgrid.guard.proof import dead, is_deadlock, lost
from gilgrid.guard.sample import Sampler
from gilgrid.guard.stacks import NoStacksError, python_stacks, stacks
from gilgrid.guard.verify import verified
from gilgrid.guard.waits import Kind, waits

if TYPE_CHECKING:
    from collections.abc import Collection

    from gilgrid.guard.picture import Picture
    from gilgrid.guard.protocol import Channel
    from gilgrid.guard.stack import Stack
    from gilgrid.guard.waits import Stacks, Wait

_SAMPLE_S = 0.05
_SAMPLE_SHARE = 0.01  # of one CPU: the more threads there are, the rarer are the samples
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_LOOK_SHARE = 0.01  # of one CPU, for looks that prove nothing
_STOP_SHARE = 0.01  # of the time of a tree that lives
_SETTLE_S = 0.02  # after a stop
_QUIET_S = 1.0
_QUIET_SHARE = 0.03  # of one CPU
_MOST_PROCESSES = 8  # whose stacks are taken as evidence


class Prover:
    """Watches the tree below the process `above`; `root` is the pid of the command."""

    def __init__(self, above: int, root: int) -> None:
        self._root = root
        self._sampler = Sampler(above)
        # What gilgrid itself holds open, and so gave to the command, is held outside the tree.
        self._outside = frozenset(target for _, target in links(os.getpid()))
        self._refused = ""
        self._pause_s = _SHORTEST_PAUSE_S
        self._next_look = self._next_stop = 0.0
        self._last_look = 0.0
        self._used: deque[tuple[float, float]] = deque()
        self._told_quiet = False

    def look(self, channel: Channel) -> float:
        """Sample, and look closer where it is worth it; when to be called again."""
        used_s = time.process_time()
        self._sampler.sample()
        pause_s = max(_SAMPLE_S, (time.process_time() - used_s) / _SAMPLE_SHARE)
        now = time.monotonic()
        self._tell_quiet(channel, now)
        if not self._sampler.pids:
            self._sampler.walk()
        elif now >= self._next_look and self._sampler.is_worth_a_look:
            used_s = time.process_time()
            evidence = self._examine()
            if evidence is not None:
                channel.say({"deadlock": evidence.to_json()})
                return math.inf
            self._pace(now, time.process_time() - used_s)
        return now + pause_s

    def last_look(self, channel: Channel) -> float:
        """The deadline has come: say what is proven even so, or what the threads are at."""
        self._sampler.walk()
        self._sampler.sample()
        evidence = self._last_words()
        channel.say({"seen" if evidence.detected_after is None else "deadlock": evidence.to_json()})
        return math.inf

    def _pace(self, begun: float, used_s: float) -> None:
        """When the next look is worth it: soon where somebody has run since the last."""
        changed = self._sampler.last_ran > self._last_look
        self._pause_s = _SHORTEST_PAUSE_S if changed else min(2 * self._pause_s, _LONGEST_PAUSE_S)
        self._next_look = time.monotonic() + max(self._pause_s, used_s / _LOOK_SHARE)
        self._last_look = begun

    def _examine(self) -> Evidence | None:
        try:
            # A glance first: to find who else there is takes longer.
            if not may_be_lost(self._sampler.pids, self._sampler.pollers) or not self._sampler.walk():
                return None
        except NothingToSeeError as error:
            self._refused, self._next_look = str(error), math.inf
            return None
        picture = collect(*self._what())
        self._refused = next(
            (process.refused for process in picture.processes.values() if process.refused), ""
        )
        plain = waits(picture, {})
        found = dead(plain)
        if is_deadlock(picture, plain, found):
            picture = verified(picture, found)
            plain = waits(picture, {})
            found = dead(plain)
            if is_deadlock(picture, plain, found):
                return self._explained(picture, found)
        if time.monotonic() >= self._next_stop:
            for pid in _worth_a_stop(picture, plain):
                return self._examine_stacks(picture, pid)
        return None

    def _what(self) -> tuple[Collection[int], int, Collection[int], Collection[str]]:
        """What to take a picture of."""
        return self._sampler.pids, self._root, self._sampler.pollers, self._outside

    def _examine_stacks(self, before: Picture, pid: int) -> Evidence | None:
        begun = time.monotonic()
        try:
            told = stacks(pid)
        except NoStacksError as error:
            self._refused = str(error)
            return None
        finally:
            now = time.monotonic()
            self._next_stop = now + (now - begun) / _STOP_SHARE
        time.sleep(_SETTLE_S)
        after = collect(*self._what())
        after = verified(after, dead(waits(after, told)))
        precise = waits(after, told)
        found = dead(precise)
        if is_deadlock(after, precise, found) and _unchanged(before, after, found):
            return self._explained(after, found, told)
        return None

    def _explained(self, picture: Picture, found: frozenset[int], told: Stacks | None = None) -> Evidence:
        after_s = time.monotonic() - self._sampler.last_progress(found)
        known = dict(told or {})
        first = [process.pid for process in lost(picture, found)]
        for pid in [pid for pid in first if not picture.processes[pid].tids & known.keys()][:_MOST_PROCESSES]:
            known |= self._stacks_of(pid)
        return explain(picture, found, known, detected_after=after_s, not_permitted=self._refused)

    def _stacks_of(self, pid: int) -> Stacks:
        try:
            return stacks(pid)
        except NoStacksError as error:
            self._refused = self._refused or str(error)
        try:
            return python_stacks(pid)
        except NoStacksError:
            return {}

    def _last_words(self) -> Evidence:
        try:
            may_be_lost((), ())
        except NothingToSeeError as error:
            return Evidence(not_permitted=str(error))
        picture = collect(*self._what())
        picture = verified(picture, dead(waits(picture, {})))
        found = dead(waits(picture, {}))
        if lost(picture, found):
            return self._explained(picture, found)
        known: dict[int, Stack] = {}
        for pid in self._sampler.pids[:_MOST_PROCESSES]:
            known |= self._stacks_of(pid)
        return at_the_deadline(picture, known, self._sampler.spinners, not_permitted=self._refused)

    def _tell_quiet(self, channel: Channel, now: float) -> None:
        self._used.append((now, self._sampler.cpu_seconds()))
        while len(self._used) > 1 and self._used[1][0] <= now - _QUIET_S:
            self._used.popleft()
        since, used_s = self._used[0]
        quiet = now - since >= _QUIET_S and abs(self._used[-1][1] - used_s) < _QUIET_SHARE * (now - since)
        if quiet != self._told_quiet and (not quiet or self._sampler.walk()):
            channel.say({"quiet": quiet})
            self._told_quiet = quiet


def _worth_a_stop(picture: Picture, plain: dict[int, Wait]) -> list[int]:
    """The processes of which a thread waits for a GIL whose holder's stack could tell what it waits for."""
    found = []
    for process in picture.processes.values():
        holders = {tid for t in process.tids if plain[t].kind is Kind.GIL for tid in plain[t].released_by}
        kinds = {plain[tid].kind for tid in holders & plain.keys()}
        if kinds & {Kind.LOCK, Kind.BARRIER, Kind.HANDLER} or (Kind.RUNNING in kinds and process.has_openmp):
            found.append(process.pid)
    return found


def _unchanged(before: Picture, after: Picture, tids: frozenset[int]) -> bool:
    """Whether these threads wait in the same calls in both pictures; a stop itself makes them call again."""
    calls = {thread.tid: thread.call for _, thread in before.threads()}
    return all(calls.get(thread.tid) == thread.call for _, thread in after.threads() if thread.tid in tids)
