"""What tests and other plugins do to the process, and to the run, that they are in."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from junitparser import JUnitXml

if TYPE_CHECKING:
    from pathlib import Path

    from tests.suite.conftest import Suite


# Tests


@pytest.mark.parametrize(
    "mock",
    [
        "monkeypatch.setattr(os, 'getpid', lambda: 4242)",
        "monkeypatch.setattr(time, 'monotonic', Mock(side_effect=[1.0, 2.0]))",
        "monkeypatch.setattr(time, 'monotonic', lambda: 1e9)",
        "monkeypatch.setattr(os, 'write', Mock(side_effect=OSError(28)))",
        "monkeypatch.setattr(pickle, 'dumps', Mock(side_effect=ValueError))",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))",
    ],
)
def test_what_a_test_replaces_is_not_used(suite: Suite, mock: str) -> None:
    suite.write(f"""
import os, pickle, resource, time
from unittest.mock import Mock

def test_mocks(monkeypatch, record_property):
    record_property("key", "value")
    {mock}

@pytest.mark.timeout(30)
def test_next(): pass
def test_hangs(): hang()
""")
    assert suite.watched("-p", "no:cacheprovider").outcome.startswith("1 failed, 2 passed")


def test_classes_of_tests_are_needed_by_nobody_else(suite: Suite) -> None:
    suite.write(
        """
import enum, threading, warnings

class Odd(DeprecationWarning): pass
class Mode(enum.Enum):
    FAST = 1
class Unkept:
    def __reduce__(self): raise ValueError
    def __str__(self): return "text"

def test_first(record_property):
    warnings.warn("odd one", Odd)
    record_property("mode", Mode.FAST)
    record_property("lock", threading.Lock())
    record_property("unkept", Unkept())
def test_hangs(): hang()
def test_last(): pass
""",
        "below/test_it.py",
    )
    done = suite.watched("--junitxml=all.xml")
    assert done.outcome.startswith("1 failed, 2 passed, ")
    assert "Odd: odd one" in done.out
    text = (suite.folder / "all.xml").read_text(encoding="utf-8")
    assert '<property name="mode" value="Mode.FAST"' in text
    assert '<property name="unkept" value="text"' in text


def test_a_test_whose_id_changes_is_not_taken_for_another(suite: Suite) -> None:
    suite.write("""
import time

@pytest.mark.parametrize("value", ["a", f"t{time.time_ns()}"])
def test_changes(value): pass
def test_well(): pass
def test_hangs(): hang()
def test_after(): pass
def test_fails(): assert 0
""")
    done = suite.watched("-v")
    assert [row.partition(" - ")[0] for row in done.summary] == [
        "FAILED test_it.py::test_hangs",
        "FAILED test_it.py::test_fails",
    ]
    for name in ("test_well", "test_after"):
        assert done.out.count(f"::{name} PASSED") == 1


def test_no_test_is_blamed_for_the_one_before_it(suite: Suite) -> None:
    """Each ends about when its deadline is noticed."""
    tests = (
        f"@pytest.mark.timeout(0.5)\ndef test_late_{n}(): time.sleep({0.5 + 0.05 * n})\n"
        f"def test_next_{n}(): time.sleep(0.01)\n"
        for n in range(12)
    )
    suite.write("import time\n" + "".join(tests))
    done = suite.watched("--junitxml=all.xml", "-v")
    (report,) = JUnitXml.fromfile(str(suite.folder / "all.xml"))
    assert len({case.name for case in report}) == report.tests == 24
    assert done.out.count("short test summary") <= 1
    assert not [row for row in done.summary if "test_next" in row]


def test_what_was_printed_before_is_told_with_what_hangs(suite: Suite) -> None:
    suite.write("""
@pytest.fixture
def before():
    print("in the fixture")

def test_hangs(before):
    print("in the test")
    hang()
""")
    out = suite.watched().out
    assert "Captured stdout setup" in out
    assert out.count("\nin the fixture\n") == out.count("\nin the test\n") == 1


@pytest.mark.parametrize("is_last", [False, True])
def test_ctrl_c_that_a_hung_test_cannot_answer_ends_the_run_with_a_report(
    suite: Suite, openmp: Path, *, is_last: bool
) -> None:
    suite.env["PYTHONPATH"] += os.pathsep + str(openmp)
    suite.write("""
import os, openmp_gnu

def test_well(): pass
def test_hangs():
    os.mkdir("begun")
    openmp_gnu.barrier(2, True)
def test_next(): os.mkdir("next")
""")
    arguments = ["-k", "not next"] if is_last else []
    begun = suite.begin("--gilgrid", *arguments)
    while not (suite.folder / "begun").exists():
        assert begun.poll() is None
    os.killpg(begun.pid, signal.SIGINT)
    out, _ = begun.communicate(timeout=60)
    assert begun.returncode == pytest.ExitCode.INTERRUPTED
    assert "deadlock: the GIL against an OpenMP barrier" in out
    assert "1 failed, 1 passed" in out
    assert not (suite.folder / "next").exists()


def test_what_passed_before_a_teardown_hangs_has_passed(suite: Suite) -> None:
    suite.write("""
@pytest.fixture
def after():
    yield
    hang()

def test_it(after): pass
def test_next(): pass
""")
    done = suite.watched("-rA")
    assert done.outcome == "2 passed, 1 error"
    assert "PASSED test_it.py::test_it" in done.out


def test_a_sidecar_that_is_killed_is_told(suite: Suite) -> None:
    suite.write("import os, time\ndef test_kills():\n    os.kill(os.getppid(), 9)\n    time.sleep(1000)")
    done = suite.watched()
    assert done.code == pytest.ExitCode.INTERNAL_ERROR
    assert "gilgrid: the process beside the suite has ended, and the suite with it" in done.err


def test_a_standard_input_that_is_closed_stays_so(suite: Suite) -> None:
    suite.write("def test_hangs(): hang()\ndef test_well(): pass")
    suite.python = ("sh", "-c", 'exec "$@" <&-', "sh", *suite.python)
    assert suite.watched().outcome == "1 failed, 1 passed"


# What ran before the tests


def test_a_thread_that_has_ended_before_makes_no_fork_of_a_lock(suite: Suite) -> None:
    suite.write("import threading; one = threading.Thread(); one.start(); one.join()", "starts.py")
    suite.write("def test_hangs(): hang()")
    assert "which it holds itself" in suite.watched("-p", "starts").summary[0]


def test_a_kernel_without_descriptors_of_processes_does_as_well(suite: Suite) -> None:
    """Linux before 5.3, and old profiles of seccomp, as far as Python tells them: none is here."""
    (suite.folder / "sitecustomize.py").write_text("import os\ndel os.pidfd_open\n", encoding="utf-8")
    suite.write("def test_hangs(): hang()\ndef test_well(): pass")
    assert suite.watched().outcome == "1 failed, 1 passed"


# Other plugins


@pytest.mark.parametrize("asked", [(), ("--gilgrid",)])
def test_an_option_of_the_same_name_is_left_to_whoever_has_it(suite: Suite, asked: tuple[str, ...]) -> None:
    suite.write("def pytest_addoption(parser): parser.addoption('--timeout', type=int)", "conftest.py")
    suite.write("def test_it(request): assert request.config.getoption('timeout') == 7")
    assert suite.run("-p", "no:timeout", "--timeout=7", *asked).outcome == "1 passed"


@pytest.mark.parametrize("asked", [(), ("--gilgrid",), ("--gilgrid", "-s")])
def test_what_is_said_to_pytest_timeout_is_no_mistake_without_it(
    suite: Suite, asked: tuple[str, ...]
) -> None:
    (suite.folder / "pytest.ini").write_text("[pytest]\ntimeout = 100\n", encoding="utf-8")
    suite.write("@pytest.mark.timeout(50)\ndef test_it(): pass")
    done = suite.run("-p", "no:timeout", "--strict-markers", "--strict-config", *asked)
    assert done.outcome == "1 passed"


def test_another_attempt_is_judged_as_the_first(suite: Suite) -> None:
    suite.write("""
import time

attempts = []

def test_hangs(): hang()
def test_hangs_again():
    attempts.append(1)
    if len(attempts) == 2:
        hang()
    assert 0
@pytest.mark.timeout(1, func_only=True)
def test_slow(): time.sleep(1000)
""")
    done = suite.watched("--reruns", "2")
    assert done.outcome == "3 failed, 1 rerun"
    assert [row.split()[1].partition("::")[2] for row in done.summary] == [
        "test_hangs",
        "test_hangs_again",
        "test_slow",
    ]


_HANGS_AT_THE_SECOND_ATTEMPT = """
attempts = []

@pytest.fixture
def once():
    attempts.append(1)
    if len(attempts) == 2:
        hang()

def test_fails(once): assert 0
"""


def test_another_attempt_has_a_setup_of_its_own(suite: Suite) -> None:
    suite.write(_HANGS_AT_THE_SECOND_ATTEMPT)
    done = suite.watched("--reruns", "1")
    assert done.summary[0].startswith("ERROR test_it.py::test_fails - deadlock: ")


def test_another_attempt_in_a_worker_is_judged(suite: Suite) -> None:
    """The worker is ended, and the attempts in the next one begin anew."""
    suite.write(_HANGS_AT_THE_SECOND_ATTEMPT)
    assert suite.watched("-n", "1", "--reruns", "1").outcome == "1 failed, 2 rerun"


def test_what_is_said_of_the_suite_as_a_whole_is_kept(suite: Suite) -> None:
    suite.write("""
import logging

@pytest.fixture(scope="session")
def once(record_testsuite_property):
    record_testsuite_property("of", "each session")

def test_first(once, record_testsuite_property):
    record_testsuite_property("version", "1.2")
    logging.getLogger().warning("of the first")
def test_hangs(): hang()
def test_last(once): logging.getLogger().warning("of the last")
""")
    suite.watched("--junitxml=all.xml", "--log-file=all.log")
    text = (suite.folder / "all.xml").read_text(encoding="utf-8")
    assert text.count('<property name="version" value="1.2"') == 1
    assert text.count('<property name="of" value="each session"') == 1
    assert "of the first" in (suite.folder / "all.log").read_text(encoding="utf-8")


def test_other_plugins_print_nothing_twice(suite: Suite) -> None:
    suite.write(
        """
def pytest_runtest_logreport(report):
    if report.failed:
        print("told of", report.nodeid)
""",
        "conftest.py",
    )
    suite.write("def test_fails(): assert 0\ndef test_hangs(): hang()\ndef test_hangs_too(): hang()")
    out = suite.watched().out
    for name in ("test_fails", "test_hangs", "test_hangs_too"):
        assert out.count(f"told of test_it.py::{name}\n") == 1


# Workers


def test_a_worker_has_no_child_that_is_not_its_own(suite: Suite) -> None:
    suite.write("""
import os

def test_waits_for_all():
    with pytest.raises(ChildProcessError):
        while True:
            os.wait()
""")
    assert suite.watched("-n", "1", "--timeout=20").outcome == "1 passed"


def test_a_worker_that_waits_for_others_is_well(suite: Suite) -> None:
    suite.write(
        """
import os, time

if os.environ.get("PYTEST_XDIST_WORKER") == "gw1":
    time.sleep(1.5)

def pytest_xdist_make_scheduler(config, log):
    time.sleep(1.5)
""",
        "conftest.py",
    )
    suite.write("""
import time

def test_long(): time.sleep(3)
@pytest.mark.parametrize("number", range(3))
def test_well(number): pass
""")
    done = suite.watched("-n", "2")
    assert done.outcome == "4 passed"
    assert "node down" not in done.out


def test_another_attempt_is_made_in_another_worker(suite: Suite) -> None:
    suite.write("def test_hangs(): hang()\ndef test_well(): pass")
    done = suite.watched("-n", "1", "--reruns", "1")
    assert done.code == 1
    assert done.outcome == "1 failed, 1 passed, 1 rerun"


@pytest.mark.parametrize("schedule", ["load", "loadfile"])
def test_each_test_that_hangs_in_a_worker_is_told_once(suite: Suite, schedule: str) -> None:
    """And however many there are, xdist goes on."""
    suite.write("""
@pytest.mark.parametrize("number", range(6))
def test_hangs(number): hang()
def test_well(): pass
""")
    done = suite.watched("-n", "1", f"--dist={schedule}")
    assert done.outcome == "6 failed, 1 passed"
    assert len(done.summary) == 6


def test_a_run_with_workers_that_is_ended_leaves_nothing(suite: Suite) -> None:
    suite.write("import os, time\ndef test_long():\n    os.mkdir('begun')\n    time.sleep(1000)")
    begun = suite.begin("--gilgrid", "-n", "1")
    while not (suite.folder / "begun").exists():
        assert begun.poll() is None
    begun.terminate()
    begun.communicate(timeout=60)
    suite.assert_nothing_is_left()
