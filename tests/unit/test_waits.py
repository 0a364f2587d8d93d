"""What each thread waits for, and who could release it, from pictures drawn by hand."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gilgrid.guard.proof.picture import Call, Channel, File, Futex
from gilgrid.guard.proof.waits import ALIVE, Kind, Wait
from tests.unit.pictures.drawn import (
    ANY_CHILD,
    BARRIER,
    FREE_GIL,
    GOMP,
    LIBC,
    LOCK,
    OMP,
    POLLS,
    RUNS,
    SERVES,
    SLEEPS,
    TIMED_LOCK,
    child,
    gil,
    joins,
    mutex,
    picture,
    pidfd,
    process,
    read_end,
    reads,
    shared,
    socket,
    stack,
    the_dead,
    wait,
    write_end,
    writes,
)

if TYPE_CHECKING:
    from gilgrid.guard.proof.picture import Picture

IN_KERNEL = f"futex_wait@{GOMP}"
AT_END = stack(IN_KERNEL, f"GOMP_parallel@{GOMP}", "solve@kernel.so", "main@python3")
IN_REGION = stack(f"read@{LIBC}", "callback@kernel.so", f"gomp_thread_start@{GOMP}", f"clone@{LIBC}")
ARRIVED = stack(IN_KERNEL, f"gomp_thread_start@{GOMP}", f"clone@{LIBC}")
NO_OPENMP = stack(f"sem_wait@{LIBC}", "main@python3")


def released_by(*tids: int) -> frozenset[int]:
    return frozenset(tids)


def freed(drawn: Picture, tid: int) -> Wait:
    """The wait of a thread but for who could send signals."""
    return replace(wait(drawn, tid), signalled_by=frozenset())


# ---- What is alive ----


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (RUNS, Kind.RUNNING),
        (SLEEPS, Kind.TIMED),
        (POLLS, Kind.TIMED),
        (TIMED_LOCK, Kind.TIMED),
        (SERVES, Kind.IDLE),
        (Call(name="pause"), Kind.IDLE),
        (Call(name="vfork"), Kind.OUTSIDE),
        (Call(name="system call 999"), Kind.OUTSIDE),
        (Call(name="futex"), Kind.OUTSIDE),
        (FREE_GIL, Kind.RUNNING),
    ],
)
def test_who_may_go_on_without_anybody_is_alive(call: Call | None, kind: Kind) -> None:
    found = wait(picture(process(100, call)), 100)
    assert found == Wait(kind=kind)
    assert found.is_alive


def test_only_these_kinds_are_alive() -> None:
    from_inside = {Kind.RUNNING, Kind.STOPPED, Kind.TIMED}
    assert set(ALIVE) == from_inside | {Kind.OUTSIDE, Kind.IDLE, Kind.HANDLER, Kind.ALARM}


def test_a_stopped_thread_is_alive_whatever_it_waits_for() -> None:
    stopped = process(100, LOCK)
    threads = tuple(replace(thread, stopped=True) for thread in stopped.threads)
    assert wait(picture(replace(stopped, threads=threads)), 100) == Wait(kind=Kind.STOPPED)


def test_the_threads_of_a_process_that_may_not_be_looked_at_are_alive() -> None:
    hidden = process(200, RUNS, parent=100, refused="no permission")
    assert the_dead(picture(process(100, child(200)), hidden)) == set()


# ---- The GIL ----


def test_who_waits_for_the_gil_is_released_by_its_holder_alone() -> None:
    assert wait(picture(process(100, LOCK, gil(100), SLEEPS)), 101) == Wait(
        kind=Kind.GIL, released_by=released_by(100)
    )


def test_a_holder_that_is_no_thread_of_the_tree_is_taken_to_be_alive() -> None:
    assert the_dead(picture(process(100, gil(999), gil(999)))) == set()


def test_a_thread_can_wait_for_the_gil_that_it_holds() -> None:
    assert the_dead(picture(process(100, gil(100), SLEEPS))) == {100}


def test_a_signal_handler_does_not_help_who_waits_for_the_gil() -> None:
    drawn = picture(process(100, gil(100), handled=frozenset({signal.SIGALRM})))
    assert wait(drawn, 100).kind is Kind.GIL


# ---- Locks within a process ----


def test_a_mutex_is_released_by_its_owner_alone() -> None:
    assert wait(picture(process(100, LOCK, mutex(100), SLEEPS)), 101) == Wait(
        kind=Kind.MUTEX, released_by=released_by(100)
    )


def test_a_join_is_released_by_the_joined_thread_alone() -> None:
    assert wait(picture(process(100, joins(101), LOCK, SLEEPS)), 100) == Wait(
        kind=Kind.JOIN, released_by=released_by(101)
    )


def test_a_mutex_whose_owner_is_nobody_here_could_be_released_by_any_other_thread() -> None:
    lost = Call(name="futex", futex=Futex(expected=2, word=2, owner=0, is_mutex=True))
    assert wait(picture(process(100, lost, LOCK, LOCK)), 100) == Wait(
        kind=Kind.MUTEX, released_by=released_by(101, 102)
    )


def test_a_lock_could_be_released_by_any_other_thread_of_the_process_and_nobody_else() -> None:
    drawn = picture(process(100, LOCK, RUNS), process(200, RUNS, parent=100))
    assert wait(drawn, 100) == Wait(kind=Kind.LOCK, released_by=released_by(101))


def test_a_lock_could_be_released_by_a_process_that_has_the_same_memory() -> None:
    drawn = picture(process(100, LOCK), process(200, SLEEPS, parent=100, memory=100))
    assert wait(drawn, 100).released_by == {200}
    assert the_dead(drawn) == set()


def test_who_waits_for_a_lock_alone_is_dead() -> None:
    assert the_dead(picture(process(100, LOCK))) == {100}


@pytest.mark.parametrize("alive", [RUNS, SLEEPS, SERVES, TIMED_LOCK, FREE_GIL])
def test_one_thread_that_is_alive_keeps_those_alive_that_wait_for_a_lock(alive: Call | None) -> None:
    assert the_dead(picture(process(100, LOCK, LOCK, alive))) == set()


@pytest.mark.parametrize("library", [GOMP, OMP, "/usr/lib/libiomp5.so", "/wheel/libgomp-a34b3233.so.1.0.0"])
def test_who_waits_inside_an_openmp_runtime_waits_at_a_barrier_for_all_others(library: str) -> None:
    drawn = picture(process(100, replace(BARRIER, library=library), gil(100), SLEEPS))
    assert wait(drawn, 100) == Wait(kind=Kind.BARRIER, released_by=released_by(101, 102))


# ---- Shared memory ----


def test_a_lock_in_shared_memory_could_be_released_by_all_who_map_it() -> None:
    ours = frozenset({"00:01:7"})
    drawn = picture(
        process(100, shared("00:01:7"), LOCK, mapped=ours),
        process(200, LOCK, parent=100, mapped=ours),
        process(300, RUNS, parent=100, mapped=frozenset({"00:01:8"})),
    )
    assert wait(drawn, 100) == Wait(kind=Kind.SHARED, released_by=released_by(101, 200))


def test_shared_memory_that_others_may_map_leaves_its_waiter_alive() -> None:
    assert wait(picture(process(100, shared("?"))), 100) == Wait(kind=Kind.OUTSIDE)


def test_shared_memory_beside_a_process_that_may_not_be_looked_at_leaves_its_waiter_alive() -> None:
    waiter = process(100, shared("00:01:7"), mapped=frozenset({"00:01:7"}))
    assert the_dead(picture(waiter, process(200, RUNS, parent=100, refused="no permission"))) == set()


def test_a_lock_that_only_this_process_sees_does_not_care_for_a_process_that_may_not_be_looked_at() -> None:
    hidden = process(200, RUNS, parent=100, refused="no permission")
    assert wait(picture(process(100, LOCK), hidden), 100) == Wait(kind=Kind.LOCK)


# ---- Children ----


def test_a_child_is_waited_for_until_all_its_threads_are_dead() -> None:
    drawn = picture(process(100, child(200)), process(200, LOCK, LOCK, parent=100))
    assert freed(drawn, 100) == Wait(kind=Kind.CHILD, released_by=released_by(200, 201))


def test_who_waits_for_one_child_does_not_care_for_another() -> None:
    drawn = picture(
        process(100, child(200)), process(200, LOCK, parent=100), process(300, SERVES, parent=100)
    )
    assert the_dead(drawn) == {100, 200}


def test_who_waits_for_any_child_is_alive_while_one_of_them_is() -> None:
    drawn = picture(process(100, ANY_CHILD), process(200, LOCK, parent=100), process(300, RUNS, parent=100))
    assert wait(drawn, 100).released_by == {200, 300}
    assert the_dead(drawn) == {200}


def test_a_grandchild_is_no_child() -> None:
    drawn = picture(process(100, ANY_CHILD), process(200, LOCK, parent=100), process(300, RUNS, parent=200))
    assert wait(drawn, 100).released_by == {200}


@pytest.mark.parametrize("call", [child(200), ANY_CHILD])
def test_who_waits_for_a_child_that_has_just_ended_is_alive(call: Call) -> None:
    drawn = picture(process(100, call), process(200, parent=100), process(300, LOCK, parent=100))
    assert wait(drawn, 100) == Wait(kind=Kind.OUTSIDE)


@pytest.mark.parametrize("call", [child(999), ANY_CHILD])
def test_who_waits_for_a_child_that_is_none_of_the_tree_is_alive(call: Call) -> None:
    assert wait(picture(process(100, call)), 100) == Wait(kind=Kind.OUTSIDE)


# ---- Pipes, sockets, pidfds ----


def pipe_between(reader: Call | None, writer: Call | None, **facts: Any) -> dict[int, Wait]:
    """Process 100 holds the end to read from, 200 the one to write to."""
    drawn = picture(
        process(100, reader, files={3: read_end("pipe:[1]", **facts)}),
        process(200, writer, parent=100, files={4: write_end("pipe:[1]", **facts)}),
        process(300, RUNS, parent=100, files={3: read_end("pipe:[2]"), 4: write_end("pipe:[2]")}),
    )
    return {tid: freed(drawn, tid) for tid in (100, 200)}


def test_a_reader_of_a_pipe_is_released_by_who_could_write_to_it() -> None:
    assert pipe_between(reads(3), LOCK)[100] == Wait(kind=Kind.READ, released_by=released_by(200))


def test_a_writer_to_a_pipe_is_released_by_who_could_read_from_it() -> None:
    assert pipe_between(LOCK, writes(4))[200] == Wait(kind=Kind.WRITE, released_by=released_by(100))


def test_a_pipe_that_is_held_outside_the_tree_leaves_its_waiter_alive() -> None:
    found = pipe_between(reads(3), writes(4), outside=True)
    assert {wait.kind for wait in found.values()} == {Kind.IDLE}


def test_all_who_hold_the_other_end_of_a_pipe_could_release_its_reader() -> None:
    ends = {3: read_end("pipe:[1]"), 4: write_end("pipe:[1]")}
    drawn = picture(
        process(100, reads(3), LOCK, files=ends), process(200, LOCK, SLEEPS, parent=100, files=ends)
    )
    assert wait(drawn, 100).released_by == {101, 200, 201}
    assert the_dead(drawn) == set()


def test_another_reader_of_a_pipe_does_not_release_its_reader() -> None:
    drawn = picture(
        process(100, reads(3), files={3: read_end("pipe:[1]"), 4: write_end("pipe:[1]")}),
        process(200, SERVES, parent=100, files={3: read_end("pipe:[1]")}),
    )
    assert the_dead(drawn) == {100}


def test_another_writer_to_a_pipe_does_not_release_its_writer() -> None:
    drawn = picture(
        process(100, writes(4), files={3: read_end("pipe:[1]"), 4: write_end("pipe:[1]")}),
        process(200, SERVES, parent=100, files={4: write_end("pipe:[1]")}),
    )
    assert the_dead(drawn) == {100}


def test_the_holder_of_a_pipe_that_is_open_both_ways_could_release_both() -> None:
    both = File(channel=Channel.PIPE, identity="pipe:[1]")
    for call in (reads(3), writes(3)):
        drawn = picture(process(100, call, files={3: both}), process(200, RUNS, parent=100, files={5: both}))
        assert wait(drawn, 100).released_by == {200}


@pytest.mark.parametrize(
    ("call", "file"),
    [
        (reads(3), read_end("pipe:[1]")),
        (writes(3), write_end("pipe:[1]")),
        (reads(3), socket("socket:[1]", "socket:[2]")),
    ],
)
def test_a_pipe_whose_other_end_nobody_holds_leaves_its_waiter_alive(call: Call, file: File) -> None:
    drawn = picture(process(100, call, files={3: file}), process(200, SERVES, parent=100))
    assert the_dead(drawn) == set()


def socket_pair(**facts: Any) -> dict[int, File]:
    return {3: socket("socket:[1]", "socket:[2]", **facts), 4: socket("socket:[2]", "socket:[1]", **facts)}


@pytest.mark.parametrize("call", [reads(3), writes(3)])
def test_a_socket_is_released_by_who_holds_its_peer_or_could_shut_it_down(call: Call) -> None:
    ours, theirs = socket_pair().values()
    drawn = picture(
        process(100, call, files={3: ours}),
        process(200, LOCK, parent=100, files={4: theirs}),
        process(300, LOCK, parent=100, files={5: ours}),
        process(400, SERVES, parent=100, files={3: socket("socket:[3]", "socket:[4]")}),
    )
    kind = Kind.READ if call.reads else Kind.WRITE
    assert freed(drawn, 100) == Wait(kind=kind, released_by=released_by(200, 300))
    assert 100 in the_dead(drawn)


def test_a_socket_that_is_held_outside_the_tree_leaves_its_waiter_alive() -> None:
    drawn = picture(process(100, reads(3), files=socket_pair(outside=True)))
    assert wait(drawn, 100) == Wait(kind=Kind.OUTSIDE)


@pytest.mark.parametrize("channel", [Channel.OTHER, Channel.TIMER])
def test_who_reads_what_no_process_of_the_tree_writes_is_alive(channel: Channel) -> None:
    drawn = picture(process(100, reads(3), files={3: File(channel=channel, identity="anon_inode:[eventfd]")}))
    assert wait(drawn, 100) == Wait(kind=Kind.OUTSIDE)


def test_who_reads_what_is_not_known_is_alive() -> None:
    assert wait(picture(process(100, reads(3))), 100) == Wait(kind=Kind.OUTSIDE)


def test_who_reads_beside_a_process_that_may_not_be_looked_at_is_alive() -> None:
    reader = process(100, reads(3), files={3: read_end("pipe:[1]"), 4: write_end("pipe:[1]")})
    hidden = process(200, RUNS, parent=100, refused="no permission")
    assert wait(picture(reader), 100).kind is Kind.READ
    assert wait(picture(reader, hidden), 100) == Wait(kind=Kind.IDLE)


def test_one_foreign_descriptor_leaves_alive_who_polls_it_among_others() -> None:
    files = {3: read_end("pipe:[1]"), 4: write_end("pipe:[1]"), 5: File(channel=Channel.OTHER)}
    assert wait(picture(process(100, reads(3, 5), files=files)), 100) == Wait(kind=Kind.IDLE)


def test_who_polls_is_released_by_all_who_could_end_one_of_its_waits() -> None:
    files = {3: read_end("pipe:[1]"), 4: write_end("pipe:[2]"), 5: pidfd(400)}
    drawn = picture(
        process(100, Call(name="poll", reads=(3, 5), writes=(4,)), files=files),
        process(200, LOCK, parent=100, files={4: write_end("pipe:[1]")}),
        process(300, LOCK, parent=100, files={3: read_end("pipe:[2]")}),
        process(400, LOCK, parent=100),
    )
    assert freed(drawn, 100) == Wait(kind=Kind.READ, released_by=released_by(200, 300, 400))


def test_who_polls_one_pipe_for_reading_is_not_released_by_its_readers() -> None:
    drawn = picture(
        process(
            100,
            Call(name="poll", reads=(3,), writes=(4,)),
            files={3: read_end("pipe:[1]"), 4: write_end("pipe:[2]")},
        ),
        process(200, RUNS, parent=100, files={3: read_end("pipe:[1]"), 4: write_end("pipe:[2]")}),
        process(300, LOCK, parent=100, files={3: write_end("pipe:[1]"), 4: read_end("pipe:[2]")}),
    )
    assert wait(drawn, 100).released_by == {300}


def test_who_polls_a_pipe_for_what_never_comes_is_told_when_its_other_end_is_closed() -> None:
    # POLLERR and POLLHUP come unasked: of the write end of a pipe, from who has its read end.
    drawn = picture(
        process(100, Call(name="poll", reads=(3,)), files={3: write_end("pipe:[1]")}),
        process(200, RUNS, parent=100, files={3: read_end("pipe:[1]")}),
        process(300, RUNS, parent=100, files={3: write_end("pipe:[1]")}),
    )
    assert wait(drawn, 100).released_by == {200}


def test_a_pidfd_is_released_by_the_threads_of_its_process() -> None:
    drawn = picture(process(100, reads(3), files={3: pidfd(200)}), process(200, LOCK, SLEEPS, parent=100))
    assert freed(drawn, 100) == Wait(kind=Kind.READ, released_by=released_by(200, 201))


@pytest.mark.parametrize("pid", [200, 999])
def test_a_pidfd_of_a_process_that_has_ended_or_is_none_of_the_tree_leaves_its_waiter_alive(pid: int) -> None:
    drawn = picture(process(100, reads(3), files={3: pidfd(pid)}), process(200, parent=100))
    assert wait(drawn, 100) == Wait(kind=Kind.OUTSIDE)


# ---- Who could end a process ----


@pytest.mark.parametrize("call", [child(200), ANY_CHILD, reads(3), writes(4), reads(5)])
def test_anybody_could_end_a_process_that_is_waited_for(call: Call) -> None:
    ends = {3: read_end("pipe:[1]"), 4: write_end("pipe:[1]"), 5: pidfd(200)}
    drawn = picture(process(100, call, LOCK, files=ends), process(200, LOCK, parent=100), process(300, LOCK))
    assert wait(drawn, 100).signalled_by == released_by(101, 200, 300)


def test_those_above_could_end_a_child_though_they_are_not_taken_to_send_sigint() -> None:
    waiter = process(100, child(200), parent=50, handled=frozenset({signal.SIGINT}))
    drawn = picture(process(50, LOCK), waiter, process(200, LOCK, parent=100))
    assert wait(drawn, 100).signalled_by == released_by(50, 200)


@pytest.mark.parametrize("call", [LOCK, gil(101), mutex(101), joins(101), BARRIER, shared("00:01:7")])
def test_nobody_can_end_a_thread(call: Call) -> None:
    drawn = picture(process(100, call, LOCK), process(200, LOCK, parent=100))
    assert wait(drawn, 100).signalled_by == released_by()


# ---- Signal handlers ----

CHILDREN = (process(200, LOCK, parent=100), process(300, SLEEPS, parent=200))
OWN_PIPE = {3: read_end("pipe:[1]"), 4: write_end("pipe:[1]")}
INTERRUPTIBLE = [LOCK, shared("00:01:7"), child(200), reads(3), writes(4)]


@pytest.mark.parametrize("call", INTERRUPTIBLE)
@pytest.mark.parametrize("number", [signal.SIGALRM, signal.SIGUSR1, signal.SIGTERM, signal.SIGHUP, 34, 64])
def test_a_handler_could_release_who_waits_for_what_it_could_bring(call: Call, number: int) -> None:
    waiter = process(100, call, files=OWN_PIPE, handled=frozenset({number, signal.SIGINT}))
    kind = Kind.ALARM if number == signal.SIGALRM else Kind.HANDLER
    assert wait(picture(waiter, *CHILDREN), 100) == Wait(kind=kind)


@pytest.mark.parametrize("call", [gil(101), mutex(101), joins(101), BARRIER])
def test_a_handler_does_not_release_who_waits_for_a_thread(call: Call) -> None:
    drawn = picture(process(100, call, gil(100), handled=frozenset({signal.SIGALRM})))
    assert the_dead(drawn) == {100, 101}


OF_ITS_OWN_DOING = ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL")


@pytest.mark.parametrize("number", [*(signal.Signals[name] for name in OF_ITS_OWN_DOING), 32, 33])
def test_a_handler_of_what_only_the_thread_itself_brings_about_releases_nobody(number: int) -> None:
    drawn = picture(process(100, LOCK, handled=frozenset({number})))
    assert wait(drawn, 100) == Wait(kind=Kind.LOCK)


@pytest.mark.parametrize("name", ["SIGINT", "SIGABRT", "SIGTRAP", "SIGSYS", "SIGPIPE"])
def test_python_s_handler_of_sigint_and_the_like_could_be_run_by_all_that_are_not_above(name: str) -> None:
    drawn = picture(
        process(50, RUNS),
        process(100, LOCK, LOCK, parent=50, handled=frozenset({signal.Signals[name]})),
        *CHILDREN,
        process(400, LOCK, parent=50),
    )
    assert wait(drawn, 100) == Wait(
        kind=Kind.LOCK, released_by=released_by(101), signalled_by=released_by(101, 200, 300, 400)
    )


@pytest.mark.parametrize("call", [gil(101), mutex(101), joins(101), BARRIER])
def test_no_signal_releases_who_waits_for_a_thread(call: Call) -> None:
    drawn = picture(process(100, call, gil(100), handled=frozenset({signal.SIGINT, signal.SIGCHLD})))
    assert wait(drawn, 100).signalled_by == released_by()


def test_a_handler_of_sigint_of_the_program_s_own_could_release_who_waits() -> None:
    own = process(100, LOCK, handled=frozenset({signal.SIGINT}), handles_interrupt=True)
    assert wait(picture(own), 100) == Wait(kind=Kind.HANDLER)


@pytest.mark.parametrize("call", [child(200), reads(3)])
def test_sigint_could_be_sent_by_a_thread_of_the_same_process(call: Call) -> None:
    waiter = process(100, call, SLEEPS, files={3: read_end("pipe:[1]")}, handled=frozenset({signal.SIGINT}))
    deaf = process(200, LOCK, parent=100, files={4: write_end("pipe:[1]")})
    assert 100 not in the_dead(picture(waiter, deaf))


def test_a_handler_of_sigchld_is_run_by_children() -> None:
    drawn = picture(process(100, LOCK, handled=frozenset({signal.SIGCHLD})), *CHILDREN)
    assert wait(drawn, 100) == Wait(kind=Kind.LOCK, released_by=released_by(200))


def test_handlers_of_sigint_and_of_sigchld_are_run_by_their_senders() -> None:
    both = frozenset({signal.SIGINT, signal.SIGCHLD})
    drawn = picture(process(100, LOCK, handled=both), *CHILDREN, process(400, LOCK))
    assert wait(drawn, 100) == Wait(
        kind=Kind.LOCK, released_by=released_by(200), signalled_by=released_by(200, 300, 400)
    )


def test_who_waits_for_a_robust_mutex_is_woken_when_somebody_ends_its_owner() -> None:
    robust = Call(name="futex", futex=Futex(expected=1 << 31 | 200, word=1 << 31 | 200, shared="00:01:7"))
    maps = frozenset({"00:01:7"})
    drawn = picture(
        process(100, robust, mapped=maps),
        process(200, LOCK, parent=100, mapped=maps),
        process(300, SLEEPS, parent=100),
    )
    assert wait(drawn, 100) == Wait(
        kind=Kind.SHARED, released_by=released_by(200), signalled_by=released_by(200, 300)
    )
    assert 100 not in the_dead(drawn)


def test_no_handler_no_help() -> None:
    assert wait(picture(process(100, LOCK), *CHILDREN), 100) == Wait(kind=Kind.LOCK)


# ---- What stacks tell ----


def test_the_only_master_at_a_barrier_is_released_by_the_workers_inside_its_region() -> None:
    drawn = picture(process(100, BARRIER, gil(100), BARRIER, SLEEPS))
    told = wait(drawn, 100, {100: AT_END, 101: IN_REGION, 102: ARRIVED, 103: NO_OPENMP})
    assert told == Wait(kind=Kind.BARRIER, released_by=released_by(101))


def test_stacks_prove_a_barrier_beside_a_thread_that_is_alive() -> None:
    drawn = picture(process(100, BARRIER, gil(100), SLEEPS))
    assert the_dead(drawn, {100: AT_END, 101: IN_REGION, 102: NO_OPENMP}) == {100, 101}
    assert the_dead(drawn) == set()


def test_a_barrier_lives_while_a_worker_inside_its_region_does() -> None:
    drawn = picture(process(100, BARRIER, SLEEPS, gil(100)))
    assert the_dead(drawn, {100: AT_END, 101: IN_REGION, 102: IN_REGION}) == set()


def test_a_worker_that_has_arrived_holds_nobody_up() -> None:
    drawn = picture(process(100, BARRIER, SLEEPS, BARRIER))
    assert wait(drawn, 100, {100: AT_END, 101: IN_REGION, 102: ARRIVED}).released_by == {101}


def test_where_all_workers_have_arrived_anybody_could_release_the_master() -> None:
    drawn = picture(process(100, BARRIER, BARRIER, SLEEPS))
    assert wait(drawn, 100, {100: AT_END, 101: ARRIVED}) == wait(drawn, 100)


def test_with_two_masters_nobody_knows_whose_the_workers_are() -> None:
    drawn = picture(process(100, BARRIER, BARRIER, gil(100), SLEEPS))
    told = wait(drawn, 100, {100: AT_END, 101: AT_END, 102: IN_REGION, 103: IN_REGION})
    assert told == Wait(kind=Kind.BARRIER, released_by=released_by(101, 102, 103))


@pytest.mark.parametrize("unknown", [{}, {103: stack()}])
def test_a_thread_whose_stack_is_not_known_could_be_a_second_master(unknown: dict[int, Any]) -> None:
    drawn = picture(process(100, BARRIER, gil(100), SLEEPS, SLEEPS))
    stacks = {100: AT_END, 101: IN_REGION, 102: IN_REGION, **unknown}
    assert wait(drawn, 100, stacks) == wait(drawn, 100)


def test_workers_of_another_process_do_not_count() -> None:
    drawn = picture(process(100, BARRIER, LOCK), process(200, RUNS, gil(200), parent=100))
    assert wait(drawn, 100, {100: AT_END, 201: IN_REGION}) == wait(drawn, 100)


def test_a_master_that_spins_at_a_barrier_is_released_by_its_workers_too() -> None:
    drawn = picture(process(100, RUNS, gil(100)))
    spins = stack(f"do_spin@{GOMP}", f"GOMP_parallel@{GOMP}", "solve@kernel.so")
    assert the_dead(drawn, {100: spins, 101: IN_REGION}) == {100, 101}


def test_who_spins_without_a_worker_inside_its_region_runs() -> None:
    spins = stack(f"do_spin@{GOMP}", f"GOMP_parallel@{GOMP}", "solve@kernel.so")
    drawn = picture(process(100, RUNS, gil(100)))
    assert wait(drawn, 100, {100: spins, 101: NO_OPENMP}) == Wait(kind=Kind.RUNNING)
    assert wait(drawn, 100, {100: NO_OPENMP, 101: NO_OPENMP}) == Wait(kind=Kind.RUNNING)


def test_a_lock_that_the_stack_shows_to_be_a_barrier_is_called_one() -> None:
    drawn = picture(process(100, replace(BARRIER, library=LIBC), SLEEPS))
    assert wait(drawn, 100) == Wait(kind=Kind.LOCK, released_by=released_by(101))
    assert wait(drawn, 100, {100: AT_END}) == Wait(kind=Kind.BARRIER, released_by=released_by(101))


@pytest.mark.parametrize("call", [SLEEPS, SERVES, mutex(101), reads(3), gil(101)])
def test_a_stack_changes_nothing_where_the_call_says_more(call: Call) -> None:
    drawn = picture(process(100, call, gil(100), files=OWN_PIPE))
    assert wait(drawn, 100, {100: AT_END, 101: IN_REGION}) == wait(drawn, 100)


GUARD = stack(f"syscall@{LIBC}", "__cxa_guard_acquire@/usr/lib/libstdc++.so.6", "table()@kernel.so")
INITIALISES = stack(f"read@{LIBC}", "fill()@kernel.so", "table()@kernel.so")


def test_an_initialisation_is_released_by_who_is_inside_of_it() -> None:
    drawn = picture(process(100, LOCK, gil(100), SLEEPS))
    told = wait(drawn, 100, {100: GUARD, 101: INITIALISES, 102: NO_OPENMP})
    assert told == Wait(kind=Kind.INITIALISER, released_by=released_by(101))


def test_a_second_who_waits_for_an_initialisation_does_not_release_the_first() -> None:
    drawn = picture(process(100, LOCK, LOCK, gil(100)))
    assert wait(drawn, 100, {100: GUARD, 101: GUARD, 102: INITIALISES}).released_by == {102}


def test_an_initialisation_with_two_inside_could_be_released_by_anybody() -> None:
    drawn = picture(process(100, LOCK, gil(100), gil(100), SLEEPS))
    stacks = {100: GUARD, 101: INITIALISES, 102: INITIALISES, 103: NO_OPENMP}
    assert wait(drawn, 100, stacks).released_by == {101, 102, 103}
    assert the_dead(drawn, stacks) == set()


def test_who_runs_does_not_wait_for_an_initialisation_whatever_its_stack_was() -> None:
    drawn = picture(process(100, RUNS, gil(100)))
    assert wait(drawn, 100, {100: GUARD, 101: INITIALISES}) == Wait(kind=Kind.RUNNING)


def test_an_initialisation_with_nobody_seen_inside_could_be_released_by_anybody() -> None:
    drawn = picture(process(100, LOCK, gil(100), SLEEPS))
    told = wait(drawn, 100, {100: GUARD, 101: NO_OPENMP})
    assert told == Wait(kind=Kind.INITIALISER, released_by=released_by(101, 102))


RUNS_ONCE = stack(
    f"read@{LIBC}",
    "f()@a.so",
    "g()@a.so",
    "fill()@kernel.so",
    f"__pthread_once_slow@{LIBC}",
    "table()@kernel.so",
)


def test_a_once_is_no_static_initialisation() -> None:
    once = stack(f"futex_wait@{LIBC}", f"__pthread_once_slow@{LIBC}", "table()@kernel.so")
    drawn = picture(process(100, LOCK, gil(100), SLEEPS))
    told = wait(drawn, 100, {100: once, 101: RUNS_ONCE, 102: NO_OPENMP})
    assert told == Wait(kind=Kind.ONCE, released_by=released_by(101))


def test_who_is_inside_an_initialisation_may_itself_wait_for_another() -> None:
    drawn = picture(process(100, LOCK, LOCK, SLEEPS, gil(100)))
    guard = (f"syscall@{LIBC}", "__cxa_guard_acquire@/usr/lib/libstdc++.so.6")
    inside_both = stack(*guard, "other()@kernel.so", "table()@kernel.so")
    later = stack(f"take_gil@{LIBC}", "table()@kernel.so")
    told = wait(drawn, 100, {100: GUARD, 101: inside_both, 102: NO_OPENMP, 103: later})
    assert 101 in told.released_by


def test_a_once_may_be_run_from_another_function_than_the_one_that_waits_for_it() -> None:
    waits_for_it = stack(f"futex_wait@{LIBC}", f"__pthread_once_slow@{LIBC}", "open()@kernel.so")
    runs_it = stack(
        f"read@{LIBC}", "configure()@kernel.so", f"__pthread_once_slow@{LIBC}", "close()@kernel.so"
    )
    before_it = stack("take_gil@python3", "open()@kernel.so")
    drawn = picture(process(100, LOCK, SLEEPS, gil(100)))
    assert the_dead(drawn, {100: waits_for_it, 101: runs_it, 102: before_it}) == set()


def test_a_thread_whose_stack_is_not_known_could_be_inside_an_initialisation() -> None:
    drawn = picture(process(100, LOCK, SLEEPS, gil(100)))
    assert the_dead(drawn, {100: GUARD, 102: INITIALISES}) == set()


def test_an_initialisation_is_no_longer_interruptible() -> None:
    drawn = picture(process(100, LOCK, gil(100), handled=frozenset({signal.SIGALRM})))
    assert wait(drawn, 100, {100: NO_OPENMP, 101: INITIALISES}).kind is Kind.ALARM
    assert wait(drawn, 100, {100: GUARD, 101: INITIALISES}).kind is Kind.INITIALISER
