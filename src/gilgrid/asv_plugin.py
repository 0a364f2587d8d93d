"""gilgrid in asv: environments with the cell's pins and builds, benchmarks under the guard, pages offline.

``"plugins": [".gilgrid.asv_plugin"], "environment_type": "gilgrid"`` in ``asv.conf.json``; without the dot
in front, asv looks among its own plugins, and says nothing. What ``"matrix": {"req": ...}`` names are axes of
the ``matrix.toml`` beside it.
"""

from __future__ import annotations

import atexit
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from asv import util
from asv.console import log
from asv.environment import Environment, EnvironmentUnavailable
from asv.publishing import OutputPublisher

from gilgrid import asv_process, asv_results, benchmarked, checkouts, config, files
from gilgrid.dashboard import offline, site
from gilgrid.errors import BuildFailedError, GilgridError, MistakesError, UnavailableError
from gilgrid.model import SETUP_CACHE, Verdict
from gilgrid.recorded import recorded
from gilgrid.records import Records
from gilgrid.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilgrid.benchmarked import Installed
    from gilgrid.model import Attempt, Record
    from gilgrid.pins import Pins


class CellEnvironment(Environment):  # type: ignore[misc]  # asv has no types
    """One cell of ``matrix.toml``."""

    tool_name = "gilgrid"
    matches_python_fallback = False
    kept: ClassVar[dict[tuple[str, str], Record]] = {}
    """What did not end well in this run of asv, by environment and benchmark."""
    made: ClassVar[dict[str, CellEnvironment]] = {}
    """What this run of asv has had made, by name."""
    asked: ClassVar[set[str]] = set()
    """The commits that all of these were asked to build."""
    failed: ClassVar[dict[tuple[str, str], GilgridError]] = {}
    """How that failed, by environment and commit, until it is told."""

    def __init__(self, conf: Any, python: str, requirements: dict[str, str], tagged_env_vars: Any) -> None:
        self._folder = Path.cwd()  # asv has gone to where asv.conf.json is
        self._results = Path(conf.results_dir)
        with _as_asv_has_it():
            self._workshop = _workshop(self._folder)
        try:
            self._subject, self._cell = benchmarked.place(self._workshop.matrix, python, requirements)
            self._workshop.environments.resolve(self._pins)
        except UnavailableError as reason:
            raise EnvironmentUnavailable(f"{self._cell} is unavailable {reason}") from None
        except MistakesError as mistake:
            raise util.UserError(f"asv.conf.json, matrix: {mistake}") from None
        self._requirements = dict(requirements)  # read by what follows
        super().__init__(conf, python, dict(requirements), tagged_env_vars)
        # asv has taken out what it would install itself, and that in a version of its own choice.
        self._requirements = dict(requirements)
        if self.build_env_vars:
            names = ", ".join(sorted(self.build_env_vars))
            log.warning(
                f'"env" in asv.conf.json: {names}: builds are not told; write build-settings of an axis'
            )
        self._installed: tuple[str, Installed] | None = None
        self._hung: dict[tuple[str, str], tuple[str, int]] = {}

    @classmethod
    def matches(cls, python: str) -> bool:
        """Whether a Python is named as cells name theirs."""
        return python.replace(".", "").isdigit()

    @property
    def installed_commit_hash(self) -> None:
        """Never known: asv would not ask again, though the compiler or the pins may have changed."""
        return

    def create(self) -> None:
        """Be one of those that are made all at once, with the first commit that is built for them."""
        self.made[self.name] = self

    def install_project(self, conf: Any, repo: Any, commit_hash: str) -> None:
        """Build the subject as it was at that commit, unless the same has been built before."""
        del conf  # where the subject lies in the repository, matrix.toml says
        source = self.source(repo, commit_hash)
        if self.made.get(self.name) is self and commit_hash not in self.asked:
            self._build_all(repo, commit_hash)
        self._install(commit_hash, source)
        files.write_json(self._marker, {"commit": commit_hash, "source": str(source) if source else ""})

    def source(self, repo: Any, commit: str) -> Path | None:
        """The subject's folder as it was at that commit; ``None`` where it has none."""
        if not self._subject.folder:
            return None
        with _as_asv_has_it():
            return checkouts.at_commit(self._subject.folder, Path(self._env_dir), repo, commit)

    def build(self, source: Path | None) -> Installed:
        """What is installed once the subject in that folder is built. Raises ``GilgridError``."""
        return benchmarked.install(
            self._workshop, self._subject, self._cell, source=source, further=asv_process.RUNNER
        )

    def run(self, args: list[str], **how: Any) -> Any:
        """Run the cell's Python under the guard; of a benchmark that does not end well a record is kept."""
        if how.get("return_popen"):
            raise util.UserError("gilgrid runs each benchmark in a process of its own: --launch-method spawn")
        commit, there = self._there()
        name = _name(args)
        output, code = self._hung.get((commit, name)) or self._guarded(commit, name, there, args, how)
        valid = how.get("valid_return_codes", (0,))
        if valid is not None and code not in valid:
            raise util.ProcessError(args, code, output, "")
        return (output, "", code) if how.get("return_stderr") else output

    @property
    def _pins(self) -> Pins:
        return benchmarked.pins(self._workshop.matrix, self._subject, self._cell, asv_process.RUNNER)

    @property
    def _marker(self) -> Path:
        return Path(self._path) / "gilgrid.json"

    def _build_all(self, repo: Any, commit: str) -> None:
        """Make all environments, and build a commit for them, at once.

        asv asks for one after another, and runs benchmarks in between, beside which nothing may be built.
        With ``--parallel`` it asks in other processes, at once as well.
        """
        self.asked.add(commit)
        with _as_asv_has_it():
            sources = {name: one.source(repo, commit) for name, one in self.made.items()}
            found = benchmarked.at_once(
                {name: partial(self.made[name].build, source) for name, source in sources.items()}
            )
        for name, one in found.items():
            if isinstance(one, GilgridError):
                self.failed[name, commit] = one

    def _install(self, commit: str, source: Path | None) -> tuple[str, Installed]:
        with _as_asv_has_it():
            try:
                if failed := self.failed.pop((self.name, commit), None):
                    raise failed
                there = self.build(source)
            except BuildFailedError as failed:
                self._records(commit).write(benchmarked.unbuilt(self._workshop, commit, self._cell, failed))
                raise
        self._forget(commit, benchmarked.BUILD)
        self._set_commit_hash(commit)
        self._installed = commit, there
        return self._installed

    def _there(self) -> tuple[str, Installed]:
        """What is installed, perhaps by another process of asv."""
        told = files.read_json(self._marker)
        if self._installed and self._installed[0] == told["commit"]:
            return self._installed
        return self._install(told["commit"], Path(told["source"]) if told["source"] else None)

    def _guarded(
        self, commit: str, name: str, there: Installed, args: list[str], how: dict[str, Any]
    ) -> tuple[str, int]:
        done = asv_process.run_in(
            there,
            args,
            cwd=Path(how.get("cwd") or self._folder),
            deadline_s=how.get("timeout") or self._install_timeout,
            variables={**self._global_env_vars, **self.env_vars},
        )
        if name:
            self._keep(commit, name, there, done.attempt)
            if done.attempt.verdict is Verdict.DEADLOCK:
                self._hung[commit, name] = done.output, done.code  # in the next round it would again
        return done.output, done.code

    def _keep(self, commit: str, name: str, there: Installed, attempt: Attempt) -> None:
        if attempt.verdict is Verdict.OK:
            self._forget(commit, name)
            self.kept.pop((self.name, name), None)
        else:
            parameters = asv_results.parameters(self._results).get(name, "")
            self.kept[self.name, name] = kept = benchmarked.record(
                self._workshop, name, parameters, there, attempt
            )
            self._records(commit).write(kept)

    def _forget(self, commit: str, name: str) -> None:
        """It ends well now: what was kept of it is of no use any more."""
        self._records(commit).path(self._cell, name).unlink(missing_ok=True)

    def _records(self, commit: str) -> Records:
        return benchmarked.records(self._folder, commit, self.name)


class Compatibility(OutputPublisher):  # type: ignore[misc]  # as above
    """The pages of the matrix, and asv's beside them, all of which work without a network."""

    name = "compatibility"
    description = "What works with which versions"

    @classmethod
    def publish(cls, conf: Any, *_: Any) -> None:
        """Write the pages of the matrix, and have asv's take nothing from elsewhere."""
        results, pages = Path(conf.results_dir), Path(conf.html_dir)
        with _as_asv_has_it():
            of = recorded(Path.cwd() / "matrix.toml", may_be_none=True)
        failures, warnings = benchmarked.failures(of.matrix.project)
        for warning in (*of.warnings, *warnings):
            log.warning(warning)
        count = site.write(
            of,
            pages,
            samples=asv_results.samples(of.matrix, results),
            failures=failures,
        )
        log.info(f"{count} records of the matrix")
        for url in offline.install(pages):
            log.warning(f"the pages take {url} from the network: gilgrid has no copy of it")


def _name(args: list[str]) -> str:
    """Of the benchmark that asv's script is to run, or of the ``setup_cache`` of its class or module."""
    match args:
        case [asv_process.SCRIPT, "run", _, name, *_]:
            return name
        case [asv_process.SCRIPT, "setup_cache", _, name, *_]:
            return f"{name.rpartition('.')[0]}{SETUP_CACHE}"
        case _:
            return ""


@contextmanager
def _as_asv_has_it() -> Iterator[None]:
    """What gilgrid raises as what asv understands: a build that failed is no end of the run."""
    try:
        yield
    except BuildFailedError as failed:
        log.error(f"does not build: {failed.first_error}")
        raise util.ProcessError(["build"], 1, failed.log, "") from None
    except GilgridError as error:
        raise util.UserError(str(error)) from None


@cache
def _workshop(folder: Path) -> Workshop:
    """One for all environments: a matrix takes 0.1 s to be read."""
    return Workshop.of(config.load(folder / "matrix.toml"), Records.of(folder), files.cache_folder())


@atexit.register
def _told_at_last() -> None:
    # asv writes `failed` of each of them, and shows why only if it is asked to.
    for (environment, name), record in CellEnvironment.kept.items():
        log.error(f"{environment} {name}: {record.verdict}: {record.reason}")
