"""asv's results: the matrix is written into them, and what benchmarks came to is read from them.

asv can choose among environments by their versions, but draws over commits and parameters alone: in what is
written, versions are parameters. This is the one place that knows how asv keeps its results, of which it
promises nothing.
"""

from __future__ import annotations

import itertools
import math
import os
from datetime import UTC, datetime
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

UNUSABLE = (util.UserError, util.ProcessError, KeyError, ValueError)
"""What asv raises where it cannot use its configuration, or the repository that this names."""
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
    except repo.NoSuchNameError:
        raise MistakesError([f"{conf.repo} has no commit yet, of which these could be results"]) from None
    except UNUSABLE as error:
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
    """What the suite has measured, as it is now, in a folder of results.

    Of each benchmark all is of one commit, so that what differs is due to versions: the one that it was
    measured at in the most environments, the newest of several.
    """
    known = _known(folder)
    found: dict[tuple[str, str], dict[str, list[Any]]] = {}
    for one in results.iter_results(str(folder)):
        # Of an environment that asv made there may be a range, which has no place among versions.
        if not one.env_name.startswith(_MATRIX) and all(map(is_version, _versions(matrix, one).values())):
            for name in one.get_result_keys(known):
                by_commit = found.setdefault((one.params["machine"], name), {})
                by_commit.setdefault(one.commit_hash, []).append(one)
    has_several_machines = len({machine_name for machine_name, _ in found}) > 1
    return [
        Sample(
            benchmark=name,
            parameters=parameters,
            unit=str(known[name].get("unit") or ""),
            where=", ".join(
                [
                    f"Python {one.params['python']}",
                    *([machine_name] if has_several_machines else []),
                    *(f"{variable}={value}" for variable, value in sorted(one.env_vars.items())),
                ]
            ),
            at=f"commit {one.commit_hash[:8]} of {_day(one.date)}",
            versions=_versions(matrix, one),
            values=values,
        )
        for (machine_name, name), by_commit in sorted(found.items())
        for one in max(by_commit.values(), key=lambda several: (len(several), several[0].date))
        for parameters, values in _values(one, name)
    ]


def _versions(matrix: Matrix, one: Any) -> dict[str, str]:
    """Of the axes that an environment has."""
    return {axis.name: str(one.params[axis.name]) for axis in matrix.axes if axis.name in one.params}


def parameters(folder: Path) -> dict[str, str]:
    """Of each benchmark at a choice of its parameters, named as asv's script names it, what was chosen."""
    return {
        f"{name}-{index}": chosen
        for name, benchmark in _known(folder).items()
        if benchmark["params"]
        for index, chosen in enumerate(choices(benchmark["params"]))
    }


def _known(folder: Path) -> dict[str, Any]:
    """The benchmarks that the results are of."""
    found = files.read_json(Path(Benchmarks.get_benchmark_file_path(str(folder)))) or {}
    return {name: one for name, one in found.items() if isinstance(one, dict)}


def _values(one: Any, name: str) -> Iterator[tuple[str, tuple[float, ...]]]:
    """A benchmark at each choice of its parameters: its quartiles, or its only value."""
    params = one.get_result_params(name)
    values, stats = one.get_result_value(name, params), one.get_result_stats(name, params)
    for chosen, value, stat in zip(choices(params), values or [], stats or [], strict=False):
        if value is not None and not math.isnan(value):
            quartiles = [stat["q_25"], stat["q_75"]] if stat and "q_25" in stat else []
            yield chosen, tuple(sorted([value, *quartiles]))


def _day(javascript_ms: int) -> str:
    return datetime.fromtimestamp(javascript_ms / 1000, UTC).date().isoformat()


def choices(params: Sequence[Sequence[str]]) -> list[str]:
    """Every choice of parameters, which asv has as their ``repr``.

    They are without the quotation marks of strings, but where two would read the same.
    """
    written = [", ".join(chosen) for chosen in itertools.product(*params)]
    plain = [", ".join(one.strip("'\"") for one in chosen) for chosen in itertools.product(*params)]
    return plain if len(set(plain)) == len(set(written)) else written


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
