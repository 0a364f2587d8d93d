"""The journal of a comparison: a kill loses no more than what was under way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from gilgrid.comparison import Case, Turn
from gilgrid.model import Verdict
from gilgrid.turns import Journal, Work

if TYPE_CHECKING:
    from pathlib import Path

CASE = Case(cell="c", benchmark="b", parameters="1")
PAIR = Turn(value=1.5), Turn(verdict=Verdict.DEADLOCK, reason="the GIL")


def works() -> list[Work]:
    class Item:
        unit = "seconds"

    return [Work(case=CASE, item=cast("Any", Item()), installed=cast("Any", ()))]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    journal = Journal(path=tmp_path / "comparisons" / "a.jsonl")
    assert journal.read(works())[CASE].first == []
    journal.write(CASE, "first", PAIR)
    journal.write(CASE, "second", PAIR)
    found = journal.read(works())[CASE]
    assert found.first == found.second == [PAIR]
    assert found.unit == "seconds"


def test_a_line_that_was_cut_off_costs_itself_alone(tmp_path: Path) -> None:
    journal = Journal(path=tmp_path / "a.jsonl")
    journal.write(CASE, "first", PAIR)
    with journal.path.open("a", encoding="utf-8") as file:
        file.write('[{"cell": "c", "bench')
    assert journal.read(works())[CASE].first == [PAIR]
    journal.write(CASE, "first", PAIR)
    assert journal.read(works())[CASE].first == [PAIR, PAIR]


def test_what_is_of_another_case_is_left_alone(tmp_path: Path) -> None:
    journal = Journal(path=tmp_path / "a.jsonl")
    journal.write(Case(cell="other", benchmark="b"), "first", PAIR)
    assert journal.read(works())[CASE].first == []
    journal.close()
    assert not journal.path.exists()
