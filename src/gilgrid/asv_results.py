"""asv's results: the matrix is written into them, and what benchmarks came to is read from them.

asv can choose among environments by their versions, but draws over commits and parameters alone: in what is
written, versions are parameters. This is the one place that knows how asv keeps its results, of which it
promises nothing.
"""

from __future__ import annotations

import itertools
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asv import config, machine, repo, results, runner, util
from asv.benchmarks import Benchmarks

from gilgrid import files
from gilgrid.errors import MistakesError
from gilgrid.read import is_version
from gilgrid.report.series import WELL, series
from gilgrid.report.versions import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gilgrid.matrix import Matrix
    from gilgrid.model import Record
    from gilgrid.report.series import Series

_MATRIX = "gilgrid-matrix"
"""How the environments begin whose results are the matrix."""


def write(matrix: Matrix, records: Sequence[Record], configuration: Path) -> list[str]:
    """Add them to the results of ``asv.conf.json`` for this machine and the commit that is checked out.

    Returns a line for each Python, and where they are. Raises ``MistakesError`` where it cannot be read.
    """
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
        name = f"{_MATRIX}-py{python}"
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


def samples(matrix: Matrix, folder: Path) -> list[Sample]:
    """What the suite has measured last in each environment, in a folder of results."""
    last: dict[tuple[str, str], Any] = {}
    for one in results.iter_results(str(folder)):
        key = one.params["machine"], one.env_name
        if not one.env_name.startswith(_MATRIX) and (key not in last or last[key].date < one.date):
            last[key] = one
    has_several_machines = len({name for name, _ in last}) > 1
    return [
        Sample(
            benchmark=name,
            parameters=parameters,
            unit=str(unit),
            python=", ".join([one.params["python"], *([machine_name] if has_several_machines else [])]),
            versions=versions,
            values=values,
        )
        for (machine_name, _), one in sorted(last.items())
        # Of an environment that asv made there may be a range, which has no place among versions.
        if all(map(is_version, (versions := _versions(matrix, one)).values()))
        for name, parameters, unit, values in _values(one, _known(folder))
    ]


def _versions(matrix: Matrix, one: Any) -> dict[str, str]:
    """Of the axes that an environment has."""
    return {axis.name: str(one.params[axis.name]) for axis in matrix.axes if axis.name in one.params}


def parameters(folder: Path) -> dict[str, str]:
    """Of each benchmark at a choice of its parameters, named as asv's script names it, what was chosen."""
    return {
        f"{name}-{index}": ", ".join(map(plain, chosen))
        for name, benchmark in _known(folder).items()
        if benchmark["params"]
        for index, chosen in enumerate(itertools.product(*benchmark["params"]))
    }


def _known(folder: Path) -> dict[str, Any]:
    """The benchmarks that the results are of."""
    found = files.read_json(Path(Benchmarks.get_benchmark_file_path(str(folder)))) or {}
    return {name: one for name, one in found.items() if isinstance(one, dict)}


def _values(one: Any, known: Mapping[str, Any]) -> Iterator[tuple[str, str, str, tuple[float, ...]]]:
    """Each benchmark at each choice of its parameters: its quartiles, or its only value."""
    for name in sorted(one.get_all_result_keys()):
        params = one.get_result_params(name)
        values, stats = one.get_result_value(name, params), one.get_result_stats(name, params)
        unit = known.get(name, {}).get("unit") or ""
        for chosen, value, stat in zip(itertools.product(*params), values or [], stats or [], strict=False):
            if value is not None and not math.isnan(value):
                quartiles = [stat["q_25"], stat["q_75"]] if stat and "q_25" in stat else []
                yield name, ", ".join(map(plain, chosen)), unit, tuple(sorted([value, *quartiles]))


def plain(parameter: str) -> str:
    """A parameter as asv has it, the ``repr`` of a string without its quotation marks."""
    return parameter.strip("'\"")


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
