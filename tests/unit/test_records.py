"""Records on disk survive damage, strangers and the future."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gilgrid.evidence import Cause, Evidence, Frame, Waiter
from gilgrid.model import Attempt, Cell, Check, Record, Verdict
from gilgrid.records import SCHEMA, Records, all_to_json, from_json, to_json

if TYPE_CHECKING:
    from pathlib import Path

CELL = Cell.parse("cp311-cython3.0.12-scipy1.10.1-run1.17.1")
FULL = Record(
    cell=CELL,
    probe="held",
    verdict=Verdict.FLAKY,
    reason="2 x ok, 1 x timeout: still running after 20 s — in test_solve[ä]",
    inputs="a1b2",
    measured_at="2024-01-01T00:00:00+00:00",
    seconds=20.5,
    attempts=(
        Attempt(verdict=Verdict.OK, seconds=0.2, cpu_seconds=0.1, exit_code=0, metrics={"seconds": 0.1}),
        Attempt(
            verdict=Verdict.TIMEOUT,
            seconds=20.0,
            cpu_seconds=0.3,
            reason="still running after 20 s",
            running="test_solve[ä]",
            signal=9,
            checks=(Check(name="residual", ok=False, detail="1e-3 > 1e-12"),),
            output="\x1b[31mred\x00",
            output_bytes=10_000_000_000,
            ended=("python (1234)",),
            evidence=Evidence(
                cause=Cause.SPINNING,
                threads=(
                    Waiter(
                        pid=1234,
                        tid=1235,
                        process="python",
                        holds_gil=True,
                        released_by=(1234,),
                        python=(Frame(function="poll", file="/project/poll.py", line=3),),
                        native=(Frame(function="f(int)", library="libx.so"),),
                    ),
                ),
                cycle=(1235, 1234),
                others=2,
                detected_after=0.4,
            ),
        ),
    ),
    versions={"scipy": "1.17.1", "python": "3.11.7"},
    build_key="deadbeef",
    build_versions={"cython": "3.0.12"},
    build_log="/somewhere/build.log",
    build_seconds=3.2,
    machine={"cpus": 2, "toolchain": ["gcc"]},
    gilgrid="0.1.0",
)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records.of(tmp_path)


def write_raw(records: Records, content: str | bytes) -> Path:
    path = records.path(CELL, "held")
    path.parent.mkdir(parents=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def changed(**values: Any) -> str:
    return json.dumps({**to_json(FULL), **values})


def evidence(content: dict[str, Any]) -> str:
    return changed(attempts=[{**to_json(FULL)["attempts"][1], "evidence": content}])


def test_a_record_of_the_first_schema_is_read(records: Records) -> None:
    content = to_json(FULL)
    del content["cause"]
    for attempt in content["attempts"]:
        del attempt["evidence"]
    write_raw(records, json.dumps({**content, "schema": 1}))

    record = records.read(CELL, "held")

    assert record
    assert records.warnings == []
    assert (record.cause, record.reason) == (None, FULL.reason)


def test_the_cause_stands_beside_the_verdict() -> None:
    assert to_json(FULL)["cause"] == "spinning"


def test_repeats_that_disagree_on_the_cause_leave_the_record_without_one() -> None:
    attempts = [
        Attempt(verdict=Verdict.DEADLOCK, seconds=1, cpu_seconds=0, evidence=Evidence(cause=cause))
        for cause in (Cause.LOCK_ORDER, Cause.GIL_VS_MUTEX, Cause.LOCK_ORDER)
    ]

    assert replace(FULL, attempts=tuple(attempts)).cause is None
    assert replace(FULL, attempts=tuple(attempts[::2])).cause is Cause.LOCK_ORDER


def test_a_record_is_read_as_it_was_written(records: Records) -> None:
    records.write(FULL)

    assert records.read(CELL, "held") == FULL


def test_a_record_goes_through_json_unchanged() -> None:
    assert from_json(json.loads(json.dumps(to_json(FULL)))) == FULL


def test_a_list_of_records_is_a_list_of_json() -> None:
    assert [from_json(content) for content in json.loads(all_to_json([FULL, FULL]))] == [FULL, FULL]


def test_repeats_are_counted() -> None:
    assert FULL.counts == {Verdict.OK: 1, Verdict.TIMEOUT: 1}


def test_there_is_one_file_for_each_cell_and_probe(records: Records) -> None:
    records.write(FULL)

    assert [path.relative_to(records.folder) for path in records.folder.rglob("*.json")] == [
        records.path(CELL, "held").relative_to(records.folder)
    ]


def test_a_record_that_is_not_there_is_none(records: Records) -> None:
    assert records.read(CELL, "held") is None
    assert records.read_all() == []
    assert records.warnings == []


def test_a_record_with_text_that_is_no_unicode_is_kept(records: Records) -> None:
    odd = Record(
        cell=CELL, probe="p", verdict=Verdict.OK, reason="\udcff", inputs="", measured_at="", seconds=0
    )

    records.write(odd)

    assert records.read(CELL, "p") == odd


BROKEN: dict[str, str | bytes] = {
    "empty": "",
    "cut": changed()[:200],
    "a list": "[]",
    "a number": "1",
    "not UTF-8": b"\xff\xfe",
    "nested too deep": "[" * 100_000,
    "without a schema": json.dumps({"cell": str(CELL)}),
    "of an unknown verdict": changed(verdict="splendid"),
    "of no cell": changed(cell="x"),
    "of a number as cell": changed(cell=5),
    "with a key from elsewhere": changed(unheard="of"),
    "with attempts that are none": changed(attempts=[{"verdict": "ok"}]),
    "with attempts as text": changed(attempts="ok"),
    "with a reason that is no text": changed(reason=None),
    "with seconds that are none": changed(seconds="soon"),
    "of another cell": changed(cell="cp311-cython3.0.12-scipy1.17.1"),
    "of another probe": changed(probe="../held"),
    "of the future": changed(schema=SCHEMA + 1),
    "of an odd schema": changed(schema=[1]),
    "with evidence that is none": evidence({"cause": "lock-order"}),
    "of an unknown cause": evidence({"cause": "bad-luck", "threads": [], "cycle": []}),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_is_no_record_is_set_aside_with_a_warning(records: Records, kind: str) -> None:
    path = write_raw(records, BROKEN[kind])
    content = path.read_bytes()

    assert records.read(CELL, "held") is None

    assert path.with_name("held.json.1.aside").read_bytes() == content
    (warning,) = records.warnings
    assert warning.startswith(str(path))
    assert warning.endswith("set aside as held.json.1.aside; its probe is measured again")


def test_a_future_schema_is_named(records: Records) -> None:
    write_raw(records, BROKEN["of the future"])

    records.read(CELL, "held")

    assert f"has schema {SCHEMA + 1}, this gilgrid reads up to {SCHEMA}" in records.warnings[0]


def test_what_was_set_aside_is_never_overwritten(records: Records) -> None:
    for content in ("first", "second", "third"):
        path = records.path(CELL, "held")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        records.read(CELL, "held")

    aside = sorted(records.folder.glob("*/*.aside"))
    assert [path.read_text() for path in aside] == ["first", "second", "third"]


def test_a_new_measurement_leaves_what_was_set_aside(records: Records) -> None:
    path = write_raw(records, "damaged")
    records.read(CELL, "held")

    records.write(FULL)

    assert records.read(CELL, "held") == FULL
    assert path.with_name("held.json.1.aside").read_text() == "damaged"


@pytest.mark.parametrize("content", ['{"schema": 99}', "half"])
def test_a_record_that_nobody_looked_at_is_set_aside_before_another_takes_its_place(
    records: Records, content: str
) -> None:
    path = write_raw(records, content)

    records.write(FULL)

    assert path.with_name("held.json.1.aside").read_text() == content
    assert len(records.warnings) == 1
    assert records.read(CELL, "held") == FULL


def test_a_damaged_record_does_not_hide_the_others(records: Records) -> None:
    records.write(FULL)
    records.path(CELL, "broken").write_text("{")

    assert records.read_all() == [FULL]


def test_a_folder_in_place_of_a_record_is_not_fatal(records: Records) -> None:
    records.path(CELL, "held").mkdir(parents=True)

    assert records.read_all() == []
    assert "cannot be read" in records.warnings[0]


def test_a_build_log_is_kept_once(records: Records) -> None:
    first = records.keep_log("key", "output\n")
    before = first.stat().st_ino

    assert records.keep_log("key", "output\n").stat().st_ino == before
    assert first.read_text() == "output\n"
