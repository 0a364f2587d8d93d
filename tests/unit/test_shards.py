"""A plan in parts: each job once, what shares a build together, no part much longer than another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gilgrid import cli
from gilgrid.errors import MistakesError
from gilgrid.model import Attempt, Record, Verdict
from gilgrid.plan import combinations, plan
from gilgrid.report import sharded
from gilgrid.shards import shards
from tests.unit.test_plan import TEXT, matrix

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gilgrid.matrix import Matrix
    from gilgrid.plan import Plan
    from gilgrid.shards import Shard

MATRIX = matrix()
WHOLE = plan(MATRIX, combinations(MATRIX, "3.11"))  # 4 Cythons and 3 SciPys: 12 cells, and 3 without Cython
ALIKE = {"1.9.3": "1.10.1"}
"""The same to a compiler."""


def records(
    whole: Plan = WHOLE, *, seconds: Mapping[str, float] | None = None, build_s: float = 20.0
) -> list[Record]:
    """Of an earlier run; ``seconds`` of a probe in the cells that have this in their name."""
    found = []
    for job in whole.jobs:
        took = next((s for part, s in (seconds or {}).items() if part in str(job.cell)), 1.0)
        versions = {c.axis: ALIKE.get(c.version, c.version) for c in job.cell.coordinates}
        found.append(
            Record(
                cell=job.cell,
                probe=job.probe,
                verdict=Verdict.OK,
                reason="",
                inputs="",
                measured_at="",
                seconds=took,
                attempts=(Attempt(verdict=Verdict.OK, seconds=took, cpu_seconds=took),),
                build_key=json.dumps(versions) if job.with_subject else "",
                build_seconds=build_s if job.with_subject else None,
            )
        )
    return found


def builds(part: Shard, kept: Sequence[Record]) -> set[str]:
    keys = {(record.cell, record.probe): record.build_key for record in kept}
    return {key for job in part.plan.jobs if (key := keys[job.cell, job.probe])}


@pytest.mark.parametrize("number", [1, 2, 3, 7, 15])
def test_every_job_is_in_one_part_and_no_part_is_empty(number: int) -> None:
    parts = shards(MATRIX, WHOLE, [], number)
    jobs = [job for part in parts for job in part.plan.jobs]
    assert sorted(jobs) == sorted(WHOLE.jobs)
    assert [str(part) for part in parts] == [f"{place}/{number}" for place in range(1, number + 1)]
    assert all(part.plan.jobs for part in parts)


def test_a_part_has_its_jobs_in_the_order_of_the_plan() -> None:
    order = {job: place for place, job in enumerate(WHOLE.jobs)}
    for part in shards(MATRIX, WHOLE, [], 3):
        places = [order[job] for job in part.plan.jobs]
        assert places == sorted(places)


def test_all_probes_of_a_cell_are_in_one_part() -> None:
    text = TEXT + '[[probe]]\nname = "other"\ncommand = ["x"]\n'
    given = matrix(text)
    parts = shards(given, plan(given, combinations(given, "3.11")), [], 5)
    cells = [{job.cell for job in part.plan.jobs} for part in parts]
    assert sum(map(len, cells)) == len(set().union(*cells))


def test_what_shares_a_build_is_in_one_part() -> None:
    kept = records()
    parts = shards(MATRIX, WHOLE, kept, 3)
    made = [key for part in parts for key in builds(part, kept)]
    assert len(made) == len(set(made)) == 8  # 4 Cythons with 2 kinds of SciPy


def test_parts_take_about_as_long_by_what_was_measured() -> None:
    kept = records(seconds={"cython0.29.37-scipy1.17.1": 300.0, "": 10.0})
    one, other = sorted(shards(MATRIX, WHOLE, kept, 2), key=lambda part: len(part.plan.jobs))
    assert len(one.plan.jobs) == 1
    assert one.seconds < 1.1 * other.seconds < 1.2 * one.seconds


def test_what_is_too_much_for_one_part_is_built_twice() -> None:
    kept = records(seconds={"cython3.0.12": 500.0}, build_s=1.0)
    parts = shards(MATRIX, WHOLE, kept, 3)
    having = [sum("cython3.0.12" in str(job.cell) for job in part.plan.jobs) for part in parts]
    assert having == [1, 1, 1]


def test_the_same_plan_and_records_come_to_the_same_parts() -> None:
    kept = records(seconds={"scipy1.9.3": 30.0})
    again = shards(MATRIX, WHOLE, kept[::-1], 4)
    assert [part.plan for part in shards(MATRIX, WHOLE, kept, 4)] == [part.plan for part in again]


def test_a_former_split_is_kept_while_it_is_about_as_good() -> None:
    former = [part.plan for part in shards(MATRIX, WHOLE, [], 3)]
    noisy = records(seconds={"scipy1.17.1": 1.2, "": 1.0})
    assert [part.plan for part in shards(MATRIX, WHOLE, noisy, 3)] != former
    assert [part.plan for part in shards(MATRIX, WHOLE, noisy, 3, former)] == former
    other = records(seconds={"cython3.0.12-scipy1.17.1": 300.0})
    assert [part.plan for part in shards(MATRIX, WHOLE, other, 3, former)] != former
    assert len(shards(MATRIX, WHOLE, noisy, 2, former)) == 2
    smaller = matrix(TEXT.replace(', "3.2.9"', ""))
    part_of_it = plan(smaller, combinations(smaller, "3.11"))
    again = shards(smaller, part_of_it, [], 3, former)
    assert {job for part in again for job in part.plan.jobs} == set(part_of_it.jobs)


def test_without_a_number_parts_take_five_minutes() -> None:
    kept = records(seconds={"": 100.0}, build_s=20.0)
    parts = shards(MATRIX, WHOLE, kept)
    assert len(parts) == 6  # 15 of 100 s, 8 builds, some environments
    assert all(part.seconds < 400 for part in parts)
    assert len(shards(MATRIX, WHOLE, records(seconds={"": 1.0}, build_s=1.0))) == 1


def test_more_parts_than_cells_are_a_mistake() -> None:
    with pytest.raises(MistakesError, match=r"--shards 16: there are 15 cells"):
        shards(MATRIX, WHOLE, [], 16)


def test_a_job_matrix_for_github() -> None:
    (first, *_) = sharded.github(shards(MATRIX, WHOLE, [], 3), "ubuntu-latest")["include"]
    assert first["shard"] == "1/3"
    assert first["python"] == "3.11"
    assert first["runner"] == "ubuntu-latest"
    assert first["name"].startswith("1/3, ")


def test_more_jobs_than_github_runs_are_a_mistake() -> None:
    many = matrix(TEXT.replace('"1.9.3"', ", ".join(f'"1.{minor}.1"' for minor in range(100, 170))))
    parts = shards(many, plan(many, combinations(many, "3.11")), [], 257)
    with pytest.raises(MistakesError, match="GitHub runs 256 jobs"):
        sharded.github(parts, "ubuntu-latest")


def large() -> tuple[Matrix, Plan]:
    """12 Cythons, 21 SciPys, 5 Pythons, 10 probes."""
    cythons, scipys = [f"3.0.{n}" for n in range(12)], [f"1.{n}.0" for n in range(21)]
    text = TEXT.replace('["0.29.37", "3.0.12", "3.1.8", "3.2.9"]', json.dumps(cythons))
    text = text.replace('["1.9.3", "1.10.1", "1.17.1"]', json.dumps(scipys))
    text = text.partition("[[probe]]")[0] + "".join(
        f'[[probe]]\nname = "p{n}"\ncommand = ["x"]\n' for n in range(10)
    )
    given = matrix(text)
    return given, plan(given, combinations(given, *(f"3.{n}" for n in range(9, 14))))


def test_a_plan_of_thousands_of_jobs_is_within_githubs_limits() -> None:
    given, whole = large()
    assert len(whole.jobs) == 12_600
    parts = shards(given, whole, [], 256)
    assert sum(len(part.plan.jobs) for part in parts) == 12_600
    assert len(json.dumps(sharded.github(parts, "ubuntu-latest"))) < 1_000_000


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/", "a/b", "1/3/5"])
def test_a_part_that_is_none_is_a_mistake(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "--shard", text])
    assert ended.value.code == 2
    assert f"'{text}' should be a part and their number, as 1/3" in capsys.readouterr().err
