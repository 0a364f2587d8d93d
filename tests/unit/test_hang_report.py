"""What people read of a hang: one line that is the same in every run, and a report that fits a terminal."""

from __future__ import annotations

import io
import random
from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from gilgrid.advice import ADVICE
from gilgrid.evidence import Cause, Evidence, Frame, Waiter
from gilgrid.model import Verdict
from gilgrid.report.hang import hang, sentence, text
from gilgrid.report.terminal import print_to
from gilgrid.telling import UNNAMED, name, telling


def waiter(tid: int, **facts: Any) -> Waiter:
    return Waiter(
        **{"pid": 4711, "process": "python", "is_main": tid == 4711, "dead": True, **facts, "tid": tid}
    )


def at(function: str, place: str = "") -> Frame:
    file, _, number = place.partition(":")
    return Frame(function=function, file=file, line=int(number or 0))


HOLDER = waiter(
    4711,
    holds_gil=True,
    waits_for="at an OpenMP barrier",
    released_by=(4713,),
    python=(at("solve", "/project/src/tiny/kernel.pyx:15"), at("main", "/project/probe.py:132")),
    native=(
        Frame(function="gomp_wait", file="/usr/lib/libgomp.so.1", library="/usr/lib/libgomp.so.1"),
        Frame(function="void tiny::solve_all<double>(double*, int)", file="/project/solve.cpp", line=31),
    ),
)
SOLVE_HOLDS = "solve (kernel.pyx:15) holds the GIL"
WORKER = waiter(
    4713,
    waits_for="for the GIL",
    released_by=(4711,),
    native=(
        Frame(function="PyGILState_Ensure", library="libpython3.11.so.1.0"),
        Frame(function="__Pyx_ErrOccurredWithGIL", library="callback.so"),
        Frame(
            function="callback_solve_one", file="???", library="/x/callback.cpython-311-x86_64-linux-gnu.so"
        ),
    ),
)
BARRIER = Evidence(
    cause=Cause.GIL_VS_OPENMP_BARRIER,
    threads=(HOLDER, WORKER),
    cycle=(4711, 4713),
    others=3,
    detected_after=0.42,
)
ONE = waiter(1, waits_for="for a mutex", released_by=(2,), python=(at("audit", "/project/bank.py:9"),))
TWO = waiter(2, waits_for="for a mutex", released_by=(1,), python=(at("transfer", "/project/bank.py:4"),))
LOCKS = Evidence(cause=Cause.LOCK_ORDER, threads=(ONE, TWO), cycle=(1, 2), detected_after=1)
ALONE = replace(HOLDER, waits_for="for the GIL", released_by=(4711,))
ITSELF = Evidence(cause=Cause.GIL_HELD_BY_WAITER, threads=(ALONE,), cycle=(4711,), detected_after=1)
PARENT = waiter(
    100, pid=100, is_main=True, waits_for="for a child process", python=(at("run", "/project/run.py:3"),)
)
CHILD = waiter(200, pid=200, is_main=True, process="cat", waits_for="to write", released_by=(100,))
PIPE = Evidence(cause=Cause.FULL_PIPE, threads=(PARENT, CHILD), cycle=(100, 200), detected_after=1)
SPINNER = waiter(
    7,
    waits_for="for nothing: it runs",
    dead=False,
    python=(at("poll", "/project/poll.py:7"),),
    holds_gil=True,
)
SPINNING = Evidence(cause=Cause.SPINNING, threads=(SPINNER, replace(WORKER, dead=False)))
WAITING = Evidence(threads=(replace(ONE, dead=False),))
HOSTILE = "\x1b[2J[red]\u202egnp\x00\ud800\n\tx[/]"


def report(evidence: Evidence, verdict: Verdict = Verdict.DEADLOCK) -> str:
    return text(evidence, verdict=verdict, deadline_s=20)


def printed(evidence: Evidence, width: int = 80, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    console = Console(file=io.TextIOWrapper(raw, encoding), width=width, color_system=None)
    print_to(console, hang(evidence, verdict=Verdict.DEADLOCK))
    console.file.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize(
    ("evidence", "line"),
    [
        (
            BARRIER,
            f"the GIL against an OpenMP barrier: {SOLVE_HOLDS}, callback_solve_one waits for it",
        ),
        (
            LOCKS,
            "locks taken in opposite orders: audit (bank.py:9) and transfer (bank.py:4) wait for each other",
        ),
        (ITSELF, "a thread that waits for the GIL which it holds itself: solve (kernel.pyx:15)"),
        (PIPE, "a full pipe that nobody reads: process cat and run (run.py:3) wait for each other"),
        (SPINNING, "a thread that runs without end: poll (poll.py:7)"),
        (
            replace(LOCKS, threads=(ONE, replace(ONE, tid=2))),
            "locks taken in opposite orders: threads in audit (bank.py:9) wait for each other",
        ),
        (
            replace(LOCKS, cause=Cause.LOST_WAKEUP, cycle=(), threads=(ONE,)),
            "a wait that nobody is left to end: audit (bank.py:9) waits",
        ),
        (
            replace(LOCKS, threads=(ONE, replace(TWO, python=()))),
            "locks taken in opposite orders: a thread of python and audit (bank.py:9) wait for each other",
        ),
        (
            replace(
                LOCKS, threads=(ONE, replace(TWO, python=(), native=(Frame(function="", library="/a/b.so"),)))
            ),
            "locks taken in opposite orders: audit (bank.py:9) and code of b.so wait for each other",
        ),
        (replace(BARRIER, threads=(), cycle=()), "the GIL against an OpenMP barrier"),
        (
            replace(LOCKS, cause=None),
            f"{UNNAMED}: audit (bank.py:9) and transfer (bank.py:4) wait for each other",
        ),
    ],
)
def test_a_hang_comes_down_to_one_line(evidence: Evidence, line: str) -> None:
    assert sentence(evidence) == line


@pytest.mark.parametrize("evidence", [BARRIER, LOCKS, PIPE])
def test_the_line_does_not_tell_which_thread_was_seen_first(evidence: Evidence) -> None:
    moved = replace(evidence, threads=evidence.threads[::-1], cycle=evidence.cycle[::-1], detected_after=9)
    renamed = tuple(replace(one, pid=one.pid + 50, tid=one.tid + 60) for one in evidence.threads)
    elsewhere = replace(evidence, threads=renamed, cycle=tuple(tid + 60 for tid in evidence.cycle))

    assert sentence(moved) == sentence(elsewhere) == sentence(evidence)


def test_of_a_whole_team_the_line_names_the_same_worker_whoever_came_first() -> None:
    team = [replace(WORKER, tid=5000 + n, native=(at(f"work_{n}"),)) for n in range(9)]
    lines = set()
    for seed in range(9):
        random.Random(seed).shuffle(team)  # noqa: S311 - an order, no secret
        lines.add(sentence(replace(BARRIER, threads=(HOLDER, *team), cycle=())))

    assert lines == {f"the GIL against an OpenMP barrier: {SOLVE_HOLDS}, work_0 waits for it"}


def test_the_line_names_the_waiter_of_the_circle_before_others_that_want_the_gil() -> None:
    logger = replace(WORKER, tid=4712, native=(at("a_logger"),))

    assert sentence(replace(BARRIER, threads=(HOLDER, logger, WORKER))) == sentence(BARRIER)


@pytest.mark.parametrize(
    ("python", "native", "function"),
    [
        (
            [at("wait", "/usr/lib/python3.11/threading.py:5"), at("mine", "/x/site-packages/m.py:1")],
            [],
            "mine",
        ),
        ([at("_lock", "<frozen importlib._bootstrap>:5"), at("mine", "/m.py:1")], [], "mine"),
        ([at("wait", "/usr/lib/python3.11/threading.py:5")], [at("solve")], "solve"),
        ([at("wait", "/usr/lib/python3.11/threading.py:5")], [at("pthread_cond_wait")], "wait"),
        ([], [at("take_gil"), at("PyGILState_Ensure"), at("__Pyx_ErrOccurredWithGIL"), at("one")], "one"),
        ([], [at("GOMP_parallel"), at("__kmpc_barrier"), at("std::thread::join()"), at("run")], "run"),
        ([], [Frame(function="0x1234", library="/lib/libgomp.so.1.0.0"), at("PyramidSolve")], "PyramidSolve"),
        ([], [Frame(function="strange", library="libc.so.6")], "strange"),
        ([], [Frame(function="", library="libcurious.so"), at("named")], "named"),
        ([], [Frame(function="mine", library="libcurious.so"), at("other")], "mine"),
    ],
)
def test_the_telling_frame_is_of_the_program_itself(
    python: list[Frame], native: list[Frame], function: str
) -> None:
    frame = telling(waiter(1, python=tuple(python), native=tuple(native)))

    assert frame
    assert frame.function == function


@pytest.mark.parametrize(
    ("function", "short"),
    [
        ("solve", "solve"),
        ("<module>", "<module>"),
        ("f.<locals>.g", "f.<locals>.g"),
        ("void ns::solve<std::vector<int>, 3>(double*, int) const", "ns::solve"),
        ("(anonymous namespace)::solve(int)", "(anonymous namespace)::solve"),
        ("ns::Solver::operator()(int)", "ns::Solver::operator"),
        ("ns::~Solver()", "ns::~Solver"),
        ("a" * 100, "..." + "a" * 57),
        ("f\x1b[2J\u202e", r"f\x1b[2J\u202e"),
        ("", "?"),
    ],
)
def test_a_name_is_shown_without_what_its_compiler_added(function: str, short: str) -> None:
    assert name(function) == short


def test_the_report_says_first_what_is_proven_and_why() -> None:
    assert " ".join(report(BARRIER).split("\n\n")[0].split()) == (
        "deadlock, proven 0.4 s after the last progress: the GIL against an OpenMP barrier: "
        "thread 4711 holds the GIL and waits for thread 4713, which waits for the GIL"
    )


def test_the_diagram_goes_from_each_thread_to_whom_it_waits_for_and_back() -> None:
    assert report(BARRIER).split("\n\n")[1].splitlines() == [
        "  ┌▶ thread 4711 (main), holds the GIL",
        "  │    waits at an OpenMP barrier for",
        "  │  thread 4713",
        "  │    waits for the GIL, held by",
        "  └─ thread 4711 (main)",
    ]


def test_a_thread_that_waits_for_itself_is_a_circle_of_one() -> None:
    assert report(ITSELF).split("\n\n")[1].splitlines() == [
        "  ┌▶ thread 4711 (main), holds the GIL",
        "  │    waits for the GIL, held by",
        "  └─ itself",
    ]


def test_a_circle_through_several_processes_names_them() -> None:
    assert report(PIPE).split("\n\n")[1].splitlines() == [
        "  ┌▶ process 100 (python)",
        "  │    waits for a child process:",
        "  │  process 200 (cat)",
        "  │    waits to write to",
        "  └─ process 100 (python)",
    ]


@pytest.mark.parametrize(
    ("wait", "row"),
    [
        ("for a thread to end", "waits for a thread to end:"),
        ("to read", "waits to read from"),
        (
            "for a lock, a condition or a semaphore",
            "waits for a lock, a condition or a semaphore, which is up to",
        ),
        (
            "for the initialisation of a static variable",
            "waits for the initialisation of a static variable, under way in",
        ),
        ("a child", "waits for a child:"),
        ("", "waits for"),
    ],
)
def test_each_wait_leads_to_the_next_thread_in_words(wait: str, row: str) -> None:
    assert f"  │    {row}\n" in report(replace(LOCKS, threads=(replace(ONE, waits_for=wait), TWO)))


def test_a_long_circle_is_cut_and_says_so() -> None:
    ring = tuple(waiter(n, waits_for="for a mutex", released_by=(n % 64 + 1,)) for n in range(1, 65))
    shown = report(replace(LOCKS, threads=ring, cycle=tuple(range(1, 65))))

    assert "thread 1 waits for thread 2, and so on through 64 threads back to it" in " ".join(shown.split())
    assert [row for row in shown.splitlines() if row.startswith("  │")][-3:] == [
        "  │    waits, as do 55 more of this circle, for",
        "  │  thread 64",
        "  │    waits for a mutex, held by",
    ]


def test_every_thread_has_its_wait_its_release_and_its_frames() -> None:
    holder, worker = report(BARRIER).split("\n\n")[2:4]

    assert holder.splitlines() == [
        "thread 4711 (main) holds the GIL and waits at an OpenMP barrier",
        "  only thread 4713 could release it",
        "    Python  solve            /project/src/tiny/kernel.pyx:15",
        "            main             /project/probe.py:132",
        "    native  gomp_wait        libgomp.so.1",
        "            tiny::solve_all  /project/solve.cpp:31",
    ]
    assert worker.splitlines() == [
        "thread 4713 waits for the GIL",
        "  only thread 4711 (main) could release it",
        "    native  PyGILState_Ensure         libpython3.11.so.1.0",
        "            __Pyx_ErrOccurredWithGIL  callback.so",
        "            callback_solve_one        callback.so",
    ]


def test_threads_that_wait_alike_are_told_of_once() -> None:
    team = tuple(replace(WORKER, tid=4713 + n) for n in range(7))
    shown = report(replace(BARRIER, threads=(HOLDER, *team)))

    assert (
        "threads 4713, 4714, 4715 and 4 others wait for the GIL\n  only thread 4711 (main) could release them"
        in shown
    )
    assert shown.count("PyGILState_Ensure") == 1


def test_a_wait_that_nobody_could_end_says_so() -> None:
    assert "  nobody could release it\n" in report(
        replace(LOCKS, threads=(replace(ONE, released_by=()), TWO))
    )


@pytest.mark.parametrize(
    ("others", "line"),
    [(1, "1 more thread can never run again either"), (3, "3 more threads can never run again either")],
)
def test_other_threads_are_counted(others: int, line: str) -> None:
    assert f"\n{line}\n" in report(replace(BARRIER, others=others))


def test_what_was_not_permitted_is_told_with_what_permits_it() -> None:
    assert "\nnot permitted: ptrace; run with --cap-add\n" in report(
        replace(BARRIER, not_permitted="ptrace; run\nwith --cap-add")
    )


def test_no_word_is_broken() -> None:
    path = f"/{'long' * 30}/mem"

    assert f"\n{path}\n" in report(replace(BARRIER, not_permitted=f"to read {path}"))


def test_a_process_may_have_a_name_of_any_length() -> None:
    rows = report(replace(PIPE, threads=(PARENT, replace(CHILD, process="c" * 200)))).splitlines()

    assert max(map(cell_len, rows)) <= 80


@pytest.mark.parametrize("cause", Cause)
def test_the_report_ends_with_what_to_change_and_the_rule_behind_it(cause: Cause) -> None:
    rows = report(replace(BARRIER, cause=cause)).splitlines()

    assert rows[rows.index("what to change") + 1].startswith("  - ")
    assert rows[-1].strip() == ADVICE[cause].link


def test_a_cause_without_a_name_has_no_advice() -> None:
    assert "what to change" not in report(replace(LOCKS, cause=None))


def test_a_spinning_thread_is_not_called_a_proof() -> None:
    shown = report(SPINNING, Verdict.TIMEOUT)

    assert shown.startswith("timeout after 20 s, no deadlock is proven: a thread that runs without end: poll")
    assert "thread 7 holds the GIL and runs\n    Python  poll  /project/poll.py:7\n" in shown
    assert not {"only", "never run again"} & set(shown.split())


def test_a_timeout_without_a_cause_says_what_its_threads_were_at() -> None:
    assert report(WAITING, Verdict.TIMEOUT) == (
        "timeout after 20 s, no deadlock is proven\n\n"
        "thread 1 waits for a mutex\n  thread 2 could release it\n    Python  audit  /project/bank.py:9\n"
    )


def test_a_timeout_of_which_nothing_is_known_says_so() -> None:
    assert report(Evidence(), Verdict.TIMEOUT) == (
        "timeout after 20 s, no deadlock is proven: nothing of its threads is known\n"
    )


LONG = replace(
    HOLDER,
    python=tuple(
        at("a_function_with_a_long_name" * 5, f"/{'a_folder_with_a_long_name/' * 9}file.py:{n}")
        for n in range(9)
    ),
    native=(
        at("ns::" * 30 + "f(int)", f"/{'x' * 300}.cpp:1"),
        at("日本語" * 40, "/日本語/" + "語" * 80 + ".py:7"),
    ),
)


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("holder", [HOLDER, LONG])
def test_every_line_fits_eighty_columns(cause: Cause, holder: Waiter) -> None:
    rows = report(replace(BARRIER, cause=cause, threads=(holder, WORKER))).splitlines()

    assert [row for row in rows if cell_len(row) > 80] == []


def test_a_long_path_keeps_its_end_between_two_slashes() -> None:
    shown = report(replace(BARRIER, threads=(LONG, WORKER)))

    assert ".../file.py:1" in shown
    assert "::ns::ns::f  " in shown
    assert "            and 4 more\n" in shown


def test_the_frame_that_tells_is_shown_however_far_out_it_is() -> None:
    inner = tuple(at(f"wait_{n}", f"/usr/lib/python3.11/threading.py:{n}") for n in range(1, 8))
    outer = (at("mine", "/project/mine.py:1"), at("start", "/usr/lib/python3.11/runpy.py:1"))

    (_, _, first, second, *_) = report(
        replace(LOCKS, threads=(replace(ONE, python=inner + outer), TWO))
    ).split("\n\n")

    assert first.splitlines()[2:] == [
        "    Python  wait_1  threading.py:1",
        "            wait_2  threading.py:2",
        "            wait_3  threading.py:3",
        "            wait_4  threading.py:4",
        "            and 3 more",
        "            mine    /project/mine.py:1",
        "            and 1 more",
    ]
    assert "more" not in second


def test_what_is_installed_is_shown_from_its_package_on() -> None:
    frames = (
        at("wait", "/usr/lib/python3.11/threading.py:5"),
        at("f", "/x/lib/python3.8/site-packages/tiny/a.py:1"),
    )
    shown = report(replace(LOCKS, threads=(replace(ONE, python=frames), TWO)))

    assert "wait  threading.py:5" in shown
    assert "f     tiny/a.py:1" in shown


@pytest.mark.parametrize("evidence", [BARRIER, LOCKS, ITSELF, PIPE, SPINNING])
@pytest.mark.parametrize("width", [80, 200])
def test_a_terminal_shows_the_same_as_a_log(evidence: Evidence, width: int) -> None:
    assert printed(evidence, width) == text(evidence, verdict=Verdict.DEADLOCK)


def test_a_narrow_terminal_loses_no_name() -> None:
    assert "callback_solve_one" in printed(BARRIER, 60)
    assert max(map(cell_len, printed(BARRIER, 60).splitlines())) <= 60


def test_where_there_is_only_ascii_the_diagram_is_drawn_with_it() -> None:
    assert printed(BARRIER, encoding="ascii").split("\n\n")[1].splitlines() == [
        "  +> thread 4711 (main), holds the GIL",
        "  |    waits at an OpenMP barrier for",
        "  |  thread 4713",
        "  |    waits for the GIL, held by",
        "  +- thread 4711 (main)",
    ]


def test_a_program_cannot_write_on_the_terminal_by_what_it_calls_itself() -> None:
    frame = Frame(function=HOSTILE, file=HOSTILE, line=1, library=HOSTILE)
    bad: dict[str, Any] = {"process": HOSTILE, "waits_for": HOSTILE, "python": (frame,), "native": (frame,)}
    evidence = replace(PIPE, threads=(replace(PARENT, **bad), replace(CHILD, **bad)), not_permitted=HOSTILE)

    for shown in (printed(evidence), report(evidence), sentence(evidence)):
        assert not set(shown) & set("\x1b\u202e\x00\ud800\t")
        assert r"\x1b[2J[red]\u202egnp\x00\ud800 x[/]" in " ".join(shown.split())


def test_a_thread_that_is_only_named_in_the_circle_is_shown() -> None:
    assert "  │  thread 99\n  │    waits for\n" in report(replace(LOCKS, cycle=(1, 99)))
