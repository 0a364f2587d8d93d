"""What a system call waits on: its arguments, and the memory that they point at, which here is our own."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import select
import struct
from typing import TYPE_CHECKING, Any

import pytest

from gilgrid.guard.observe.mappings import Mappings
from gilgrid.guard.observe.memory import Memory
from gilgrid.guard.observe.reader import Reader
from gilgrid.guard.proof import calls
from gilgrid.guard.proof.picture import Call, Futex

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NUMBERS = {name: number for number, name in calls.names().items()}
PRIVATE = 128
WAIT, LOCK_PI, WAIT_BITSET, LOCK_PI2 = 0, 6, 9, 13
NO_LIMIT = 0
A_TIMEOUT = 0x7000  # a pointer, not followed
OURS = {7: 1007, 8: 1008}  # thread ids as the process has them, and as we do


def known(*names: str) -> list[str]:
    """Those of these calls that this machine has: newer ones lack the old."""
    return [name for name in names if name in NUMBERS]


def read(
    name: str, *arguments: int, number: int | None = None, ours: Mapping[int, int] | None = None
) -> Call:
    """The call, as a thread of this process in it would have it."""
    six = [*arguments, *[0] * (6 - len(arguments))]
    words = [str(NUMBERS[name] if number is None else number), *map(hex, six), "0x7ffc0000", "0x10"]
    with Memory(os.getpid()) as memory:
        return Reader(memory, ours or OURS, Mappings(os.getpid())).call(words)


def futex(*words: int, operation: int = WAIT | PRIVATE, expected: int = 0, timeout: int = NO_LIMIT) -> Futex:
    """What a thread waits on that waits at the first of these 32-bit words."""
    memory = (ctypes.c_uint32 * 16)(*words)
    found = read("futex", ctypes.addressof(memory), operation, expected, timeout).futex
    assert found is not None
    return found


# ---- Any call ----


def test_an_unknown_call_is_called_by_its_number() -> None:
    assert read("", number=9999) == Call(name="system call 9999", stack=0x7FFC0000, code=0x10)


def test_a_call_is_of_the_library_that_its_code_lies_in() -> None:
    code = ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p).value
    words = [str(NUMBERS["wait4"]), *["0x0"] * 6, "0x0", hex(code or 0)]
    with Memory(os.getpid()) as memory:
        call = Reader(memory, OURS, Mappings(os.getpid())).call(words)
    assert "libc" in call.library


@pytest.mark.parametrize("name", known("nanosleep", "clock_nanosleep", "restart_syscall"))
def test_a_sleep_ends_by_itself(name: str) -> None:
    assert read(name).timed


@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("futex", 3),
        ("ppoll", 2),
        ("select", 4),
        ("pselect6", 4),
        ("rt_sigtimedwait", 2),
        ("epoll_pwait2", 3),
        ("futex_waitv", 3),
    ],
)
def test_a_call_with_a_timeout_ends_by_itself(name: str, position: int) -> None:
    if name not in NUMBERS:
        return
    assert read(name, *[0] * position, A_TIMEOUT).timed
    assert not read(name, *[0] * position, NO_LIMIT).timed


@pytest.mark.parametrize(("name", "position"), [("poll", 2), ("epoll_wait", 3), ("epoll_pwait", 3)])
def test_a_negative_number_of_milliseconds_is_no_limit(name: str, position: int) -> None:
    if name not in NUMBERS:
        return
    for limit in (0, 1, 0x7FFFFFFF):
        assert read(name, *[0] * position, limit).timed
    for no_limit in (0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 0x80000000):
        assert not read(name, *[0] * position, no_limit).timed


# ---- Children ----


@pytest.mark.parametrize(
    ("pid", "who"),
    [(4711, 4711), (0xFFFFFFFF, -1), (0, -1), (0xFFFFFFFF - 4710, -1), (0x7FFFFFFF, 0x7FFFFFFF)],
)
def test_wait4_waits_for_one_child_or_for_any(pid: int, who: int) -> None:
    assert read("wait4", pid, ours={7: 7}).who == who


def test_whom_wait4_waits_for_in_a_pid_namespace_of_its_own_nobody_knows() -> None:
    assert read("wait4", 4711).who is None
    assert read("wait4", 0xFFFFFFFF).who == -1


def test_wait4_waits_for_any_child_though_its_argument_has_64_bits() -> None:
    assert read("wait4", 0xFFFFFFFFFFFFFFFF).who == -1


@pytest.mark.parametrize(("kind", "who"), [(0, -1), (1, 4711), (2, None), (3, None)])
def test_waitid_waits_for_one_child_or_for_any_but_not_for_a_group_or_a_pidfd(
    kind: int, who: int | None
) -> None:
    assert read("waitid", kind, 4711, ours={7: 7}).who == who


# ---- Files ----


@pytest.mark.parametrize("name", known("read", "readv", "recvfrom", "recvmsg"))
def test_a_read_waits_for_its_descriptor(name: str) -> None:
    call = read(name, 5)
    assert (call.reads, call.writes, call.timed) == ((5,), (), False)


@pytest.mark.parametrize("name", known("write", "writev", "sendto", "sendmsg"))
def test_a_write_waits_for_its_descriptor(name: str) -> None:
    call = read(name, 5)
    assert (call.reads, call.writes) == ((), (5,))


@pytest.mark.parametrize("name", known("accept", "accept4", "epoll_wait", "epoll_pwait", "flock", "fcntl"))
def test_what_is_not_known_to_end_by_a_file_waits_for_none(name: str) -> None:
    call = read(name, 5)
    assert (call.reads, call.writes, call.who, call.futex) == ((), (), None, None)


def polled(*asked: tuple[int, int], count: int | None = None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    array = ctypes.create_string_buffer(b"".join(struct.pack("=ihh", fd, events, 0) for fd, events in asked))
    limit = {"poll": 0xFFFFFFFF, "ppoll": NO_LIMIT}
    for name in known("poll", "ppoll"):
        call = read(name, ctypes.addressof(array), len(asked) if count is None else count, limit[name])
        assert not call.timed
    return call.reads, call.writes


def test_poll_waits_to_read_and_to_write() -> None:
    both = select.POLLIN | select.POLLOUT
    assert polled((3, select.POLLIN), (4, select.POLLOUT), (5, both), (6, select.POLLPRI)) == (
        (3, 5, 6),
        (4, 5),
    )


def test_poll_waits_for_the_end_of_what_it_asks_nothing_of() -> None:
    assert polled((3, 0), (4, select.POLLRDHUP)) == ((3, 4), ())


def test_poll_leaves_out_negative_descriptors() -> None:
    assert polled((-1, select.POLLIN), (4, select.POLLIN)) == ((4,), ())


@pytest.mark.parametrize("count", [0, 1025, 1 << 40])
def test_poll_of_nothing_or_of_too_many_waits_for_nothing_known(count: int) -> None:
    assert polled((3, select.POLLIN), count=count) == ((), ())


def test_poll_of_an_array_that_cannot_be_read_waits_for_nothing_known() -> None:
    call = read("ppoll", 16, 1, NO_LIMIT)
    assert (call.reads, call.writes) == ((), ())


def selected(
    count: int, reads: Iterable[int], writes: Iterable[int], *, exceptions: int = 0
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    sets = [(ctypes.c_uint64 * 32)() for _ in range(2)]
    for found, descriptors in zip(sets, (reads, writes), strict=True):
        for fd in descriptors:
            found[fd // 64] |= 1 << fd % 64
    call = read("pselect6", count, *map(ctypes.addressof, sets), exceptions, NO_LIMIT)
    return call.reads, call.writes


def test_select_waits_to_read_and_to_write() -> None:
    assert selected(200, (3, 63, 64, 130), (4, 199)) == ((3, 63, 64, 130), (4, 199))


def test_select_looks_at_no_descriptor_from_its_count_on() -> None:
    assert selected(64, (3, 64), (65,)) == ((3,), ())


@pytest.mark.parametrize("count", [0, 1025, 0xFFFFFFFF])
def test_select_of_nothing_or_of_too_many_waits_for_nothing_known(count: int) -> None:
    assert selected(count, (3,), (4,)) == ((), ())


def test_select_that_waits_for_exceptions_waits_for_nothing_known() -> None:
    assert selected(64, (3,), (), exceptions=0x7000) == ((), ())


def test_select_without_a_set_waits_for_the_other() -> None:
    descriptors = (ctypes.c_uint64 * 1)(1 << 3)
    call = read("pselect6", 4, ctypes.addressof(descriptors), 0, 0, NO_LIMIT)
    assert (call.reads, call.writes) == ((3,), ())


def test_select_of_a_set_that_cannot_be_read_waits_for_nothing_known() -> None:
    call = read("pselect6", 4, 16, 0, 0, NO_LIMIT)
    assert (call.reads, call.writes) == ((), ())


# ---- Futexes ----


def test_a_futex_has_its_word_and_what_was_expected_of_it() -> None:
    assert futex(5, expected=4) == Futex(expected=4, word=5)


def test_what_was_expected_has_32_bits() -> None:
    assert futex(0xFFFFFFFF, expected=0xFFFFFFFFFFFFFFFF) == Futex(expected=0xFFFFFFFF, word=0xFFFFFFFF)


def test_a_futex_that_cannot_be_read_is_not_known() -> None:
    assert read("futex", 16, WAIT | PRIVATE).futex is None


@pytest.mark.parametrize("command", [1, 3, 5, 7, 8, 10, 11, 12])
def test_no_other_operation_waits_as_the_rules_know_it(command: int) -> None:
    memory = (ctypes.c_uint32 * 16)()
    assert read("futex", ctypes.addressof(memory), command | PRIVATE).futex is None


@pytest.mark.parametrize("operation", [WAIT, WAIT_BITSET, WAIT_BITSET | PRIVATE | 256])
def test_waits_of_every_kind_are_known(operation: int) -> None:
    assert futex(5, operation=operation, expected=5).expected == 5


def test_a_timed_wait_that_is_not_for_the_gil_has_no_owner() -> None:
    found = futex(2, 1, 7, 1, 0, expected=2, timeout=A_TIMEOUT)
    assert found == Futex(expected=2, word=2)


MUTEX = (2, 0, 7, 1, 0)  # lock, count, owner, users, kind


def test_a_mutex_has_an_owner() -> None:
    assert futex(*MUTEX, expected=2) == Futex(expected=2, word=2, owner=1007, is_mutex=True)


def test_a_mutex_whose_owner_is_no_thread_of_the_process_has_none() -> None:
    assert futex(2, 0, 99, 1, 0, expected=2) == Futex(expected=2, word=2, is_mutex=True)


@pytest.mark.parametrize(
    "words",
    [
        (1, 0, 7, 1, 0),  # locked, and nobody waits
        (2, 0, 0, 1, 0),  # no owner
        (2, 0, 0xFFFFFFFF, 1, 0),
        (2, 0, 7, 0, 0),  # no users
        (2, 0, 7, 1 << 20, 0),
        (2, 0, 7, 1, 0x200),  # no kind of mutex
        (2, 0, 7, 1, 0xFFFFFFFF),
    ],
)
def test_what_does_not_look_like_a_mutex_is_none(words: tuple[int, ...]) -> None:
    found = futex(*words, expected=2)
    assert (found.is_mutex, found.owner) == (False, 0)


@pytest.mark.parametrize(
    "facts", [{"expected": 1}, {"operation": WAIT}, {"operation": WAIT_BITSET | PRIVATE}]
)
def test_who_does_not_wait_as_for_a_mutex_waits_for_none(facts: dict[str, Any]) -> None:
    assert not futex(*MUTEX, **{"expected": 2, **facts}).is_mutex


@pytest.mark.parametrize("users", [1, 2, (1 << 20) - 1])
@pytest.mark.parametrize("kind", [0, 1, 2, 3, 0x100, 0x1FF])
def test_mutexes_of_every_kind_are_known(users: int, kind: int) -> None:
    assert futex(2, 0, 8, users, kind, expected=2).owner == 1008


@pytest.mark.parametrize("operation", [LOCK_PI, LOCK_PI | PRIVATE, LOCK_PI2 | PRIVATE])
def test_the_word_of_a_lock_that_lends_its_priority_has_the_owner(operation: int) -> None:
    waited_for = 0x80000000
    assert futex(waited_for | 7, operation=operation).owner == 1007
    assert futex(waited_for | 99, operation=operation).owner == 0
    assert futex(7, operation=operation).is_mutex


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only there a struct pthread points at itself")
@pytest.mark.parametrize("operation", [WAIT, WAIT_BITSET | 256])
def test_who_joins_a_thread_waits_for_its_id_to_go(operation: int) -> None:
    pthread = (ctypes.c_uint32 * 200)()
    address = ctypes.addressof(pthread)
    ctypes.c_uint64.from_buffer(pthread).value = address
    pthread[720 // 4] = 8
    found = read("futex", address + 720, operation, 8, NO_LIMIT).futex
    assert found == Futex(expected=8, word=8, owner=1008)


def test_a_word_with_a_thread_id_that_is_in_no_struct_pthread_joins_nobody() -> None:
    assert futex(8, operation=WAIT, expected=8).owner == 0


def test_who_waits_for_another_number_joins_nobody() -> None:
    assert futex(99, operation=WAIT, expected=99).owner == 0
    assert futex(0, operation=WAIT, expected=8).owner == 0, "it has just ended"
    assert futex(8, operation=WAIT | PRIVATE, expected=8).owner == 0


def test_a_word_in_memory_that_nobody_else_can_come_to_map_is_known_by_that_memory() -> None:
    with mmap.mmap(-1, mmap.PAGESIZE) as shared:
        word = ctypes.c_uint32.from_buffer(shared)
        address = ctypes.addressof(word)
        ours = read("futex", address, WAIT).futex
        private = read("futex", address, WAIT | PRIVATE).futex
        del word
    assert ours
    assert private
    assert ours.shared not in ("", "?")
    assert private.shared == ""
