"""The workflow of the matrix, rehearsed: its own steps, on machines that have nothing of one another."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from gilgrid import cli
from tests.matrix.test_shards import MATRIX, without_times
from tests.workflows.rehearsal import TINYS, Rehearsal, repository

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workflows.rehearsal import Run

EXPECTED = '[[expect]]\nprobe = "crashes"\nverdict = "crash"\nbecause = "it is told to"\n'


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    place = tmp_path_factory.mktemp("rehearsal")
    return Rehearsal(repository=repository(place, MATRIX + EXPECTED), place=place, env=TINYS)


@pytest.fixture(scope="module")
def first(rehearsal: Rehearsal) -> Run:
    """A run in which all is as expected."""
    return rehearsal.run("matrix.yml")


@pytest.fixture(scope="module")
def second(rehearsal: Rehearsal, first: Run) -> Run:
    """Another one, of which something differs from what is expected, and a machine is lost."""
    assert first
    rehearsal.env = {**rehearsal.env, "TINY_TALLY": "/nowhere"}  # where no probe can count itself
    rehearsal.lost = ["shard-2"]
    return rehearsal.run("matrix.yml")


def records(folder: Path) -> dict[str, Any]:
    return {
        f"{file.parent.name} {file.stem}": without_times(json.loads(file.read_text(encoding="utf-8")))
        for file in folder.rglob("records/*/*.json")
    }


def test_three_machines_come_to_what_one_run_comes_to(
    rehearsal: Rehearsal, first: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(job.is_well for several in first.jobs.values() for job in several), first.log
    assert [job.name.partition(",")[0] for job in first.jobs["shard"]] == ["1/3", "2/3", "3/3"]
    parts = [set(records(first.artifacts[f"shard-{number}"])) for number in (1, 2, 3)]
    assert all(parts)
    assert sum(map(len, parts)) == len(set().union(*parts)) == 8

    for name, value in rehearsal.env.items():
        monkeypatch.setenv(name, value)
    shutil.copytree(rehearsal.repository, tmp_path / "one")
    assert cli.main(["run", "--matrix", str(tmp_path / "one/matrix.toml")]) == 0
    assert records(first.artifacts["matrix"]) == records(tmp_path / "one/.gilgrid")


def test_the_result_is_a_summary_and_files_for_others(first: Run) -> None:
    (merge,) = first.jobs["merge"]
    assert "8 verdicts" in merge.summary
    assert "crash" in merge.summary
    assert "<testsuite" in (first.artifacts["matrix"] / "junit.xml").read_text(encoding="utf-8")
    assert "<svg" in (first.artifacts["matrix"] / "matrix.svg").read_text(encoding="utf-8")


def test_a_second_run_builds_nothing(second: Run) -> None:
    built = [line for job in second.jobs["shard"] for line in job.log.splitlines() if "spent: " in line]
    assert len(built) == 3
    assert all("build 0.0 s" in line for line in built), second.log


def test_what_differs_fails_its_shard_and_is_in_the_result(second: Run) -> None:
    assert not any(job.is_well for job in second.jobs["shard"]), second.log
    (merge,) = second.jobs["merge"]
    assert "verdicts are not as expected" in merge.summary


def test_a_machine_that_is_lost_is_told(second: Run) -> None:
    (merge,) = second.jobs["merge"]
    assert not merge.is_well
    assert "shard 2/3: " in merge.log
    assert "without a record" in merge.log
    assert "shard 1/3: " not in merge.log
    assert "more are not recorded" in merge.summary
    assert 0 < len(records(second.artifacts["matrix"])) < 8
