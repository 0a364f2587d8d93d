"""The suite of ``asv.conf.json``, run one process at a time and not by ``asv run``."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asv import config, environment, repo, runner, util
from asv.benchmarks import Benchmarks

from gilgrid import asv_process, checkouts
from gilgrid.asv_results import UNUSABLE, choices
from gilgrid.comparison import Turn
from gilgrid.errors import GilgridError, MistakesError
from gilgrid.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gilgrid.benchmarked import Installed
    from gilgrid.matrix import Subject
    from gilgrid.model import Attempt

_DISCOVERY_DEADLINE_S = 120.0
_HASH = re.compile("[0-9a-f]{40,64}")
_SAMPLES = {"rounds": 1, "repeat": [1, 5, 1.0], "warmup_time": 0.05}
"""Of one process: the best of these is what it says, since others on the machine can only make it slower."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """A benchmark at one choice of its parameters."""

    benchmark: Mapping[str, Any]
    index: int
    parameters: str

    @property
    def name(self) -> str:
        """As asv has it."""
        return str(self.benchmark["name"])

    @property
    def unit(self) -> str:
        """Of its values."""
        return str(self.benchmark.get("unit") or "")


@dataclass(kw_only=True)
class Suite:
    """What ``asv.conf.json`` says, read where it lies."""

    folder: Path
    conf: Any
    _repo: Any = None
    _caches: dict[tuple[str, str], Path] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> Suite:
        """Read it. Raises ``MistakesError`` where it cannot be."""
        path = folder / "asv.conf.json"
        os.chdir(folder)  # as asv does, whose paths start from there
        try:
            return cls(folder=folder, conf=config.Config.load(str(path)))
        except UNUSABLE as error:
            raise MistakesError([f"{path}: {error}"]) from None

    def places(self) -> list[tuple[str, dict[str, str]]]:
        """The Pythons, and versions of axes, of its ``matrix``."""
        entries = environment.iter_matrix("gilgrid", self.conf.pythons, self.conf)
        return [
            (
                combination["python", None],
                {name: text for (kind, name), text in combination.items() if kind == "req"},
            )
            for combination in entries
        ]

    def commit(self, name: str) -> str:
        """The hash of a commit. Raises ``MistakesError`` where there is none of that name."""
        try:
            self._repo = self._repo or repo.get_repo(self.conf)
            found = str(self._repo.get_hash_from_name(name))
        except repo.NoSuchNameError:
            found = ""
        except UNUSABLE as error:
            raise MistakesError([f"{self.folder / 'asv.conf.json'}: {error}"]) from None
        if not _HASH.fullmatch(found):  # of HEAD* git finds none, and says HEAD*
            sentence = f"{name} is no commit of {self.conf.repo}, and no version as scipy==1.10.1"
            raise MistakesError([sentence])
        return found

    def checkout(self, name: str, subject: Subject) -> Path | None:
        """The folder of a subject at a commit; None where it is no folder."""
        commit = self.commit(name)
        if not subject.folder:
            return None
        try:
            return checkouts.at_commit(subject.folder, Path(self.conf.env_dir), self._repo, commit)
        except (util.UserError, util.ProcessError) as error:
            raise GilgridError(f"commit {name} cannot be checked out: {error}") from None

    def items(self, there: Installed, regex: Sequence[str]) -> list[Item]:
        """Every benchmark at every choice of its parameters, of those that match; asks the cell for them."""
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder) / "benchmarks.json"
            done = asv_process.run_in(
                there,
                [asv_process.SCRIPT, "discover", self._benchmarks, str(result)],
                cwd=Path(folder),
                deadline_s=_DISCOVERY_DEADLINE_S,
                variables={},
            )
            if done.attempt.verdict is not Verdict.OK:
                raise GilgridError(f"the benchmarks cannot be listed in {there.cell}: {done.output.strip()}")
            found = json.loads(result.read_text(encoding="utf-8"))
        try:
            known = Benchmarks(self.conf, found, regex=list(regex) or None)
        except re.error as error:
            raise MistakesError([f"--bench {error.pattern!s}: is no regular expression: {error}"]) from None
        if not known:
            raise MistakesError([f"no benchmark matches {', '.join(regex)}"])
        return [
            Item(benchmark=benchmark, index=index, parameters=chosen)
            for name, benchmark in sorted(known.items())
            for index, chosen in enumerate(choices(benchmark["params"]))
            if index in (known.benchmark_selection.get(name) or {index})
        ]

    def measure(self, item: Item, there: Installed) -> Turn:
        """One process of a benchmark."""
        benchmark = dict(item.benchmark)
        benchmark["timeout"] = benchmark.get("timeout") or self.conf.default_benchmark_timeout
        in_cell = _InCell(there, self._benchmarks)
        cache, attempt = self._cache(benchmark, in_cell)
        if attempt is None:
            found = runner.run_benchmark(
                benchmark,
                in_cell,
                profile=False,
                selected_idx=[item.index],
                extra_params=_SAMPLES,
                cwd=str(cache) if cache else None,
            )
            attempt = in_cell.last
            if attempt.verdict is Verdict.OK:
                return Turn(value=_value(found, item.index))
        return Turn(verdict=attempt.verdict, reason=attempt.reason)

    def close(self) -> None:
        """Remove what ``setup_cache`` has made."""
        for cache in self._caches.values():
            shutil.rmtree(cache, ignore_errors=True)
        self._caches.clear()

    def _cache(self, benchmark: Mapping[str, Any], in_cell: _InCell) -> tuple[Path | None, Attempt | None]:
        """What its ``setup_cache`` has made, once for each side; or how that ended, where it did not well."""
        setup = benchmark.get("setup_cache_key")
        if setup is None:
            return None, None
        key = in_cell.identity, setup
        if key not in self._caches:
            self._caches[key] = folder = Path(tempfile.mkdtemp(prefix="gilgrid-"))
            timeout = benchmark.get("setup_cache_timeout") or benchmark["timeout"]
            in_cell.run_script("setup_cache", [benchmark["name"], "{}"], timeout, folder)
            if in_cell.last.verdict is not Verdict.OK:
                shutil.rmtree(self._caches.pop(key), ignore_errors=True)
                return None, in_cell.last
        return self._caches[key], None

    @property
    def _benchmarks(self) -> str:
        return str((self.folder / self.conf.benchmark_dir).resolve())


class _InCell:
    """What asv's runner starts its processes with."""

    last: Attempt

    def __init__(self, there: Installed, benchmarks: str) -> None:
        self._there = there
        self._benchmarks = benchmarks
        self.identity = f"{there.cell} {there.build.key}"

    def run(self, *, timeout: float, cwd: str, **args: str) -> tuple[str, int]:
        """As asv calls it."""
        names = ("name", "params_str", "profile_path", "result_file_name")
        return self.run_script("run", [args[name] for name in names], timeout, Path(cwd))

    def interrupt(self) -> None:
        """What asv calls at Ctrl-C, of which it would make an error of its own."""
        raise KeyboardInterrupt

    def run_script(self, what: str, args: Sequence[str], timeout: float, cwd: Path) -> tuple[str, int]:
        """One of the commands of asv's script."""
        done = asv_process.run_in(
            self._there,
            [asv_process.SCRIPT, what, self._benchmarks, *args],
            cwd=cwd,
            deadline_s=timeout,
            variables={},
        )
        self.last = done.attempt
        return done.output, done.code


def _value(found: Any, index: int) -> float | None:
    samples = found.samples[index]
    value = min(samples) if samples else found.result[index]
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None


def human(value: float, unit: str) -> str:
    """A value with its unit, as asv writes it."""
    return str(util.human_value(value, unit))
