"""What is written into the folder of the pages."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from gilgrid.dashboard import site
from gilgrid.recorded import recorded
from gilgrid.records import BUILDS
from tests.browser.records import FAILED, MATRIX, RECORDS, write

if TYPE_CHECKING:
    from pathlib import Path


def test_only_what_the_project_keeps_of_builds_is_published(tmp_path: Path) -> None:
    project, folder = tmp_path / "project", tmp_path / "pages"
    builds = project / BUILDS
    builds.mkdir(parents=True)
    (builds / "key.log").write_text("cc -O2", encoding="utf-8")
    secret = tmp_path / "secret.log"
    secret.write_text("a token", encoding="utf-8")
    (builds / "linked.log").symlink_to(secret)
    logs = [builds / "key.log", secret, builds / "linked.log", builds / "../../../secret.log", builds]
    records = [replace(one, build_log=str(log)) for one, log in zip(RECORDS, logs, strict=False)]
    write(project, MATRIX, records)

    site.write(recorded(project / "matrix.toml"), folder)

    assert [file.name for file in (folder / "matrix/builds").iterdir()] == ["key.txt"]
    told = [
        json.loads((folder / f"matrix/{one.cell}/{one.probe}.json").read_text(encoding="utf-8"))
        for one in records
    ]
    assert [one.get("build_log") for one in told] == ["matrix/builds/key.txt", *[None] * 4]


def test_each_failed_benchmark_has_the_log_of_its_own_build(tmp_path: Path) -> None:
    project, folder = tmp_path / "project", tmp_path / "pages"
    write(project, MATRIX, RECORDS)
    (project / BUILDS).mkdir(parents=True)
    failures = []
    for number, one in enumerate(FAILED):
        log = project / BUILDS / f"{number}.log"
        log.write_text(f"build {number}", encoding="utf-8")
        failures.append(replace(one, record=replace(one.record, build_log=str(log))))

    site.write(recorded(project / "matrix.toml"), folder, failures=failures)

    failed = json.loads((folder / "matrix.json").read_text(encoding="utf-8"))["failed"]
    evidence = [json.loads((folder / one["evidence"]).read_text(encoding="utf-8")) for one in failed]
    assert [one["probe"] for one in evidence] == [one.record.probe for one in FAILED]
    found = [(folder / one["build_log"]).read_text(encoding="utf-8") for one in evidence]
    assert found == [f"build {number}" for number in range(len(FAILED))]
