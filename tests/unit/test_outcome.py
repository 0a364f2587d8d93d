"""What `gilgrid watch` says of each ending, to people, to shells and to machines; and how long a time is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gilgrid import durations
from gilgrid.commands.outcome import sentences, to_json, verdict
from gilgrid.commands.watch import exit_code
from gilgrid.evidence import Cause, Evidence, Frame, Waiter
from gilgrid.guard import End, Ending, Leftover
from gilgrid.model import Verdict

LEFT = (Leftover(7, "python"), Leftover(9, "worker"))
SEEN = Evidence(
    cause=Cause.GIL_VS_JOIN,
    threads=(
        Waiter(
            pid=7,
            tid=8,
            process="python",
            holds_gil=True,
            waits_for="a thread to end",
            released_by=(9,),
            dead=True,
            python=(Frame(function="f", file="prog.py", line=3),),
        ),
    ),
    cycle=(8, 9),
    others=2,
    detected_after=0.4,
)


def ending(end: End, **known: Any) -> Ending:
    return Ending(end=end, seconds=1.25, **known)


@pytest.mark.parametrize(
    ("what", "expected", "code"),
    [
        (ending(End.EXITED, exit_code=0), Verdict.OK, 0),
        (ending(End.EXITED, exit_code=3), Verdict.FAILED, 3),
        (ending(End.EXITED, exit_code=121), Verdict.FAILED, 121),
        (ending(End.SIGNALLED, signal=11), Verdict.CRASH, 139),
        (ending(End.SIGNALLED, signal=64), Verdict.CRASH, 192),
        (ending(End.DEADLOCK), Verdict.DEADLOCK, 121),
        (ending(End.DEADLINE), Verdict.TIMEOUT, 124),
        (ending(End.NOT_FOUND, exit_code=126), Verdict.FAILED, 126),
        (ending(End.NOT_FOUND, exit_code=127), Verdict.FAILED, 127),
        (ending(End.LOST), Verdict.ERROR, 125),
        (ending(End.CANCELLED), Verdict.ERROR, 125),
    ],
)
def test_each_ending_has_a_verdict_and_an_exit_code(what: Ending, expected: Verdict, code: int) -> None:
    assert (verdict(what), exit_code(what)) == (expected, code)


def test_every_ending_is_told() -> None:
    for end in End:
        assert verdict(ending(end, exit_code=1)) in Verdict


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (ending(End.EXITED, exit_code=0), []),
        (ending(End.EXITED, exit_code=3), []),
        (ending(End.EXITED, exit_code=0, survivors=LEFT), []),
        (ending(End.SIGNALLED, signal=2), []),
        (ending(End.SIGNALLED, signal=13), []),
        (ending(End.SIGNALLED, signal=6), ["killed by SIGABRT"]),
        (ending(End.SIGNALLED, signal=40), ["killed by signal 40"]),
        (ending(End.NOT_FOUND, detail="x: No such file"), ["x: No such file"]),
        (ending(End.LOST, detail="why"), ["gilgrid itself failed, and has ended the command: why"]),
        (ending(End.DEADLOCK), []),
        (
            ending(End.DEADLINE, survivors=LEFT),
            ["kept alive: 7, 9; look with sudo gdb -p 7, end with kill -9 7 9"],
        ),
    ],
)
def test_what_is_not_a_hang_is_told_in_one_sentence_or_none(what: Ending, said: list[str]) -> None:
    assert sentences(what, "sudo gdb") == said


def test_the_result_has_all_that_was_seen() -> None:
    result = to_json(ending(End.DEADLOCK, survivors=LEFT, looks=3, stops=1), SEEN, ["python", "prog.py"])
    assert json.loads(json.dumps(result)) == {
        "schema": 1,
        "verdict": "deadlock",
        "cause": "gil-vs-join",
        "exit_code": None,
        "signal": None,
        "seconds": 1.25,
        "detected_after": 0.4,
        "looks": 3,
        "stops": 1,
        "command": ["python", "prog.py"],
        "detail": "",
        "kept": [7, 9],
        "threads": [
            {
                "pid": 7,
                "tid": 8,
                "process": "python",
                "is_main": False,
                "holds_gil": True,
                "waits_for": "a thread to end",
                "released_by": [9],
                "dead": True,
                "python": [{"function": "f", "file": "prog.py", "line": 3, "library": ""}],
                "native": [],
            }
        ],
        "cycle": [8, 9],
        "others": 2,
        "cpus_used": None,
        "not_permitted": "",
    }


def test_a_result_without_evidence_has_the_same_form() -> None:
    assert to_json(ending(End.LOST), None, []).keys() == to_json(ending(End.DEADLOCK), SEEN, []).keys()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30.0), ("30s", 30.0), ("1.5", 1.5), ("2 min", 120.0), (" 500 ms ", 0.5), ("604800", 604800.0)],
)
def test_a_time_is_in_seconds_unless_it_says_otherwise(text: str, seconds: float) -> None:
    assert durations.seconds(text, unit="s") == seconds


@pytest.mark.parametrize("text", ["", "s", "0", "-1", "1e3", "nan", "604801", "2 h", "1 2"])
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="should be a time of at most a week in seconds or with its unit"):
        durations.seconds(text, unit="s")


def test_a_time_without_a_unit_is_refused_where_none_is_meant() -> None:
    with pytest.raises(ValueError, match="should be a time of at most a week with its unit"):
        durations.seconds("20")
