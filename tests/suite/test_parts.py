"""Where else a suite can hang, what ends it, and what switches gilgrid off."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from coverage import CoverageData

if TYPE_CHECKING:
    from tests.suite.conftest import Suite

ALONE = ()
WORKERS = ("-n", "2")


# Where


@pytest.mark.parametrize("how", [ALONE, WORKERS])
def test_a_fixture_that_hangs_is_an_error_of_its_test(suite: Suite, how: tuple[str, ...]) -> None:
    suite.write("""
@pytest.fixture
def before():
    hang()

@pytest.fixture
def after():
    yield
    hang()

def test_before(before): pass
def test_between(): pass
def test_after(after): print("in the call")
def test_last(): pass
""")
    done = suite.watched(*how)
    assert done.outcome == "3 passed, 2 errors"
    assert {row.partition(" - ")[0] for row in done.summary} == {
        "ERROR test_it.py::test_before",
        "ERROR test_it.py::test_after",
    }
    assert "at setup of test_before" in done.out or how
    assert "at teardown of test_after" in done.out or how


def test_a_module_that_hangs_is_an_error_of_its_collection(suite: Suite) -> None:
    suite.write("def test_well(): pass", "test_a.py")
    suite.write("hang()", "test_b.py")
    suite.write("def test_well(): pass", "test_c.py")
    done = suite.watched()
    assert done.code == pytest.ExitCode.INTERRUPTED
    (row,) = done.summary
    assert row.startswith("ERROR test_b.py - deadlock: ")
    assert "collected 2 items / 1 error" in done.out

    done = suite.watched("--continue-on-collection-errors")
    assert done.outcome == "2 passed, 1 error"


@pytest.mark.parametrize("how", [ALONE, WORKERS])
@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("hang()", "while starting"),
        ("def pytest_collection_modifyitems():\n    hang()", "while putting the tests in order"),
        ("def pytest_sessionfinish():\n    hang()", "while finishing the session"),
    ],
)
def test_a_session_that_hangs_says_where(suite: Suite, how: tuple[str, ...], where: str, said: str) -> None:
    suite.write(where, "conftest.py")
    suite.write("def test_well(): pass")
    done = suite.watched(*how)
    assert done.code == pytest.ExitCode.INTERNAL_ERROR
    assert f"gilgrid: deadlock {said}" in done.out + done.err
    assert "conftest.py" in done.out + done.err


def test_where_nothing_can_be_kept_the_first_hang_is_told_and_ends_the_run(suite: Suite) -> None:
    suite.python = ("bash", "-c", 'ulimit -f 1; exec "$0" "$@"', sys.executable)
    suite.write("def test_hangs(): hang()\ndef test_well(): pass")
    done = suite.watched("-p", "no:cacheprovider")
    assert done.code == pytest.ExitCode.INTERNAL_ERROR
    assert "gilgrid: what has ended cannot be kept" in done.err
    assert "deadlock while testing" in done.err


@pytest.mark.parametrize(("hook", "passed"), [("sessionfinish", 3), ("runtest_logfinish", 2)])
def test_what_hangs_that_is_no_test_loses_no_result(suite: Suite, hook: str, passed: int) -> None:
    suite.write(f"def pytest_{hook}():\n    hang()", "conftest.py")
    suite.write("""
def test_fails(): assert 1 == 2
def test_a(): pass
def test_b(): pass
def test_c(): pass
""")
    done = suite.watched("--junitxml=all.xml")
    assert done.code == pytest.ExitCode.INTERNAL_ERROR
    assert "assert 1 == 2" in done.out
    assert done.outcome == f"1 failed, {passed} passed" or passed == 2
    if passed == 2:
        assert "2 tests were not run for that" in done.out


def test_a_worker_that_cannot_collect_is_not_replaced_for_ever(suite: Suite) -> None:
    suite.write("hang()")
    done = suite.watched(*WORKERS)
    assert done.code == pytest.ExitCode.INTERNAL_ERROR
    assert "gilgrid: deadlock while collecting: " in done.out


@pytest.mark.parametrize(("arguments", "code"), [((), 1), (("-k", "nothing"), 5)])
def test_an_exit_that_hangs_is_told_after_the_report(
    suite: Suite, arguments: tuple[str, ...], code: int
) -> None:
    suite.write("""
import atexit

atexit.register(hang)

def test_well(): pass
""")
    done = suite.watched(*arguments)
    assert done.code == code
    assert "gilgrid: deadlock while at its exit" in done.err


# What ends it


@pytest.mark.parametrize("how", [ALONE, WORKERS])
def test_a_process_that_exits_is_a_failure_of_its_test(suite: Suite, how: tuple[str, ...]) -> None:
    suite.write("""
import os

def test_exits(): os._exit(0)
def test_well(): pass
""")
    done = suite.watched(*how)
    assert done.outcome == "1 failed, 1 passed"
    assert "failed: the process " in done.summary[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("of_all", [False, True])
def test_a_signal_ends_it_as_it_ends_pytest(suite: Suite, number: signal.Signals, *, of_all: bool) -> None:
    """As Ctrl-C does, which reaches the whole process group, or ``kill`` of the first process."""
    suite.write("""
import os, subprocess, time

def test_well(): pass
def test_long():
    child = subprocess.Popen(["sleep", "1000"])
    open("draft", "w").write(str(child.pid))
    os.rename("draft", "begun")
    time.sleep(1000)
""")
    begun = suite.begin("--gilgrid")
    while not (suite.folder / "begun").exists():
        assert begun.poll() is None
    if of_all:
        os.killpg(begun.pid, number)
    else:
        begun.send_signal(number)
    out, _ = begun.communicate(timeout=60)
    if number is signal.SIGINT:
        assert begun.returncode == pytest.ExitCode.INTERRUPTED
        assert out.count("! KeyboardInterrupt !") == 1
        assert "1 passed" in out
        with suppress(ProcessLookupError):  # what a test has left behind lives on, as without gilgrid
            os.kill(int((suite.folder / "begun").read_text(encoding="utf-8")), signal.SIGKILL)
    else:
        assert begun.returncode == -number
        assert suite.left() == []


def test_a_killed_pytest_takes_its_tests_with_it(suite: Suite) -> None:
    suite.write("""
import time

def test_long():
    print("begun", file=open("begun", "w"))
    time.sleep(1000)
""")
    begun = suite.begin("--gilgrid")
    while not (suite.folder / "begun").exists():
        assert begun.poll() is None
    begun.kill()
    begun.communicate(timeout=60)
    while suite.left():
        pass


def test_a_fork_that_comes_back_is_ended(suite: Suite) -> None:
    suite.write("""
import os

def test_forks():
    child = os.fork()
    if not child:
        raise RuntimeError("in the child")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1

def test_next(): pass
""")
    done = suite.watched()
    assert done.code == 0
    assert done.outcome == "2 passed"
    assert "test_forks has forked, and its child came back as if it were pytest" in done.err


def test_what_a_hung_test_has_started_is_ended(suite: Suite) -> None:
    suite.write("""
import subprocess

@pytest.mark.timeout(1)
def test_leaves():
    subprocess.Popen(["sleep", "1000"], start_new_session=True)
    hang()
""")
    assert suite.watched().outcome == "1 failed"  # and nothing is left


# Deadlines


@pytest.mark.parametrize(
    ("arguments", "ini", "marker"),
    [
        (("--timeout=1",), "", ""),
        ((), "timeout = 1", ""),
        (("--timeout=100",), "", "@pytest.mark.timeout(1)"),
        (("--timeout=100",), "", "@pytest.mark.timeout(timeout=1, method='thread')"),
        (("--timeout=1", "--timeout-method=signal"), "", ""),
    ],
)
def test_the_deadline_is_that_of_pytest_timeout(
    suite: Suite, arguments: tuple[str, ...], ini: str, marker: str
) -> None:
    (suite.folder / "pytest.ini").write_text(f"[pytest]\n{ini}\n", encoding="utf-8")
    suite.write(f"""
{marker}
def test_spins():
    while True: pass

def test_next(): pass
""")
    done = suite.watched(*arguments)
    assert done.outcome == "1 failed, 1 passed"
    assert "timeout: still running after 1 s: a thread that runs without end: test_spins" in done.summary[0]


def test_a_deadline_may_be_of_the_function_alone(suite: Suite) -> None:
    suite.write("""
import time

@pytest.fixture
def slow():
    time.sleep(1.5)

@pytest.mark.timeout(1, func_only=True)
def test_well(slow): pass

@pytest.mark.timeout(1, func_only=True)
def test_slow(slow): time.sleep(1000)

@pytest.fixture
def slower():
    time.sleep(1000)

@pytest.mark.timeout(1)
def test_with_its_fixture(slower): pass
""")
    done = suite.watched()
    assert done.outcome == "1 failed, 1 passed, 1 error"


def test_without_pytest_timeout_its_option_is_there(suite: Suite) -> None:
    suite.write("def test_spins():\n    while True: pass")
    done = suite.watched("-p", "no:timeout", "--timeout=1")
    assert "still running after 1 s" in done.out


def test_what_is_no_time_is_a_mistake(suite: Suite) -> None:
    suite.write("@pytest.mark.timeout('soon')\ndef test_it(): pass")
    done = suite.watched()
    assert "timeout: 'soon' is no number of seconds" in done.out + done.err


# What switches it off


@pytest.mark.parametrize("arguments", [("-s",), ("--pdb",), ("--trace",), ("--collect-only",)])
def test_it_is_off_where_somebody_talks_with_the_tests(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(
        "import os\nopen('parents', 'a').write(f'{os.getppid()} {os.getpid()}\\n')\ndef test_it(): pass"
    )
    begun = suite.begin("--gilgrid", *arguments)
    begun.communicate(timeout=60)
    parents = (suite.folder / "parents").read_text(encoding="utf-8").split()
    assert int(parents[1]) == begun.pid


def test_it_is_off_by_default_and_imports_nothing(suite: Suite) -> None:
    suite.write("import sys\ndef test_it():\n    assert not [m for m in sys.modules if 'gilgrid.guard' in m]")
    assert suite.run().code == 0
    assert suite.run("-p", "no:gilgrid").code == 0


def test_the_ini_file_switches_it_on(suite: Suite) -> None:
    (suite.folder / "pytest.ini").write_text("[pytest]\ngilgrid = true\n", encoding="utf-8")
    suite.write("def test_it():\n    hang()")
    assert "deadlock: " in suite.run().summary[0]


def test_it_is_off_where_threads_run_already(suite: Suite) -> None:
    suite.write(
        """
import threading

def pytest_addoption():
    threading.Thread(target=threading.Event().wait, args=(2.0,)).start()
""",
        "starts.py",
    )
    suite.write("def test_it(): pass")
    done = suite.watched("-p", "starts")
    assert done.code == 0
    assert "--gilgrid is off: 2 threads run in this process before its tests do" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((), "on"), (("--timeout=5",), "on"), (("-s",), "off, -s lets tests talk with you")],
)
def test_the_header_says_whether_it_is_at_work(suite: Suite, arguments: tuple[str, ...], said: str) -> None:
    suite.write("def test_it(): pass")
    assert f"\ngilgrid: {said}\n" in suite.watched(*arguments).out
    assert "\ngilgrid: " not in suite.run(*arguments).out


@pytest.mark.parametrize("debugger", ["pdb", "gdb"])
def test_it_is_off_where_a_debugger_is_at_work(suite: Suite, debugger: str) -> None:
    suite.write("def test_it(): pass")
    if debugger == "pdb":
        words = ("-c", "break hangs.py:6", "-c", "continue", "-c", "quit")
        suite.python = (*suite.python, "-m", "pdb", *words)
    else:
        suite.python = ("gdb", "-batch", "-ex", "run", "--args", *suite.python)
        if shutil.which("gdb") is None:
            pytest.skip("gdb is not installed")
    assert "gilgrid: off, a debugger is at work" in suite.watched().out


@pytest.mark.parametrize("how", [ALONE, ("-n", "1")])
def test_a_suite_within_a_test_is_left_alone(suite: Suite, how: tuple[str, ...]) -> None:
    suite.write("def test_it(): pass", "inner.py")
    suite.write("""
def test_outer(capsys):
    assert pytest.main(["--gilgrid", "-p", "no:cacheprovider", "inner.py"]) == 0
    assert "gilgrid: off, it is at work in this process already" in capsys.readouterr().out

def test_next(): pass
""")
    assert suite.watched(*how).outcome == "2 passed"


# Coverage


@pytest.mark.parametrize(
    ("python", "arguments"),
    [
        ((), ("--cov=measured",)),
        ((), ("--cov=measured", "--cov-branch")),
        ((), ("--cov=measured", "--cov-context=test")),
        ((), ("--cov=measured", *WORKERS)),
        (("-m", "coverage", "run", "--include=measured.py"), ()),
        (("-m", "coverage", "run", "--include=measured.py", "--branch"), ()),
    ],
)
def test_coverage_of_what_has_ended_is_kept(
    suite: Suite, python: tuple[str, ...], arguments: tuple[str, ...]
) -> None:
    suite.write("def first():\n    return 1\n\ndef second():\n    return 2\n", "measured.py")
    suite.write("""
import measured

def test_first(): measured.first()
def test_hangs(): hang()
def test_second(): measured.second()
def test_hangs_too(): hang()
""")
    suite.python = (*suite.python, *python)
    assert suite.watched(*arguments).outcome == "2 failed, 2 passed"

    data = CoverageData(str(suite.folder / ".coverage"))
    data.read()
    (file,) = data.measured_files()
    returns = {n for n, line in enumerate(Path(file).read_text("utf-8").splitlines(), 1) if "return" in line}
    assert returns <= set(data.lines(file) or ())


def test_coverage_of_an_earlier_run_is_gone_unless_it_is_to_be_kept(suite: Suite) -> None:
    suite.write("def first():\n    return 1\n\ndef second():\n    return 2\n", "measured.py")
    suite.write("import measured\ndef test_first(): measured.first()\ndef test_second(): measured.second()")
    run = (sys.executable, "-m", "coverage", "run", "--include=measured.py")

    def lines(*further: str, chosen: str) -> int:
        suite.python = (*run, *further)
        suite.watched("-k", chosen)
        data = CoverageData(str(suite.folder / ".coverage"))
        data.read()
        return sum(len(data.lines(file) or ()) for file in data.measured_files())

    alone = lines(chosen="first")
    assert lines(chosen="second") == alone
    assert lines("--append", chosen="first") == alone + 1


# What was told before


def test_what_was_told_is_told_once(suite: Suite) -> None:
    suite.write("""
import warnings

def test_fails(record_property):
    record_property("key", "value")
    print("of the one that failed")
    assert 1 == 2

@pytest.mark.skip(reason="not now")
def test_skipped(): pass

@pytest.mark.xfail
def test_expected(): assert False

def test_warns(): warnings.warn("watch out")
def test_hangs(): hang()
def test_last(): pass
""")
    done = suite.watched("-ra", "--junitxml=all.xml", "-v")
    assert done.outcome == "2 failed, 2 passed, 1 skipped, 1 xfailed, 2 warnings"
    assert done.out.count("\nof the one that failed") == 1
    assert done.out.count("test_it.py::test_fails FAILED") == 1
    assert done.out.count("watch out") >= 1
    text = (suite.folder / "all.xml").read_text(encoding="utf-8")
    assert '<property name="key" value="value"' in text


def test_an_unusual_report_is_kept(suite: Suite) -> None:
    suite.write(
        """
def pytest_runtest_makereport():
    pass

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    found = yield
    found.get_result().odd = lambda: None
""",
        "conftest.py",
    )
    suite.write("def test_first(): pass\ndef test_hangs(): hang()\ndef test_last(): pass")
    assert suite.watched().outcome == "1 failed, 2 passed"
