"""A remedy is tried where a real probe hangs, and what it came to is shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.matrix.conftest import Project

MATRIX = """
[axes.iniconfig]
versions = ["2.0.0", "2.1.0"]
stages = ["build"]

[[probe]]
name = "hangs"
command = ["python", "-c", "import threading; threading.Event().wait()"]
deadline = "30 s"

[[probe]]
name = "well"
command = ["python", "-m", "tiny.probe", "well"]

[[expect]]
probe = ["hangs", "hangs+asked-nicely"]
verdict = "deadlock"
cause = "lost-wakeup"
because = "nobody sets the event"

[[remedy]]
name = "let-go"
text = "let go"
probes = { hangs = "well" }

[[remedy]]
name = "asked-nicely"
text = "PLEASE=1"
probes = ["hangs"]
env = { PLEASE = "1" }

[[claim]]
text = "Letting go cures it."
source = "tiny#1"
hangs = "hangs"
cured-by = "let-go"

[[claim]]
text = "Asking cures it."
source = "tiny#2"
hangs = "hangs"
cured-by = "asked-nicely"

[[claim]]
text = "It hangs on Fridays."
source = "tiny#3"
"""


@pytest.fixture
def measured(project: Project) -> Project:
    """A project whose remedies were all tried."""
    project.write(MATRIX)
    done = project.run()
    assert done.code == 0, done.out + done.err
    return project


def test_what_cures_a_hang_and_what_does_not_is_shown_in_every_format(measured: Project) -> None:
    table = measured.run("show", "--claims").out
    content = json.loads(measured.run("show", "--claims", "--format", "json").out)
    page = measured.run("show", "--claims", "--format", "markdown").out

    cured = {(one["remedy"], one["cell"].partition("-")[2]): one["cures"] for one in content["remedies"]}
    assert cured == {
        ("let-go", "iniconfig2.0.0"): True,
        ("let-go", "iniconfig2.1.0"): True,
        ("asked-nicely", "iniconfig2.0.0"): False,
        ("asked-nicely", "iniconfig2.1.0"): False,
    }
    assert [one["outcome"] for one in content["claims"]] == ["confirmed", "refuted", "not tested"]
    for shown in (table, page):
        assert "2 of 2" in shown
        assert "0 of 2" in shown
        assert "iniconfig2.1.0 hangs+asked-nicely: deadlock" in shown
    assert "| refuted | Asking cures it.<br>" in page


def test_the_whole_matrix_has_the_tables_and_a_part_of_it_has_not(measured: Project) -> None:
    assert "Asking cures it." in measured.run("show").out
    assert "Asking cures it." not in measured.run("show", "--probe", "hangs").out


def test_claims_have_no_junit(measured: Project) -> None:
    done = measured.run("show", "--claims", "--format", "junit")

    assert done.code == 2
    assert done.err == "--claims has no format 'junit'; there are table, markdown and json\n"


def test_a_matrix_without_claims_says_so(project: Project) -> None:
    project.write(MATRIX.partition("[[expect]]")[0].replace("hangs", "waits").replace(".wait()", ""))
    assert project.run().code == 0

    done = project.run("show", "--claims")

    assert done.code == 2
    assert done.err.startswith("the matrix has no [[claim]]")
