"""Writes the matrix into asv's results, where versions are parameters of benchmarks.

asv can choose among environments by their versions, but draws over commits and parameters alone. This is the
one place that knows how asv keeps its results, of which it promises nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilgrid import files
from gilgrid.errors import MistakesError
from gilgrid.report.series import WELL, series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gilgrid.matrix import Matrix
    from gilgrid.model import Record
    from gilgrid.report.series import Series


def write(matrix: Matrix, records: Sequence[Record], configuration: Path) -> list[str]:
    """Add them to the results of ``asv.conf.json`` for this machine and the commit that is checked out.

    Returns a line for each Python, and where they are. Raises ``MistakesError`` where asv is missing, or its
    file cannot be read.
    """
    try:
        from asv import config, machine, repo, results, runner, util  # noqa: PLC0415 - an extra
        from asv.benchmarks import Benchmarks  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        raise MistakesError([f"{error.name} is not installed; pip install 'gilgrid[asv]'"]) from None
    os.chdir(configuration.parent)  # as asv does, whose paths start from there
    try:
        conf = config.Config.load(str(configuration))
        here = machine.Machine.load(machine_name=None, interactive=False)
        repository = repo.get_repo(conf)
        commit = repository.get_hash_from_name("HEAD")
        date = repository.get_date(commit)
    except (util.UserError, KeyError) as error:
        raise MistakesError([f"{configuration}: {error}"]) from None
    here.save(conf.results_dir)
    told = []
    known: dict[str, Any] = {}
    for python in sorted({record.cell.python for record in records}):
        of_python = series(matrix, [record for record in records if record.cell.python == python])
        name = f"gilgrid-matrix-py{python}"
        params = {**here.__dict__, "python": python}
        written = results.Results(params, {}, commit, date, python, name, {})
        for one in of_python:
            known[one.name] = benchmark = _benchmark(one)
            values = list(one.values)
            unmeasured = [None] * len(values)
            written.add_result(
                benchmark,
                runner.BenchmarkResult(
                    result=values, samples=unmeasured, number=unmeasured, errcode=0, stderr="", profile=None
                ),
            )
        written.save(conf.results_dir)
        told.append(f"{len(of_python)} series of Python {python}, commit {commit[: conf.hash_length]}")
    path = Path(Benchmarks.get_benchmark_file_path(conf.results_dir))
    former = files.read_json(path) or {}
    kept = {name: one for name, one in former.items() if name != "version" and not name.startswith("matrix.")}
    util.write_json(str(path), {**kept, **known}, Benchmarks.api_version)
    return [*told, f"results: {Path(conf.results_dir).resolve()}"]


def _benchmark(one: Series) -> Mapping[str, Any]:
    """What ``asv`` would have found of it, had it been in the suite."""
    is_time = one.metric.startswith("seconds")
    what = "Share of repeats that end well" if one.metric == WELL else one.metric.replace("_", " ")
    return {
        "code": f"{one.probe} of matrix.toml",
        "name": one.name,
        "param_names": list(one.axes),
        "params": [[repr(version) for version in versions] for versions in one.versions],
        "pretty_name": f"{one.probe}: {what}",
        "type": "track",
        "unit": "seconds" if is_time else "share" if one.metric == WELL else "",
        # What asv compares before it takes a result for one of this benchmark.
        "version": files.digest(one.probe, one.metric, one.axes),
    }
