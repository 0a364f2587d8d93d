"""The nightly workflow, rehearsed on days of which it is known what was new; GitHub's issues are a file."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pytest

from tests.matrix.test_newest import MATRIX, WITH_A_CANDIDATE, WITH_RELEASES_ONLY
from tests.workflows.rehearsal import TINYS, Rehearsal, Run, repository

GH = """#!{python}
import argparse, json, os, pathlib, sys
assert os.environ["GH_TOKEN"] and os.environ["GH_REPO"] == "someone/kernels"
file = pathlib.Path({state!r})
issues = json.loads(file.read_text()) if file.exists() else []
parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("of")
parser.add_argument("what")
parser.add_argument("which", nargs="?")
for name in ("label", "state", "json", "jq", "title", "body-file", "description"):
    parser.add_argument("--" + name)
parser.add_argument("--force", action="store_true")
given = parser.parse_args()
text = pathlib.Path(given.body_file).read_text() if given.body_file else ""
match given.of, given.what:
    case "label", "create":
        pass
    case "issue", "list":
        assert (given.label, given.state, given.json) == ("nightly", "open", "number")
        assert given.jq == ".[0].number // empty"
        print(next((str(n) for n, one in enumerate(issues, 1) if one["open"]), ""))
    case "issue", "create":
        issues.append({{"title": given.title, "body": text, "comments": [], "open": True}})
    case "issue", "comment":
        issues[int(given.which) - 1]["comments"].append(text)
    case "issue", "edit":
        issues[int(given.which) - 1] |= {{"title": given.title, "body": text}}
    case "issue", "close":
        issues[int(given.which) - 1]["open"] = False
    case other:
        sys.exit(f"gh has no {{other}}")
file.write_text(json.dumps(issues))
"""


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    place = tmp_path_factory.mktemp("nightly")
    programs = place / "bin"
    programs.mkdir()
    (programs / "gh").write_text(GH.format(python=sys.executable, state=str(place / "issues.json")))
    (programs / "gh").chmod(0o755)
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    return Rehearsal(
        repository=repository(place, MATRIX), place=place, event="schedule", env={**TINYS, "PATH": path}
    )


def night(rehearsal: Rehearsal, day: dict[str, str]) -> tuple[Run, list[dict[str, Any]]]:
    rehearsal.env = {**rehearsal.env, **day}
    run = rehearsal.run("nightly.yml")
    issues = rehearsal.place / "issues.json"
    return run, json.loads(issues.read_text(encoding="utf-8")) if issues.exists() else []


def test_an_issue_is_opened_left_alone_and_closed_when_upstream_has_mended_it(rehearsal: Rehearsal) -> None:
    run, issues = night(rehearsal, WITH_A_CANDIDATE)
    assert all(job.is_well for several in run.jobs.values() for job in several), run.log
    (issue,) = issues
    assert issue["open"]
    assert issue["title"].startswith("tiny: held-back is failed with the newest versions")
    assert "cython3.1.0rc1" in issue["body"]
    assert "held-back" in run.jobs["measure"][0].summary

    run, issues = night(rehearsal, WITH_A_CANDIDATE)
    assert issues == [issue], run.log

    run, issues = night(rehearsal, WITH_RELEASES_ONLY)
    (closed,) = issues
    assert not closed["open"], run.log
    (comment,) = closed["comments"]
    assert "**held-back** was failed" in comment
    assert "as expected in" in comment
    assert "cython3.1.1" in comment
