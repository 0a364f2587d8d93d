"""What of a suite has ended: written by one process, read by another."""

from __future__ import annotations

import os
import resource

import pytest

from gilgrid.suite import descriptors
from gilgrid.suite.journal import Journal, Passed

SETUP = Passed(0, 1.0, 2.0, 0.5)


@pytest.fixture
def file() -> int:
    return descriptors.memory("journal")


@pytest.fixture
def journal(file: int) -> Journal:
    return Journal(file)


def test_all_that_is_written_is_read(journal: Journal) -> None:
    journal.write("order", ["a", "b"])
    journal.write_passed(1, *SETUP)
    journal.write("reports", 1, {"when": "call"})
    journal.write("order", ["b", "a"])

    past = journal.past()

    assert (past.order, past.reports) == (["b", "a"], {1: [SETUP, {"when": "call"}]})


def test_what_a_fork_has_written_is_read_however_much_it_is(journal: Journal) -> None:
    child = os.fork()
    if not child:
        for place in range(10_000):
            journal.write_passed(place, *SETUP)
        journal.write("collecting", "x" * 10_000_000)
        os._exit(0)
    os.waitpid(child, 0)

    past = journal.past()
    journal.write("interrupted_by", 2)

    assert past.reports == {place: [SETUP] for place in range(10_000)}
    assert len(past.collecting) == 10_000_000
    assert journal.past().interrupted_by == 2


def test_what_there_is_no_room_for_is_left_out(journal: Journal) -> None:
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 17, 1 << 17))
        journal.write_passed(0, *SETUP)
        journal.write("collecting", "x" * 1_000_000)
        journal.write_passed(1, *SETUP)
        os._exit(0)
    _, status = os.waitpid(child, 0)

    past = journal.past()

    assert status == 0
    assert (past.collecting, sorted(past.reports)) == ("", [0, 1])


def test_an_entry_that_was_cut_off_is_none(journal: Journal, file: int) -> None:
    journal.write_passed(0, *SETUP)
    end = int.from_bytes(os.pread(file, 8, 0), "little")
    journal.write_passed(1, *SETUP)
    os.pwrite(file, end.to_bytes(8, "little"), 0)  # as a kill before the last step leaves it

    assert sorted(journal.past().reports) == [0]


@pytest.mark.parametrize("damage", [b"\xff" * 30, b"p" + b"\xff" * 30, b"p\x10\x00\x00\x00" + b"\xff" * 30])
def test_what_was_written_over_is_left_out_and_what_comes_after_it_is_not(
    journal: Journal, file: int, damage: bytes
) -> None:
    journal.write_passed(0, *SETUP)
    at = int.from_bytes(os.pread(file, 8, 0), "little")
    journal.write("collecting", "test_a.py")
    os.pwrite(file, damage, at)

    past = journal.past()
    journal.write("interrupted_by", 2)

    assert (past.collecting, past.reports) == ("", {0: [SETUP]})
    assert (journal.past().reports, journal.past().interrupted_by) == ({0: [SETUP]}, 2)
