"""Evidence goes into records and comes back as it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gilgrid.evidence import Cause, Evidence, Frame, Waiter
from gilgrid.guard.proof.explain import explain
from gilgrid.guard.proof.fixed_point import dead
from gilgrid.guard.proof.waits import waits
from tests.unit.pictures.recorded import load, names

if TYPE_CHECKING:
    from collections.abc import Callable

FULL = Evidence(
    cause=Cause.GIL_VS_JOIN,
    threads=(
        Waiter(
            pid=100,
            tid=101,
            process="python",
            is_main=True,
            holds_gil=True,
            waits_for="for the GIL",
            released_by=(100, 102),
            dead=True,
            python=(Frame(function="main", file="main.py", line=3),),
            native=(Frame(function="take_gil", library="/usr/lib/libpython3.12.so.1.0"),),
        ),
        Waiter(pid=100, tid=102, process="python"),
    ),
    cycle=(101, 102),
    others=3,
    detected_after=0.4,
    not_permitted="ptrace: …",
)


def through_json(evidence: Evidence) -> Evidence:
    return Evidence.from_json(json.loads(json.dumps(evidence.to_json())))


@pytest.mark.parametrize("evidence", [Evidence(), FULL, Evidence(cause=Cause.SPINNING, others=1)])
def test_evidence_comes_back_from_json_as_it_was(evidence: Evidence) -> None:
    assert through_json(evidence) == evidence


@pytest.mark.parametrize("name", sorted(names()))
def test_the_evidence_of_real_processes_comes_back_from_json_as_it_was(name: str) -> None:
    picture, stacks = load(name)
    found = dead(waits(picture, stacks))
    evidence = explain(picture, found, stacks, detected_after=0.4, not_permitted="")
    assert through_json(evidence) == evidence


@pytest.mark.parametrize("cause", Cause)
def test_a_cause_is_written_as_its_tag(cause: Cause) -> None:
    assert json.loads(json.dumps(Evidence(cause=cause).to_json()))["cause"] == cause.value


def test_tags_are_words_with_hyphens() -> None:
    assert all(tag == tag.lower() and " " not in tag and "_" not in tag for tag in Cause)
    assert len({*Cause}) == 20


def without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda content: content.pop(name)


@pytest.mark.parametrize(
    "spoil",
    [
        without("cause"),
        without("threads"),
        without("cycle"),
        lambda content: content.update(cause="bad luck"),
        lambda content: content.update(weather="rain"),
        lambda content: content["threads"][0].pop("native"),
        lambda content: content["threads"][0].pop("tid"),
        lambda content: content["threads"][0].update(colour="red"),
        lambda content: content["threads"][0]["python"][0].update(colour="red"),
    ],
)
def test_what_is_no_evidence_is_refused(spoil: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(json.dumps(FULL.to_json()))
    spoil(content)
    with pytest.raises((ValueError, TypeError, KeyError)):
        Evidence.from_json(content)
