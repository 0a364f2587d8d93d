"""Reading memory from outside, and finding the GIL in it; the memory is our own."""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gilgrid.guard.observe.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIDS = {7: 1007}  # a thread id as the process has it, and as we do
X86_64, AARCH64 = 720, 208  # how far into glibc's struct pthread its thread id lies


@pytest.fixture
def memory() -> Iterator[Memory]:
    with Memory(os.getpid()) as ours:
        yield ours


def words(*values: int) -> ctypes.Array[ctypes.c_uint64]:
    return (ctypes.c_uint64 * 128)(*values)


class Interpreter:
    """A GIL and what it points at, as CPython and glibc lay them out."""

    def __init__(self) -> None:
        self.pthread = words()
        self.pthread[0] = ctypes.addressof(self.pthread)
        self.state = words()
        self.state[152 // 8] = ctypes.addressof(self.pthread)
        self.gil = words(5000, ctypes.addressof(self.state), 1, 42)
        self.name_thread(7)

    def name_thread(self, tid: int, offset: int = X86_64) -> None:
        self.pthread[X86_64 // 8] = self.pthread[AARCH64 // 8] = 0
        self.pthread[offset // 8] = tid

    def found(self, holder: int | None) -> tuple[int, int | None, int]:
        """What is to be found of this GIL."""
        return ctypes.addressof(self.gil), holder, 42

    def futex(self, into_condition: int = 40) -> int:
        """The word that waiters for this GIL wait on."""
        return ctypes.addressof(self.gil) + 32 + into_condition


# ---- Bytes ----


def test_what_is_there_is_read(memory: Memory) -> None:
    found = words(1, 2, 3)
    assert memory.words(ctypes.addressof(found), "=QQQ") == (1, 2, 3)
    assert memory.bytes(ctypes.addressof(found), 2) == b"\1\0"


@pytest.mark.parametrize("address", [0, 8, -8, 1 << 62, 1 << 64, 1 << 70])
def test_a_place_that_cannot_be_read_is_none(memory: Memory, address: int) -> None:
    assert memory.bytes(address, 8) is None
    assert memory.words(address, "=Q") is None


def test_a_place_of_which_the_end_cannot_be_read_is_none(memory: Memory, tmp_path: Path) -> None:
    file = tmp_path / "memory"
    file.write_bytes(bytes(2 * mmap.PAGESIZE))
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 0) as pages:
        word = ctypes.c_uint64.from_buffer(pages)
        last = ctypes.addressof(word) + mmap.PAGESIZE - 8
        del word
        opened.truncate(mmap.PAGESIZE)
        assert memory.bytes(last, 8) == bytes(8)
        assert memory.bytes(last, 16) is None


def test_of_a_process_that_has_gone_nothing_may_be_read() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as process:
        process.wait()
    with pytest.raises(OSError, match="No such"):
        Memory(process.pid)


# ---- The GIL ----


@pytest.mark.parametrize("into_condition", [40, 44, 0, 60])
def test_the_gil_is_found_by_the_word_that_its_waiters_wait_on(memory: Memory, into_condition: int) -> None:
    there = Interpreter()
    assert memory.gil(there.futex(into_condition), TIDS) == there.found(1007)


@pytest.mark.parametrize("into_condition", [64, -4])
def test_a_word_beyond_the_condition_is_not_the_gil_s(memory: Memory, into_condition: int) -> None:
    there = Interpreter()
    assert memory.gil(there.futex(into_condition), TIDS) is None


def test_a_gil_that_is_free_has_no_holder(memory: Memory) -> None:
    there = Interpreter()
    there.gil[2] = 0
    assert memory.gil(there.futex(), TIDS) == there.found(None)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, 0),  # no switch interval
        (0, 60_000_001),
        (1, 0),  # nobody has ever held it
        (1, 0x1000),
        (2, 2),  # no flag
        (2, 0xFFFFFFFF),
    ],
)
def test_what_no_gil_can_hold_is_none(memory: Memory, place: int, value: int) -> None:
    there = Interpreter()
    there.gil[place] = value
    assert memory.gil(there.futex(), TIDS) is None


@pytest.mark.parametrize("interval_us", [1, 60_000_000])
def test_any_switch_interval_is_one(memory: Memory, interval_us: int) -> None:
    there = Interpreter()
    there.gil[0] = interval_us
    assert memory.gil(there.futex(), TIDS) is not None


def test_a_holder_that_is_no_thread_state_makes_it_none(memory: Memory) -> None:
    there = Interpreter()
    there.state[152 // 8] = 0
    assert memory.gil(there.futex(), TIDS) is None
    there.gil[1] += 4
    assert memory.gil(there.futex(), TIDS) is None


def test_a_thread_of_nobody_makes_it_none(memory: Memory) -> None:
    there = Interpreter()
    there.name_thread(99)
    assert memory.gil(there.futex(), TIDS) is None


@pytest.mark.parametrize("place", [136, 144, 152, 160, 168, 176])
def test_the_thread_is_found_wherever_a_cpython_keeps_it(memory: Memory, place: int) -> None:
    there = Interpreter()
    there.state[152 // 8] = 0
    there.state[place // 8] = ctypes.addressof(there.pthread)
    found = memory.gil(there.futex(), TIDS)
    assert found == there.found(1007)


@pytest.mark.parametrize("offset", [X86_64, AARCH64])
def test_a_thread_id_that_stands_twice_is_believed_on_every_machine(memory: Memory, offset: int) -> None:
    there = Interpreter()
    there.pthread[0] = 0
    there.name_thread(7, offset)
    assert memory.gil(there.futex(), TIDS) is None
    there.state[160 // 8] = 7
    assert memory.gil(there.futex(), TIDS) == there.found(1007)
    there.state[160 // 8] = 8
    assert memory.gil(there.futex(), TIDS) is None
