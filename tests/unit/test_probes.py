"""What an ending and a result file mean together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gilgrid.environments import Environment
from gilgrid.evidence import Cause, Evidence, Frame, Waiter
from gilgrid.guard import End, Ending, Leftover
from gilgrid.model import Check, Probe, Verdict
from gilgrid.probes import Result, attempt, judge, read_result

if TYPE_CHECKING:
    from pathlib import Path

WELL = Result(checks=(Check(name="residual", ok=True),), metrics={"seconds": 0.5}, running="call 3")
WRONG = Result(
    checks=(
        Check(name="residual", ok=True),
        Check(name="orthogonality", ok=False, detail="1e-3 > 1e-12"),
        Check(name="order", ok=False),
    )
)
FAULTY = Result(fault="its result file is not of the documented form")


LOCKED = Evidence(
    cause=Cause.SELF_DEADLOCK,
    threads=(Waiter(pid=1, tid=1, process="python", python=(Frame(function="f", file="/x/y.py", line=3),)),),
)
SPINNING = replace(LOCKED, cause=Cause.SPINNING)
LOCKED_REASON = "a thread that waits for a lock which it holds itself: f (y.py:3)"
SPINNING_REASON = "a thread that runs without end: f (y.py:3)"
WAITING = replace(LOCKED, cause=None)


def ending(end: End, **facts: Any) -> Ending:
    return Ending(end=end, seconds=1.0, **facts)


@pytest.mark.parametrize(
    ("how", "result", "verdict", "reason"),
    [
        (ending(End.EXITED, exit_code=0), Result(), Verdict.OK, ""),
        (ending(End.EXITED, exit_code=0), WELL, Verdict.OK, ""),
        (ending(End.EXITED, exit_code=0), WRONG, Verdict.WRONG, "orthogonality: 1e-3 > 1e-12; order"),
        (ending(End.EXITED, exit_code=0), FAULTY, Verdict.FAILED, FAULTY.fault),
        (
            ending(End.EXITED, exit_code=3, output="Traceback\nValueError: no\n\n"),
            WELL,
            Verdict.FAILED,
            "exit code 3 in call 3: ValueError: no",
        ),
        (ending(End.EXITED, exit_code=1), Result(), Verdict.FAILED, "exit code 1: no output"),
        (
            ending(End.EXITED, exit_code=1, output="\x1b[31mred\x07\n"),
            Result(),
            Verdict.FAILED,
            r"exit code 1: \x1b[31mred\x07",
        ),
        (ending(End.EXITED, exit_code=1), WRONG, Verdict.WRONG, "orthogonality: 1e-3 > 1e-12; order"),
        (ending(End.SIGNALLED, signal=signal.SIGSEGV), WELL, Verdict.CRASH, "killed by SIGSEGV in call 3"),
        (ending(End.SIGNALLED, signal=99), Result(), Verdict.CRASH, "killed by signal 99"),
        (ending(End.DEADLINE), WELL, Verdict.TIMEOUT, "still running after 20 s in call 3"),
        (ending(End.DEADLINE), WRONG, Verdict.TIMEOUT, "still running after 20 s"),
        (ending(End.DEADLINE, evidence={}), Result(), Verdict.TIMEOUT, "still running after 20 s"),
        (
            ending(End.DEADLINE, evidence=WAITING.to_json()),
            Result(),
            Verdict.TIMEOUT,
            "still running after 20 s",
        ),
        (
            ending(End.DEADLINE, evidence=SPINNING.to_json()),
            WELL,
            Verdict.TIMEOUT,
            f"still running after 20 s in call 3: {SPINNING_REASON}",
        ),
        (ending(End.DEADLOCK, evidence=LOCKED.to_json()), Result(), Verdict.DEADLOCK, LOCKED_REASON),
        (
            ending(End.DEADLOCK, evidence=LOCKED.to_json()),
            WELL,
            Verdict.DEADLOCK,
            f"{LOCKED_REASON} (during call 3)",
        ),
        (ending(End.DEADLOCK, evidence=LOCKED.to_json()), WRONG, Verdict.DEADLOCK, LOCKED_REASON),
        (ending(End.NOT_FOUND, detail="no such command: x"), WELL, Verdict.FAILED, "no such command: x"),
        (ending(End.LOST, detail="the supervisor died"), WELL, Verdict.ERROR, "the supervisor died"),
        (ending(End.CANCELLED, detail="cancelled"), WELL, Verdict.ERROR, "cancelled"),
    ],
)
def test_each_ending_has_its_verdict_and_its_reason(
    how: Ending, result: Result, verdict: Verdict, reason: str
) -> None:
    attempt = judge(how, result, 20.0)

    assert (attempt.verdict, attempt.reason) == (verdict, reason)


@pytest.mark.parametrize("evidence", [LOCKED, SPINNING, WAITING])
@pytest.mark.parametrize("end", [End.DEADLOCK, End.DEADLINE])
def test_the_evidence_of_a_hang_is_kept(end: End, evidence: Evidence) -> None:
    attempt = judge(ending(end, evidence=json.loads(json.dumps(evidence.to_json()))), Result(), 20.0)

    assert (attempt.evidence, attempt.cause) == (evidence, evidence.cause)


@pytest.mark.parametrize(
    "broken",
    [
        None,
        {},
        {"cause": "lock-order"},
        {**LOCKED.to_json(), "cause": "bad-luck"},
        {**LOCKED.to_json(), "threads": [1]},
        {**LOCKED.to_json(), "unheard": "of"},
        {**LOCKED.to_json(), "cycle": 5},
        [1],
        "evidence",
    ],
)
def test_broken_evidence_loses_no_verdict(broken: Any) -> None:
    proven, passed = (
        judge(ending(end, evidence=broken), Result(), 20.0) for end in (End.DEADLOCK, End.DEADLINE)
    )

    assert (proven.verdict, proven.reason) == (Verdict.DEADLOCK, "proven, but its evidence cannot be read")
    assert (passed.verdict, passed.reason) == (Verdict.TIMEOUT, "still running after 20 s")
    assert proven.evidence is passed.evidence is None


@pytest.mark.parametrize(
    "bad",
    [
        ending(End.EXITED, exit_code=1),
        ending(End.SIGNALLED, signal=11),
        ending(End.DEADLINE),
        ending(End.DEADLOCK),
        ending(End.NOT_FOUND),
        ending(End.LOST),
    ],
)
def test_no_result_makes_a_bad_ending_good(bad: Ending) -> None:
    assert judge(bad, WELL, 20.0).verdict is not Verdict.OK


@pytest.mark.parametrize("result", [WRONG, FAULTY])
def test_a_result_can_make_a_good_exit_code_worse(result: Result) -> None:
    assert judge(ending(End.EXITED, exit_code=0), result, 20.0).verdict is not Verdict.OK


def test_of_a_good_run_the_last_words_are_kept() -> None:
    attempt = judge(ending(End.EXITED, exit_code=0, output="x" * 10_000 + "last"), Result(), 20.0)

    assert attempt.output.startswith("[gilgrid: 8004 characters of output left out here]\n")
    assert attempt.output.endswith("xlast")


def test_of_a_bad_run_all_output_is_kept() -> None:
    assert len(judge(ending(End.DEADLINE, output="x" * 10_000), Result(), 20.0).output) == 10_000


def test_processes_that_were_ended_are_named() -> None:
    assert judge(ending(End.DEADLINE, ended=(Leftover(7, "python"),)), Result(), 20.0).ended == (
        "python (7)",
    )


def test_a_result_file_is_read_as_documented(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(
        json.dumps(
            {
                "checks": [{"name": "residual", "ok": True, "detail": "1e-15"}],
                "metrics": {"seconds": 1},
                "running": "x",
            }
        )
    )

    assert read_result(path) == Result(
        checks=(Check(name="residual", ok=True, detail="1e-15"),), metrics={"seconds": 1.0}, running="x"
    )


def test_no_result_file_is_no_fault(tmp_path: Path) -> None:
    assert read_result(tmp_path / "result.json") == Result()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        "[" * 100_000,
        '{"checks": 1}',
        '{"checks": [{"name": "a"}]}',
        '{"checks": [{"ok": true}]}',
        '{"checks": [{"name": "a", "ok": "yes"}]}',
        '{"checks": [{"name": "a", "ok": 1}]}',
        '{"checks": ["a"]}',
        '{"metrics": []}',
        '{"metrics": {"a": NaN}}',
        '{"metrics": {"a": Infinity}}',
        '{"metrics": {"a": 1e999}}',
        '{"metrics": {"a": "1"}}',
        '{"metrics": {"a": true}}',
        '{"metrics": {"a": null}}',
        f'{{"metrics": {{"a": 1{"0" * 400}}}}}',
        f'{{"metrics": {{"a": 1{"0" * 5000}}}}}',
        f'{{"running": "{"x" * 1024 * 1024}"}}',
    ],
    ids=lambda content: content[:40],
)
def test_a_file_of_another_form_is_a_fault_and_no_exception(tmp_path: Path, content: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(content)

    assert read_result(path).fault.startswith("its result file is ")


def test_a_file_that_is_not_utf_8_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(b'{"running": "\xff"}')

    assert read_result(path).fault


def test_a_fifo_in_place_of_the_file_is_a_fault_and_does_not_hang_gilgrid(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "result.json")

    assert read_result(tmp_path / "result.json").fault


@pytest.mark.parametrize("target", ["result.json", "nowhere", "/dev/zero", "."])
def test_a_link_to_what_is_no_file_is_a_fault(tmp_path: Path, target: str) -> None:
    (tmp_path / "result.json").symlink_to(target)

    assert read_result(tmp_path / "result.json").fault


def test_what_a_probe_says_of_itself_is_one_printable_line(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(
        json.dumps({"running": "a\n\x1b[2J\ud800\x00", "checks": [{"name": "b\tc", "ok": False}]})
    )

    result = read_result(path)

    assert result.running == r"a \x1b[2J\ud800\x00"
    assert result.checks[0].name == "b c"


def test_folders_that_are_too_many_to_remove_are_held_against_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    environment = Environment(folder=tmp_path, interpreter="3.11.7", abi="cp311", versions={})
    program = "import os\nfor _ in range(1500): os.mkdir('d'); os.chdir('d')"

    made = attempt(
        Probe(name="nests", command=(), axes=()), (sys.executable, "-c", program), environment, None
    )

    subprocess.run(["/bin/rm", "-rf", *tmp_path.iterdir()], check=True)  # pytest could not
    assert made.verdict is Verdict.OK, made.output
