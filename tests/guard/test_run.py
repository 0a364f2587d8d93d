"""A command under the guard is what it would be without it, and its end is told exactly."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gilgrid.guard import Command, End, command, run

if TYPE_CHECKING:
    from tests.guard.conftest import Witness


def shell(script: str, *arguments: str, deadline_s: float | None = None) -> Command:
    return Command(argv=("/bin/sh", "-c", script, "sh", *arguments), deadline_s=deadline_s)


def python(program: str, *arguments: str) -> Command:
    return Command(argv=(sys.executable, "-I", "-S", "-c", program, *arguments))


@pytest.mark.parametrize("code", [0, 1, 127, 255])
def test_the_exit_code_is_the_commands_own(code: int) -> None:
    ending = run(shell(f"exit {code}"))
    assert (ending.end, ending.exit_code, ending.signal) == (End.EXITED, code, None)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGPIPE])
def test_a_signal_that_ends_the_command_is_named(number: int) -> None:
    ending = run(shell(f"kill -{number} $$; read never"))
    assert (ending.end, ending.exit_code, ending.signal) == (End.SIGNALLED, None, number)


def test_at_the_deadline_neither_exit_code_nor_signal_is_the_commands() -> None:
    ending = run(shell("echo begun; exec sleep 60", deadline_s=0.5))
    assert (ending.end, ending.exit_code, ending.signal) == (End.DEADLINE, None, None)
    assert ending.seconds >= 0.5
    assert len(ending.ended) == 1


def test_a_command_that_ends_before_its_deadline_has_met_it() -> None:
    assert run(shell("exit 3", deadline_s=60.0)).exit_code == 3


@pytest.mark.parametrize(
    ("argv", "cwd", "named"),
    [
        (("no-such-command",), None, "no-such-command: No such file or directory"),
        (("/etc/passwd",), None, "/etc/passwd: Permission denied"),
        (("/",), None, "/: Permission denied"),
        (("",), None, ""),
        (("true",), Path("/no/such/folder"), "/no/such/folder: No such file or directory"),
        (("true", "x" * 200_000), None, "true: Argument list too long"),
    ],
)
def test_what_cannot_be_executed_is_not_found_and_says_why(
    argv: tuple[str, ...], cwd: Path | None, named: str
) -> None:
    ending = run(Command(argv=argv, cwd=cwd))
    assert ending.end is End.NOT_FOUND
    assert named in ending.detail


@pytest.mark.parametrize(
    ("arguments", "mistake"),
    [
        ({"argv": ()}, "argv is empty"),
        ({"argv": ("a\0b",)}, "NUL"),
        ({"argv": ("true",), "env": {"A": "\0"}}, "NUL"),
        ({"argv": ("true",), "deadline_s": -1.0}, "deadline_s"),
        ({"argv": ("true",), "deadline_s": float("nan")}, "deadline_s"),
        ({"argv": ("true",), "output_limit_bytes": -1}, "output_limit_bytes"),
    ],
)
def test_a_command_that_can_never_run_is_refused_when_it_is_made(
    arguments: dict[str, object], mistake: str
) -> None:
    with pytest.raises(ValueError, match=mistake):
        Command(**arguments)  # type: ignore[arg-type]


def test_arguments_arrive_byte_for_byte() -> None:
    words = ("two words", "new\nline", "", "'\"\\$", "ü", os.fsdecode(b"\xff\xfe"))
    ending = run(
        python("import os, sys; os.write(1, repr([os.fsencode(w) for w in sys.argv[1:]]).encode())", *words)
    )
    assert ending.output == repr([os.fsencode(word) for word in words])


def test_the_environment_is_exactly_the_one_given() -> None:
    env = {"A": "line\nline", "EMPTY": "", "BYTES": os.fsdecode(b"\xff"), "BIG": "x" * 100_000}
    program = "import os; os.write(1, repr(sorted(os.environb.items())).encode())"
    ending = run(
        Command(
            argv=(sys.executable, "-I", "-S", "-X", "utf8", "-c", program), env={"LC_ALL": "C.UTF-8"} | env
        )
    )
    given = {"LC_ALL": "C.UTF-8"} | env
    assert ending.output == repr(
        sorted((os.fsencode(name), os.fsencode(value)) for name, value in given.items())
    )


def test_without_one_the_environment_is_gilgrids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("GUARD_TEST", "inherited")
    ending = run(Command(argv=("env", "-0"), output_limit_bytes=1 << 24))
    assert set(ending.output.split("\0")) - {""} == {f"{name}={value}" for name, value in os.environ.items()}


def test_the_folder_is_the_one_given(tmp_path: Path) -> None:
    (tmp_path / "here").touch()
    assert run(Command(argv=("ls",), cwd=tmp_path)).output == "here\n"


def test_no_signal_is_blocked_or_ignored_whatever_gilgrid_does() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGCHLD, signal.SIGTERM})
    try:
        ending = run(Command(argv=("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status")))
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1, signal.SIGCHLD, signal.SIGTERM})
        signal.signal(signal.SIGHUP, before)
    assert ending.output.split() == ["SigBlk:", "0" * 16, "SigIgn:", "0" * 16]


def test_it_leads_a_session_of_its_own_and_reads_nothing() -> None:
    ending = run(python("import os, sys; print(os.getsid(0) == os.getpid(), repr(sys.stdin.read()))"))
    assert ending.output == "True ''\n"


def test_commands_side_by_side_hold_no_descriptor_of_one_another() -> None:
    script = "for fd in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/self/fd/$fd ] && echo own $fd; done"
    with ThreadPoolExecutor(8) as pool:
        # /proc/PPID/fd is the supervisor's: one socket, and some pipes.
        endings = list(pool.map(run, [shell(f"{script}; ls -l /proc/$PPID/fd")] * 40))
    held = [re.findall(r"(?:socket|pipe):\[\d+\]", ending.output) for ending in endings]
    assert {sum(name.startswith("socket") for name in set(names)) for names in held} == {1}
    assert sum(len(set(names)) for names in held) == len(set.union(*map(set, held)))
    assert {tuple(re.findall(r"own \d", ending.output)) for ending in endings} == {
        ("own 0", "own 1", "own 2")
    }


def test_no_open_file_of_gilgrid_reaches_the_command() -> None:
    fd = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(fd, True)  # noqa: FBT003 - as a C library may leave it
    try:
        # What listdir reads the folder with is the fourth.
        assert run(python("import os; print(len(os.listdir('/proc/self/fd')))")).output == "4\n"
    finally:
        os.close(fd)


def test_gilgrid_holds_nothing_when_a_command_is_over() -> None:
    run(shell(":"))
    before = sorted(Path("/proc/self/fd").iterdir())
    run(shell("exit 1"))
    run(Command(argv=("no-such-command",)))
    run(shell("sleep 60", deadline_s=0.0))
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_cancel_all_ends_what_runs_and_lets_nothing_start(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_runs", command._Runs())  # noqa: SLF001 - it is meant to last to the end of the process
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run, witness.shape(shape)) for shape in ("respawner", "ignores TERM")]
        witness.wait_for(10)
        command.cancel_all()
        assert [each.result().end for each in runs] == [End.CANCELLED] * 2
    witness.assert_nothing_left()
    assert run(shell("exit 0")).end is End.CANCELLED


def test_an_exception_from_on_quiet_ends_the_command(witness: Witness) -> None:
    def interrupt(_: bool) -> None:  # noqa: FBT001 - the seam's form
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(replace(witness.shape("plain"), prove=True), on_quiet=interrupt)
    witness.assert_nothing_left()


def test_a_sleeper_is_quiet_and_told_of_when_it_works_again(tmp_path: Path) -> None:
    program = """
import os, sys
open(sys.argv[1]).read()
while not os.path.exists(sys.argv[2]):
    pass
"""
    wake, enough = tmp_path / "wake", tmp_path / "enough"
    os.mkfifo(wake)
    told = []

    def on_quiet(quiet: bool) -> None:  # noqa: FBT001 - the seam's form
        told.append((quiet, threading.get_ident()))
        if quiet:
            wake.write_text("")
        else:
            enough.touch()

    ending = run(replace(python(program, str(wake), str(enough)), prove=True), on_quiet=on_quiet)
    assert ending.exit_code == 0, ending.output
    assert told == [(True, threading.get_ident()), (False, threading.get_ident())]


def test_a_busy_loop_is_never_quiet_even_when_a_grandchild_does_the_work() -> None:
    loop = "import time\\nwhile time.process_time() < 2: pass"
    told: list[bool] = []
    busy = shell(f"(printf '{loop}' | {sys.executable} -I -S -) & wait")
    ending = run(replace(busy, prove=True), on_quiet=told.append)
    assert ending.exit_code == 0, ending.output
    assert told == []
    assert ending.cpu_seconds >= 2


def test_a_suspicion_is_told_before_the_deadlock_is_and_nowhere_else() -> None:
    told: list[int] = []

    def on_suspicion() -> None:
        told.append(threading.get_ident())

    hang = python("import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()")
    assert run(replace(hang, prove=True), on_suspicion=on_suspicion).end is End.DEADLOCK
    assert set(told) == {threading.get_ident()}
    told.clear()
    assert run(replace(python("pass"), prove=True), on_suspicion=on_suspicion).exit_code == 0
    assert told == []


def test_a_hang_that_sleeps_uses_no_cpu_and_one_that_spins_does() -> None:
    sleeps = run(replace(python("import threading\nthreading.Event().wait()"), prove=True))
    spins = run(replace(python("while True: pass"), prove=True, deadline_s=2))
    assert sleeps.evidence
    assert spins.evidence
    assert sleeps.evidence["cpus_used"] == 0
    assert spins.evidence["cpus_used"] > 0.05


def test_the_largest_process_of_the_tree_is_measured() -> None:
    ending = run(python("import os\nif os.fork() == 0: bytearray(200 << 20)\nelse: os.wait()"))
    assert 200 << 20 <= ending.max_rss_bytes < 300 << 20


def test_another_thread_may_change_the_environment_meanwhile() -> None:
    over = threading.Event()

    def change() -> None:
        while not over.is_set():
            for number in range(50):
                os.environ[f"GUARD_TEST_{number}"] = "x"
            for number in range(50):
                del os.environ[f"GUARD_TEST_{number}"]

    changing = threading.Thread(target=change)
    changing.start()
    try:
        endings = [run(Command(argv=("true",))) for _ in range(50)]
    finally:
        over.set()
        changing.join()
    assert {(ending.end, ending.detail) for ending in endings} == {(End.EXITED, "")}
