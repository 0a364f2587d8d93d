"""A plan in parts, run in folders of their own as on machines of their own, and joined again."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.matrix.conftest import Done, Project

MATRIX = """
[axes.iniconfig]
versions = ["2.0.0", "2.1.0"]

[axes.markupsafe]
versions = ["2.1.5", "3.0.2"]
stages = ["run"]

[[probe]]
name = "well"
command = ["python", "-m", "tiny.probe", "well"]
repeats = 2

[[probe]]
name = "crashes"
command = ["python", "-m", "tiny.probe", "crash"]
"""
TIMES = {
    "measured_at", "seconds", "cpu_seconds", "build_seconds", "metrics",
    "by_hand", "build_log", "reason", "output",
}  # fmt: skip
"""What no two runs have in common, or what names the folder that it ran in."""


@pytest.fixture
def project(project: Project) -> Project:
    project.write(MATRIX)
    return project


def elsewhere(project: Project, name: str, *arguments: str) -> tuple[Path, Done]:
    """What a machine does that has the repository and the split, and nothing else."""
    place = project.folder / name
    (place / ".gilgrid").mkdir(parents=True)
    shutil.copy(project.folder / "matrix.toml", place)
    shutil.copytree(project.folder / "tiny", place / "tiny")
    if (project.folder / ".gilgrid/shards.json").exists():
        shutil.copy(project.folder / ".gilgrid/shards.json", place / ".gilgrid")
    return place, project.run(*arguments, "--matrix", str(place / "matrix.toml"))


def without_times(value: Any) -> Any:
    match value:
        case dict():
            return {key: without_times(item) for key, item in value.items() if key not in TIMES}
        case list():
            return [without_times(item) for item in value]
        case _:
            return value


def test_three_parts_joined_are_what_one_run_is(project: Project) -> None:
    planned = json.loads(project.run("plan", "--shards", "3", "--json").out)
    assert sum(len(part["probes"]) for part in planned) == 8
    places = []
    for part in planned:
        place, done = elsewhere(project, f"machine-{part['shard'][0]}", "run", "--shard", part["shard"])
        assert done.code == 1, done.out + done.err  # crashes, which nobody expects
        recorded = {(file.parent.name, file.stem) for file in place.glob(".gilgrid/records/*/*.json")}
        assert recorded == {(cell, probe) for cell, probe in part["probes"]}
        places.append(str(place / ".gilgrid"))

    merged = project.run("merge", *places)
    assert merged.code == 0, merged.err
    assert "8 records of 3 folders: " in merged.err
    joined = project.records
    logs = {record["build_log"] for record in joined.values()}
    assert all(log.startswith(str(project.folder / ".gilgrid/builds")) for log in logs)

    shutil.rmtree(project.folder / ".gilgrid/records")
    assert project.run().code == 1
    assert without_times(joined) == without_times(project.records)


def test_a_part_that_has_left_no_record_is_told(project: Project) -> None:
    project.run("plan", "--shards", "2", "--github")
    place, _ = elsewhere(project, "machine", "run", "--shard", "2/2")
    done = project.run("merge", str(place))
    assert done.code == 3
    assert "shard 1/2: " in done.err
    assert "of 4 without a record" in done.err
    assert "shard 2/2" not in done.err
    assert len(project.records) == 4


def test_a_part_without_a_split_is_split_where_it_runs(project: Project) -> None:
    """As where each machine of another kind of CI starts from the repository alone."""
    for number in (1, 2):
        elsewhere(project, f"machine-{number}", "run", "--shard", f"{number}/2")
    done = project.run("merge", "machine-1", "machine-2")
    assert done.code == 0, done.err
    assert len(project.records) == 8


def test_a_split_of_another_matrix_or_selection_is_not_used(project: Project) -> None:
    project.run("plan", "--shards", "2")
    project.run("run", "--shard", "1/2", "--probe", "well")
    assert {name.split()[1] for name in project.verdicts} == {"well"}
    project.write(MATRIX.replace('name = "crashes"', 'name = "dies"'))
    project.run("run", "--shard", "1/2")
    project.run("run", "--shard", "2/2")
    assert sum(name.endswith(" dies") for name in project.verdicts) == 4


def test_joining_again_changes_nothing(project: Project) -> None:
    place, _ = elsewhere(project, "machine", "run")
    project.run("merge", str(place))
    before = {name: path.read_bytes() for name, path in project.record_files.items()}
    done = project.run("merge", str(place), str(place / ".gilgrid"))
    assert done.code == 0, done.err
    assert "more than once" in done.err
    assert {name: path.read_bytes() for name, path in project.record_files.items()} == before


def test_what_a_record_of_another_machine_names_is_no_file_of_this_one(project: Project) -> None:
    place, _ = elsewhere(project, "machine", "run")
    secret = project.folder / "secret.log"
    secret.write_text("of this machine")
    logs = place / ".gilgrid/builds"
    linked, *_ = sorted(logs.iterdir())
    linked.unlink()
    linked.symlink_to(secret)
    for file in place.glob(".gilgrid/records/*/*.json"):
        record = json.loads(file.read_text(encoding="utf-8"))
        if record["build_log"] != str(linked):
            file.write_text(json.dumps(record | {"build_log": str(secret)}))
    done = project.run("merge", str(place))
    assert done.code == 0, done.err
    assert {record["build_log"] for record in project.records.values()} == {""}


def test_what_is_no_record_is_told_and_left_where_it_is(project: Project) -> None:
    place, _ = elsewhere(project, "machine", "run")
    (future, damaged, *_) = sorted(place.glob(".gilgrid/records/*/*.json"))
    future.write_text(future.read_text(encoding="utf-8").replace('"schema": 2', '"schema": 99'))
    damaged.write_text("{")
    done = project.run("merge", str(place))
    assert f"{future} has schema 99, this gilgrid reads up to 2: left out" in done.err
    assert f"{damaged} is damaged" in done.err
    assert future.exists()
    assert damaged.exists()
    assert len(project.records) == 6


def test_a_folder_without_records_is_a_mistake(project: Project) -> None:
    done = project.run("merge", "tiny", "nowhere")
    assert done.code == 2
    assert done.err.startswith("tiny has no folder named records in it; name a .gilgrid")
