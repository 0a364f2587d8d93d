"""What of a suite has ended: written by one process, read by another."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING

import pytest

from gilgrid.suite import descriptors
from gilgrid.suite.journal import Journal, Passed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETUP = Passed(0, 1.0, 2.0, 0.5)


@pytest.fixture
def file() -> Iterator[int]:
    file = descriptors.memory("journal")
    yield file
    os.close(file)


@pytest.fixture
def journal(file: int) -> Journal:
    return Journal(file)


def in_a_fork(work: Callable[[], None]) -> None:
    """Do that; and it does not fail."""
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status == 0


def test_all_that_is_written_is_read(journal: Journal) -> None:
    journal.write("order", ["a", "b"])
    journal.add(journal.entry(1, *SETUP))
    journal.write("reports", 1, {"when": "call"})
    journal.write("order", ["b", "a"])

    past = journal.past()

    assert (past.order, past.reports) == (["b", "a"], {1: [SETUP, {"when": "call"}]})


def test_what_a_fork_has_written_is_read_and_followed(journal: Journal) -> None:
    def work() -> None:
        journal.add(journal.entry(1, *SETUP))
        journal.write("collecting", "x" * 10_000_000)

    in_a_fork(work)
    journal.write("interrupted_by", 2)
    past = journal.past()

    assert (past.reports, len(past.collecting), past.interrupted_by) == ({1: [SETUP]}, 10_000_000, 2)


def test_what_there_is_no_room_for_is_left_out(journal: Journal) -> None:
    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
        journal.add(journal.entry(0, *SETUP))
        journal.write("collecting", "x" * 1_000_000)
        journal.add(journal.entry(1, *SETUP))

    in_a_fork(work)
    past = journal.past()

    assert (past.collecting, past.reports) == ("", {0: [SETUP], 1: [SETUP]})


@pytest.mark.parametrize("missing", [1, 20])
def test_an_entry_that_was_cut_off_is_none_and_what_follows_is_one(
    journal: Journal, file: int, missing: int
) -> None:
    journal.add(journal.entry(0, *SETUP))
    journal.write("collecting", "test_a.py")
    os.ftruncate(file, os.lseek(file, -missing, os.SEEK_CUR))  # as a kill in the midst of it leaves it

    past = journal.past()
    journal.write("interrupted_by", 2)

    assert (past.collecting, past.reports) == ("", {0: [SETUP]})
    assert (journal.past().reports, journal.past().interrupted_by) == ({0: [SETUP]}, 2)
