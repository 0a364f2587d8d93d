"""Records of several machines: what is the same, what disagrees, what must not be mixed."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from gilgrid.merging import merged
from gilgrid.model import Attempt, Cell, Record, Verdict

HERE = {"cpu": "EPYC", "cpus": 2, "system": "Linux", "release": "6.1"}
THERE = {"cpu": "Xeon", "cpus": 4, "system": "Linux", "release": "6.8"}


def record(*verdicts: Verdict, minute: int = 0, inputs: str = "a", seconds: float = 1.0) -> Record:
    distinct = set(verdicts)
    return Record(
        cell=Cell.parse("cp311-cython3.0.12-scipy1.10.1"),
        probe="held",
        verdict=verdicts[0] if len(distinct) == 1 else Verdict.FLAKY,
        reason="",
        inputs=inputs,
        measured_at=f"2024-01-01T00:{minute:02}:00+00:00",
        seconds=seconds * len(verdicts),
        attempts=tuple(
            Attempt(verdict=verdict, seconds=seconds + n / 10, cpu_seconds=0.0, reason=f"it was {verdict}")
            for n, verdict in enumerate(verdicts)
        ),
        machine=HERE,
    )


WELL = record(Verdict.OK, Verdict.OK)
HUNG = record(Verdict.DEADLOCK, minute=1, seconds=2.0)


def one(*records: Record) -> Record:
    """What all of these, each of a source of its own, come to, in whatever order."""
    orders = [merged([[each] for each in order]) for order in itertools.permutations(records)]
    kept = {repr(order.records) for order in orders}
    assert len(kept) == 1
    (found,) = orders[0].records
    return found


def test_other_jobs_are_all_kept() -> None:
    other = replace(WELL, probe="released")
    assert merged([[WELL], [other]]).records == (WELL, other)


def test_the_same_record_twice_is_one() -> None:
    of = merged([[WELL], [WELL]])
    assert (of.records, of.twice, of.notes) == ((WELL,), 1, ())


def test_of_two_that_agree_the_one_with_more_repeats_is_kept() -> None:
    more = record(Verdict.OK, Verdict.OK, Verdict.OK, seconds=3.0)
    assert one(more, replace(WELL, measured_at="2025")) == more


def test_two_that_disagree_are_flaky_with_all_repeats_of_both() -> None:
    found = one(WELL, HUNG)
    assert found.verdict is Verdict.FLAKY
    assert found.counts == {Verdict.OK: 2, Verdict.DEADLOCK: 1}
    assert found.reason.startswith("2 x ok, 1 x deadlock: it was")
    assert found.seconds == pytest.approx(1.0 + 1.1 + 2.0)
    (note,) = merged([[WELL], [HUNG]]).notes
    assert note == f"{WELL.cell} held: {found.reason}; kept as flaky"


def test_what_was_merged_before_is_not_counted_again() -> None:
    once = one(WELL, HUNG)
    assert one(once, HUNG) == one(once, WELL, HUNG) == once


def test_what_has_other_inputs_does_not_disagree_and_the_last_is_kept() -> None:
    later = record(Verdict.DEADLOCK, minute=5, inputs="b")
    of = merged([[later], [WELL]])
    assert of.records == (later,)
    assert of.notes == (
        f"{WELL.cell} held: measured with other inputs as well; kept is what was last, {later.measured_at}",
    )


def test_repeats_of_several_machines_are_not_mixed() -> None:
    there = replace(record(Verdict.OK, Verdict.OK, minute=9, seconds=9.0), machine=THERE)
    found = one(WELL, there)
    assert len(found.attempts) == 2
    of = merged([[WELL], [there]])
    assert "measured on several machines; kept is that of" in of.notes[0]
    assert sum(of.machines.values()) == 1


def test_a_disagreement_of_two_machines_names_them() -> None:
    of = merged([[WELL], [replace(HUNG, machine=THERE)]])
    assert of.records[0].verdict is Verdict.FLAKY
    assert "on EPYC, 2 CPUs, Linux 6.1 and on Xeon, 4 CPUs, Linux 6.8; kept as flaky" in of.notes[0]


def test_what_could_not_be_measured_gives_way_to_what_was() -> None:
    failed = replace(WELL, verdict=Verdict.ERROR, inputs="", attempts=(), measured_at="2030")
    missing = replace(failed, verdict=Verdict.UNAVAILABLE)
    assert one(failed, WELL) == one(missing, WELL) == one(failed, missing, WELL) == WELL
    assert one(failed, missing) == missing
    assert one(failed, replace(failed, reason="twice")).verdict is Verdict.ERROR


def test_machines_are_counted() -> None:
    other = replace(WELL, probe="released", machine=THERE)
    assert merged([[WELL], [other]]).machines == {
        "EPYC, 2 CPUs, Linux 6.1": 1,
        "Xeon, 4 CPUs, Linux 6.8": 1,
    }
