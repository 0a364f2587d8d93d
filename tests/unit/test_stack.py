"""What the stack of a thread tells: OpenMP's workers, masters and barriers, and initialisers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gilgrid.evidence import Frame
from gilgrid.guard.proof.picture import Call, Futex
from gilgrid.guard.proof.stack import Stack, is_openmp_library, is_system
from tests.unit.pictures.drawn import BARRIER, GOMP, LIBC, LOCK, OMP, stack

START = (f"start_thread@{LIBC}", f"__clone3@{LIBC}")
STDCXX = "/usr/lib/libstdc++.so.6"
PYTHON = ("cfunction_call@/usr/lib/libpython3.12.so.1.0", f"__libc_start_main@{LIBC}")
WAITS = (f"syscall@{LIBC}", f"do_wait@{GOMP}")

NO_OPENMP = stack(f"read@{LIBC}", "main@kernel.so", *PYTHON)
IDLE = stack(*WAITS, f"gomp_thread_start@{GOMP}", *START)
WORKS = stack("solve@kernel.so", f"gomp_thread_start@{GOMP}", *START)
WAITS_INSIDE = stack(*WAITS, f"GOMP_barrier@{GOMP}", "solve@kernel.so", f"gomp_thread_start@{GOMP}", *START)
MASTER_INSIDE = stack("solve@kernel.so", f"GOMP_parallel@{GOMP}", "main@kernel.so", *PYTHON)
MASTER_AT_END = stack(*WAITS, f"GOMP_parallel@{GOMP}", "main@kernel.so", *PYTHON)
MASTER_WAITS_INSIDE = Stack(native=(*WAITS_INSIDE.native[:3], *MASTER_INSIDE.native))
STRIPPED_INSIDE = stack(f"@{GOMP}", "solve@kernel.so", f"@{GOMP}", "main@kernel.so", *PYTHON)


RUNTIMES = (
    "libgomp.so.1 libgomp.so.1.0.0 libgomp-a34b3233.so.1.0.0 "
    "libomp.so libomp.so.5 libiomp5.so libomp5.so.14 libomp-2ab34c.so"
)
SYSTEM = (
    "libc.so.6 libc-2.31.so libpthread.so.0 libpthread-2.31.so ld-linux-x86-64.so.2 ld-2.31.so "
    "ld-linux-aarch64.so.1 ld-musl-x86_64.so.1 libc.musl-x86_64.so.1 linux-vdso.so.1 [vdso]"
)


@pytest.mark.parametrize("name", RUNTIMES.split())
def test_an_openmp_runtime_is_known_by_its_file(name: str) -> None:
    assert is_openmp_library(name)
    assert is_openmp_library(f"/opt/venv/lib/{name}")


@pytest.mark.parametrize(
    "name",
    ["", "libc.so.6", "libcomp.so.1", "libompi.so", "openmp.so", "libgompers.so", "/libgomp.so.1/a.so"],
)
def test_no_other_file_is_an_openmp_runtime(name: str) -> None:
    assert not is_openmp_library(name)


@pytest.mark.parametrize("name", SYSTEM.split())
def test_libc_and_the_loader_are_the_system(name: str) -> None:
    assert is_system(Frame(function="f", library=f"/usr/lib/{name}"))


@pytest.mark.parametrize(
    "name", ["", "libcrypto.so.3", "libstdc++.so.6", "libgomp.so.1", "python3.11", "libldap.so"]
)
def test_nothing_else_is_the_system(name: str) -> None:
    assert not is_system(Frame(function="f", library=name))


@pytest.mark.parametrize(
    ("drawn", "is_worker", "inside", "is_master"),
    [
        (stack(), False, False, False),
        (NO_OPENMP, False, False, False),
        (IDLE, True, False, False),
        (WORKS, True, True, False),
        (WAITS_INSIDE, True, True, False),
        (MASTER_INSIDE, False, False, True),
        (MASTER_AT_END, False, False, True),
        (MASTER_WAITS_INSIDE, False, False, True),
    ],
)
def test_a_worker_begins_in_the_runtime_and_a_master_elsewhere(
    drawn: Stack, *, is_worker: bool, inside: bool, is_master: bool
) -> None:
    assert (drawn.is_worker, drawn.is_worker_inside_region, drawn.is_master) == (is_worker, inside, is_master)


def test_frames_of_libc_between_others_change_nothing() -> None:
    sorts = stack(
        "compare@kernel.so", f"qsort@{LIBC}", "solve@kernel.so", f"gomp_thread_start@{GOMP}", *START
    )
    assert sorts.is_worker_inside_region


@pytest.mark.parametrize(
    ("drawn", "at_barrier"),
    [
        (stack(), False),
        (NO_OPENMP, False),
        (IDLE, False),
        (WORKS, False),
        (MASTER_INSIDE, False),
        (STRIPPED_INSIDE, False),
        (MASTER_AT_END, True),
        (MASTER_WAITS_INSIDE, True),
        (WAITS_INSIDE, True),
        (stack(f"@{OMP}", f"__kmpc_barrier@{OMP}", "solve@kernel.so", f"@{OMP}", "main@kernel.so"), True),
        (stack(f"@{OMP}", f"__kmpc_critical@{OMP}", "solve@kernel.so", f"@{OMP}", "main@kernel.so"), False),
        # "barrier" is of the runtime's own frames, not of the program's.
        (stack(f"@{GOMP}", "barrier@kernel.so", f"GOMP_barrier@{GOMP}", "main@kernel.so"), False),
    ],
)
def test_a_barrier_is_the_end_of_a_region_or_says_its_name(drawn: Stack, *, at_barrier: bool) -> None:
    assert drawn.is_at_barrier(BARRIER) == at_barrier
    assert drawn.is_at_barrier(None) == at_barrier


@pytest.mark.parametrize("expected", [0x80000000, 0xFFFFFFFF])
def test_a_lock_of_the_runtime_is_no_barrier(expected: int) -> None:
    waits = replace(BARRIER, futex=Futex(expected=expected, word=expected))
    assert not MASTER_AT_END.is_at_barrier(waits)


def test_a_generation_just_below_those_of_locks_is_a_barrier() -> None:
    assert MASTER_AT_END.is_at_barrier(replace(BARRIER, futex=Futex(expected=0x7FFFFFFF, word=0)))


def test_a_call_that_is_no_futex_may_be_one_at_a_barrier() -> None:
    assert MASTER_AT_END.is_at_barrier(Call(name="sched_yield"))


ONCE = (f"futex_wait@{LIBC}", f"__pthread_once_slow@{LIBC}")


@pytest.mark.parametrize(
    ("native", "initialiser", "is_once"),
    [
        ((), "", False),
        ((f"syscall@{LIBC}", f"__cxa_guard_acquire@{STDCXX}", "table()@a.so"), "table()", False),
        ((f"__cxa_guard_acquire@{STDCXX}", "table()@a.so"), "table()", False),
        ((f"futex_wait@{LIBC}",) * 2 + (f"__pthread_once_slow@{LIBC}", "init()@a.so"), "init()", True),
        ((f"futex_wait@{LIBC}", f"pthread_once@{LIBC}", "init()@a.so"), "init()", True),
        ((f"futex_wait@{LIBC}", f"__pthread_once@{LIBC}", "init()@a.so"), "init()", True),
        ((*ONCE, "__gthread_once@a.so", "std::call_once<f>@a.so", "go()@a.so"), "go()", True),
        ((f"f@{LIBC}",) * 3 + (f"__cxa_guard_acquire@{STDCXX}", "table()@a.so"), "table()", False),
        ((f"f@{LIBC}",) * 3 + (f"pthread_once@{LIBC}", "init()@a.so"), "init()", True),
        # Too far out: what waits there waits for something else.
        ((f"f@{LIBC}",) * 4 + (f"__cxa_guard_acquire@{STDCXX}", "table()@a.so"), "", False),
        ((f"f@{LIBC}",) * 4 + (f"pthread_once@{LIBC}", "init()@a.so"), "", False),
        # It runs the initialiser, and waits inside of it.
        ((f"futex_wait@{LIBC}", f"pthread_once@{LIBC}", "@a.so"), "", True),
        ((f"read@{LIBC}", "__cxa_guard_release@a.so", "table()@a.so"), "", False),
    ],
)  # fmt: skip
def test_an_initialiser_is_known_by_what_waits_for_it(
    native: tuple[str, ...], initialiser: str, *, is_once: bool
) -> None:
    found = stack(*native)
    assert (found.initialiser.function if found.initialiser else "") == initialiser
    assert found.waits_for_once == is_once


TABLE = Frame(function="table()", library="a.so")


def test_who_waits_for_an_initialiser_is_not_inside_of_it() -> None:
    waits = stack(f"syscall@{LIBC}", f"__cxa_guard_acquire@{STDCXX}", "table()@a.so", "main@a.so")
    assert not waits.is_inside(TABLE)
    assert waits.is_inside(Frame(function="main", library="a.so"))


def test_who_runs_a_function_of_that_library_is_inside_of_it() -> None:
    runs = stack(f"read@{LIBC}", "table()@a.so", "main@a.so")
    assert runs.is_inside(TABLE)
    assert runs.is_inside(replace(TABLE, line=7, file="table.cpp"))
    assert not runs.is_inside(replace(TABLE, library="b.so"))
    assert not runs.is_inside(replace(TABLE, function="other()"))


def test_who_runs_an_initialiser_waits_for_none() -> None:
    assert (
        stack(f"read@{LIBC}", "init()@a.so", f"__pthread_once_slow@{LIBC}", "go()@a.so").initialiser is None
    )


def test_an_initialiser_without_a_name_is_none() -> None:
    assert stack(f"syscall@{LIBC}", f"__cxa_guard_acquire@{STDCXX}", "@a.so").initialiser is None


def test_a_lock_is_no_barrier_of_who_is_not_in_openmp() -> None:
    assert not NO_OPENMP.is_at_barrier(LOCK)


@pytest.mark.parametrize(
    ("native", "runs_once"),
    [
        ((), False),
        (("go()@a.so",), False),
        (ONCE, False),
        (
            (f"read@{LIBC}", "f@a.so", "g@a.so", "init()@a.so", f"__pthread_once_slow@{LIBC}", "go()@a.so"),
            True,
        ),
        ((f"read@{LIBC}", "f@a.so", "g@a.so", "init()@a.so", "std::call_once<f>@a.so", "go()@a.so"), True),
    ],
)
def test_who_runs_a_once_has_it_further_out(native: tuple[str, ...], *, runs_once: bool) -> None:
    assert stack(*native).runs_once == runs_once


def test_who_runs_a_once_does_not_wait_for_it_however_short_the_way() -> None:
    runs = stack(f"read@{LIBC}", "init()@a.so", f"__pthread_once_slow@{LIBC}", "go()@a.so")
    assert runs.initialiser is None
    assert runs.runs_once
