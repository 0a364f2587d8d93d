"""What the system call of a thread waits on: its arguments, and what they point at."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from gilgrid.guard.proof import calls
from gilgrid.guard.proof.picture import Call, Futex, Gil

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gilgrid.guard.observe.mappings import Mappings
    from gilgrid.guard.observe.memory import Memory

# linux/futex.h
_PRIVATE = 128
_REALTIME = 256
_COMMAND = 0x7F
_WAITS = {0, 9}  # FUTEX_WAIT, FUTEX_WAIT_BITSET
_LOCKS = {6, 13}  # FUTEX_LOCK_PI, FUTEX_LOCK_PI2: the word is the owner's thread id
_OWNER = 0x3FFFFFFF
# struct __pthread_mutex_s of glibc: lock, count, owner, users, kind
_MUTEX = "=iIiIi"
_LOCKED_AND_WAITED_FOR = 2
_MOST_USERS = 1 << 20
_HIGHEST_KIND = 0x1FF
_ANY = -1
_P_ALL, _P_PID = 0, 1  # waitid(2)
_IN, _OUT = 0x3, 0x4  # poll(2): POLLIN | POLLPRI, POLLOUT
_MOST_DESCRIPTORS = 1024


class Reader:
    """Reads the calls of one process; `ours` maps thread ids as it has them to ours."""

    def __init__(self, memory: Memory, ours: Mapping[int, int], mappings: Mappings) -> None:
        self._memory = memory
        self._ours = ours
        self._has_own_numbers = any(there != here for there, here in ours.items())
        self._mappings = mappings
        self._names = calls.names()

    def call(self, words: Sequence[str]) -> Call:
        """The call that /proc/PID/syscall has in these words: number, six arguments, stack, code."""
        name = self._names.get(int(words[0]), f"system call {words[0]}")
        arguments = [int(word, 16) for word in words[1:-2]]
        stack, code = int(words[-2], 16), int(words[-1], 16)
        call = Call(name=name, stack=stack, code=code, library=self._mappings.library(code))
        if calls.is_timed(name, arguments):
            call = replace(call, timed=True)
        if name == "futex":
            return replace(call, futex=self._futex(arguments, timed=call.timed))
        if name in calls.READS:
            return replace(call, reads=(arguments[0],))
        if name in calls.WRITES:
            return replace(call, writes=(arguments[0],))
        if name in calls.POLLS:
            reads, writes = (self._polled if "poll" in name else self._selected)(arguments)
            return replace(call, reads=reads, writes=writes)
        if name == "wait4":
            pid = arguments[0] & 0xFFFFFFFF  # an int: negative ones are groups of children
            return self._waiting(call, pid if pid < 1 << 31 and pid else _ANY)
        if name == "waitid" and arguments[0] in (_P_ALL, _P_PID):
            return self._waiting(call, arguments[1] if arguments[0] == _P_PID else _ANY)
        return call

    def _waiting(self, call: Call, who: int) -> Call:
        """The call that waits for that child; of a PID namespace of its own, nobody here knows the number."""
        return call if self._has_own_numbers and who != _ANY else replace(call, who=who)

    def _futex(self, arguments: Sequence[int], *, timed: bool) -> Futex | None:
        address, operation, expected = arguments[0], arguments[1], arguments[2] & 0xFFFFFFFF
        command = operation & _COMMAND
        word = self._memory.words(address, "=I")
        if command not in _WAITS | _LOCKS or word is None:
            return None
        if timed:
            left_us = self._left_us(arguments) if self._mappings.has_python else None
            found = None if left_us is None else self._memory.gil(address, self._ours, left_us)
            gil = found and Gil(holder=found.holder, switches=found.switches)
            return Futex(expected=expected, word=word[0], gil=gil)
        shared = "" if operation & _PRIVATE else self._mappings.shared_at(address)
        if command in _LOCKS:
            owner = self._ours.get(word[0] & _OWNER, 0)
            return Futex(expected=expected, word=word[0], owner=owner, is_mutex=True, shared=shared)
        # A joiner waits for the thread id in the other's struct pthread to become 0 (pthread_join.c).
        may_be_join = not operation & _PRIVATE and word[0] == expected and self._memory.is_tid(address)
        joined = self._ours.get(expected, 0) if may_be_join else 0
        may_be_mutex = operation == _PRIVATE and expected == _LOCKED_AND_WAITED_FOR
        mutex = self._mutex_owner(address) if may_be_mutex else None
        return Futex(
            expected=expected,
            word=word[0],
            owner=joined or (mutex or 0),
            is_mutex=mutex is not None,
            shared=shared,
        )

    def _left_us(self, arguments: Sequence[int]) -> float | None:
        """After how long a timed futex(2) gives up."""
        limit = self._memory.words(arguments[3], "=qq")
        if limit is None:
            return None
        operation = arguments[1]
        clock = time.CLOCK_REALTIME if operation & _REALTIME else time.CLOCK_MONOTONIC
        begun = time.clock_gettime(clock) if operation & _COMMAND != 0 else 0.0  # FUTEX_WAIT has a duration
        return (limit[0] + limit[1] / 1e9 - begun) * 1e6

    def _mutex_owner(self, address: int) -> int | None:
        """The owner of the pthread_mutex_t at `address`: 0 for a stranger, None where there is no mutex."""
        mutex = self._memory.words(address, _MUTEX)
        if mutex is None:
            return None
        lock, _, owner, users, kind = mutex
        is_mutex = lock == _LOCKED_AND_WAITED_FOR and owner > 0 and 0 < users < _MOST_USERS
        return self._ours.get(owner, 0) if is_mutex and 0 <= kind <= _HIGHEST_KIND else None

    def _polled(self, arguments: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What is waited on to be read from, and to be written to; nothing where it cannot be said."""
        count = arguments[1]
        words = self._memory.words(arguments[0], "=" + "ihh" * min(count, _MOST_DESCRIPTORS))
        if words is None or count > _MOST_DESCRIPTORS:
            return (), ()
        pairs = zip(words[::3], words[1::3])  # noqa: B905 - of one length; strict is of 3.10
        asked = [(fd, events) for fd, events in pairs if fd >= 0]
        # Even with no event asked for, it ends when the other side has gone.
        writes = tuple(fd for fd, events in asked if events & _OUT)
        return tuple(fd for fd, events in asked if events & _IN or not events & _OUT), writes

    def _selected(self, arguments: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        count = arguments[0]
        if not 0 < count <= _MOST_DESCRIPTORS or arguments[3]:
            return (), ()
        sets = []
        for address in arguments[1:3]:
            words = self._memory.words(address, f"={(count + 63) // 64}Q") if address else (0,)
            if words is None:
                return (), ()
            mask = sum(word << 64 * index for index, word in enumerate(words))
            sets.append(tuple(fd for fd in range(count) if mask >> fd & 1))
        return sets[0], sets[1]
