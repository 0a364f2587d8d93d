"""Work may be done by other processes than gilgrid's own: all that goes there and back can be pickled."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

from gilgrid import config
from gilgrid.records import Records
from gilgrid.report import terminal
from gilgrid.report.lines import PlainLines
from gilgrid.runner import Run
from gilgrid.workshop import Workshop

if TYPE_CHECKING:
    import pytest

    from tests.matrix.conftest import Project

# tiny does not compile with iniconfig 1, and MarkupSafe 1.1.1 has wheels up to Python 3.9.
MATRIX = """
[axes.iniconfig]
versions = ["1.1.1", "2.0.0"]
stages = ["build"]

[axes.markupsafe]
versions = ["1.1.1", "3.0.2"]
stages = ["run"]

[[probe]]
name = "well"
command = ["python", "-m", "tiny.probe", "well"]

[[probe]]
name = "crashes"
command = ["python", "-m", "tiny.probe", "crash"]
"""


def test_worker_processes_come_to_the_same_verdicts(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(MATRIX)
    for name, value in project.env.items():
        monkeypatch.setenv(name, value)
    matrix = config.load(project.folder / "matrix.toml")
    workshop = Workshop.of(matrix, Records.of(matrix.project), project.cache)
    whole = workshop.plan()

    # As distributed and mpi4py do it: workers that share nothing with the process that runs the schedule.
    context = multiprocessing.get_context("spawn")
    view = PlainLines(terminal.console(), matrix, whole, [])
    with ProcessPoolExecutor(2, context) as executor:
        Run(workshop=workshop, observer=view, executor=executor, cpus=2, can_lend=False)(whole.jobs)

    assert project.verdicts == {
        "iniconfig1.1.1-markupsafe1.1.1 well": "unavailable",
        "iniconfig1.1.1-markupsafe1.1.1 crashes": "unavailable",
        "iniconfig1.1.1-markupsafe3.0.2 well": "build-failed",
        "iniconfig1.1.1-markupsafe3.0.2 crashes": "build-failed",
        "iniconfig2.0.0-markupsafe1.1.1 well": "unavailable",
        "iniconfig2.0.0-markupsafe1.1.1 crashes": "unavailable",
        "iniconfig2.0.0-markupsafe3.0.2 well": "ok",
        "iniconfig2.0.0-markupsafe3.0.2 crashes": "crash",
    }
