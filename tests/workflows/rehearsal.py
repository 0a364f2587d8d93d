"""The jobs of a workflow on this machine: their own steps, and what GitHub's actions do beside them."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.matrix.conftest import ONE_PYTHON, SUBJECT, TINY
from tests.workflows.expressions import Expressions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_FOREIGN = ("GILGRID_", "GITHUB_", "RUNNER_", "PYTHON", "VIRTUAL_ENV", "NOX_", "PYTEST_", "COV_")
_DEADLINE_S = 900.0
_ROOT = Path(__file__).parents[2]
_WITHOUT = shutil.ignore_patterns("__pycache__", "build", ".*")
TINYS = {"TINY_TALLY": os.devnull, "TINY_HOLD": ""}
"""What the probes of the small subject look for."""


def repository(place: Path, matrix: str, *others: str) -> Path:
    """A copy of this one, with these others of its files, but with a small subject and this matrix."""
    copy = gilgrid_alone(place / "repository", ".github", *others)
    shutil.copytree(TINY, copy / "tiny", ignore=_WITHOUT)
    (copy / "matrix.toml").write_text(SUBJECT + ONE_PYTHON + matrix, encoding="utf-8")
    return copy


def gilgrid_alone(place: Path, *others: str) -> Path:
    """The action, with what it installs, and these others of its files."""
    place.mkdir(parents=True)
    for name in ("src", "action.yml", "pyproject.toml", "README.md", "LICENSE", *others):
        if (_ROOT / name).is_dir():
            shutil.copytree(_ROOT / name, place / name, ignore=_WITHOUT)
        else:
            shutil.copy(_ROOT / name, place)
    return place


@dataclass(kw_only=True)
class Job:
    """A job that was run, or one of those of its matrix."""

    name: str
    is_well: bool = True
    outputs: dict[str, Any] = field(default_factory=dict)
    log: str = ""
    summary: str = ""


@dataclass(kw_only=True)
class Run:
    """What a run of a workflow came to."""

    jobs: dict[str, list[Job]] = field(default_factory=dict)
    """By their name in the file; none of one that was left out, several of one with a matrix."""
    artifacts: dict[str, Path] = field(default_factory=dict)

    @property
    def log(self) -> str:
        return "\n".join(f"== {job.name}\n{job.log}" for several in self.jobs.values() for job in several)


@dataclass(kw_only=True)
class Rehearsal:
    """A repository and all that a run of a workflow leaves behind."""

    repository: Path
    place: Path
    event: str = "push"
    ref: str = "refs/heads/main"
    env: Mapping[str, str] = field(default_factory=dict)
    """What every machine has."""
    caches: dict[str, Path] = field(default_factory=dict)
    actions: Mapping[str, Path] = field(default_factory=dict)
    """Composite actions of other repositories, by what a step uses."""
    lost: Sequence[str] = ()
    """Artifacts that do not arrive, as of a runner that is lost."""
    _numbers: Any = field(default_factory=itertools.count)

    def run(self, workflow: str) -> Run:
        """Every job, in their order."""
        path = self.repository / ".github/workflows" / workflow
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        github = {
            "event_name": self.event,
            "ref": self.ref,
            "run_id": str(next(self._numbers)),
            "workspace": "",
            "token": "a token",
            "repository": "someone/kernels",
        }
        run = Run()
        done = run.jobs
        for key, job in content["jobs"].items():
            needed = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
            assert set(needed) <= set(done), f"{key} needs {needed}, which comes later"
            context = {
                "github": github,
                "needs": {
                    name: {
                        "outputs": {k: v for one in done[name] for k, v in one.outputs.items()},
                        "result": "success" if all(one.is_well for one in done[name]) else "failure",
                    }
                    for name in needed
                },
                "env": content.get("env", {}),
            }
            is_well = all(one.is_well for name in needed for one in done[name])
            if not Expressions(context, is_well=is_well).holds(job.get("if")):
                done[key] = []
                continue
            strategy = Expressions(context, is_well=is_well).filled(job.get("strategy", {}))
            combinations = strategy.get("matrix", {}).get("include", [{}])
            done[key] = [self._job(run, key, job, context | {"matrix": one}) for one in combinations]
        return run

    def _job(self, run: Run, key: str, job: Mapping[str, Any], context: Mapping[str, Any]) -> Job:
        machine = _Machine(self, run, key, job, context)
        machine.steps(job["steps"], machine.context)
        machine.finish()
        filled = machine.expressions(machine.context).filled(job.get("outputs", {}))
        machine.done.outputs = filled
        return machine.done


class _Machine:
    """A runner that has nothing but its tools."""

    def __init__(
        self, of: Rehearsal, run: Run, key: str, job: Mapping[str, Any], context: Mapping[str, Any]
    ) -> None:
        self._of, self._artifacts = of, run.artifacts
        number = next(of._numbers)  # noqa: SLF001 - they are of one module
        place = of.place / f"{key}-{number}"
        self._workspace, self._home, self._temp = place / "work", place / "home", place / "temp"
        for folder in (self._workspace, self._home, self._temp):
            folder.mkdir(parents=True)
        self._files = {
            name: place / name
            for name in ("GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_ENV")
        }
        runner = {"os": "Linux", "arch": "X64", "temp": str(self._temp)}
        self.context: dict[str, Any] = {**context, "runner": runner, "steps": {}}
        self.done = Job(name=str(self.expressions(self.context).filled(job.get("name", key))))
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN) and k != "HOME"}
        self._env = {
            **kept,
            **of.env,
            "HOME": str(self._home),
            "XDG_CACHE_HOME": str(self._home / ".cache"),
            "PIP_CACHE_DIR": str(of.place / "pip"),  # no machine has it, but who tests waits less
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self._workspace),
            "GITHUB_REPOSITORY": "someone/kernels",
            "RUNNER_OS": "Linux",
            "GITHUB_SHA": "0" * 40,
            "RUNNER_TEMP": str(self._temp),
            **{name: str(path) for name, path in self._files.items()},
            **{str(k): str(v) for k, v in {**context["env"], **job.get("env", {})}.items()},
        }
        self._at_the_end: list[Callable[[], None]] = []

    def expressions(self, context: Mapping[str, Any]) -> Expressions:
        return Expressions(context, is_well=self.done.is_well if hasattr(self, "done") else True)

    def finish(self) -> None:
        for step in self._at_the_end:
            step()
        summary = self._files["GITHUB_STEP_SUMMARY"]
        self.done.summary = summary.read_text(encoding="utf-8") if summary.exists() else ""

    def steps(self, steps: Sequence[Mapping[str, Any]], context: dict[str, Any]) -> None:
        """One after another; after the first that fails only those that ask for it."""
        for step in steps:
            expressions = self.expressions(context)
            if not expressions.holds(step.get("if")):
                continue
            given = expressions.filled(step.get("with", {}))
            if "run" in step:
                assert "${{" not in step["run"], f"an expression in a script: {step['run']}"
                outputs = self._script(step, expressions.filled(step.get("env", {})))
            elif step["uses"] == "./":
                outputs = self._composite(self._workspace, given, context)
            elif step["uses"] in self._of.actions:
                outputs = self._composite(self._of.actions[step["uses"]], given, context)
            else:
                name, _, _ = step["uses"].partition("@")  # zizmor sees to what is pinned
                outputs = getattr(
                    self, "_" + name.replace("actions/", "").replace("/", "_").replace("-", "_")
                )(given)
            if "id" in step:
                context["steps"][step["id"]] = {"outputs": outputs or {}}

    # What steps do

    def _script(self, step: Mapping[str, Any], env: Mapping[str, Any]) -> dict[str, str]:
        script = self._temp / "script.sh"
        script.write_text(step["run"], encoding="utf-8")
        added = self._files["GITHUB_PATH"]
        paths = added.read_text(encoding="utf-8").split() if added.exists() else []
        self._files["GITHUB_OUTPUT"].write_text("", encoding="utf-8")
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail"] if "shell" in step else ["bash", "-e"]
        ran = subprocess.run(
            [*shell, str(script)],
            cwd=self._workspace,
            env=self._env
            | {"PATH": os.pathsep.join([*reversed(paths), self._env["PATH"]])}
            | {key: str(value) for key, value in env.items()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=_DEADLINE_S,
            check=False,
        )
        self.done.log += f"$ {step['run']}\n{ran.stdout}"
        if ran.returncode:
            self.done.log += f"exit code {ran.returncode}\n"
            self.done.is_well = False
        lines = self._files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def _composite(
        self, folder: Path, given: Mapping[str, Any], context: Mapping[str, Any]
    ) -> dict[str, str]:
        action = yaml.safe_load((folder / "action.yml").read_text(encoding="utf-8"))
        unknown = set(given) - set(action["inputs"])
        assert not unknown, f"action.yml has no {unknown}"
        inputs = {name: one.get("default", "") for name, one in action["inputs"].items()} | dict(given)
        self._env["GITHUB_ACTION_PATH"] = str(folder)
        self.steps(action["runs"]["steps"], {**context, "inputs": inputs, "steps": {}})
        return {}

    # What GitHub's own actions do

    def _checkout(self, _: Mapping[str, Any]) -> None:
        shutil.copytree(self._of.repository, self._workspace, dirs_exist_ok=True)

    def _setup_python(self, given: Mapping[str, Any]) -> dict[str, str]:
        if given.get("update-environment") is False:
            return {"python-path": getattr(sys, "_base_executable", sys.executable)}
        # A Python of the machine's own, into which its steps may install what they like.
        place = self._temp / "python"
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        self._env["PATH"] = os.pathsep.join([str(place / "bin"), self._env["PATH"]])
        return {"python-path": str(place / "bin/python")}

    def _upload_artifact(self, given: Mapping[str, Any]) -> None:
        name, paths = given["name"], [self._workspace / line for line in given["path"].split()]
        assert name not in self._artifacts, f"two artifacts are named {name}"
        if name in self._of.lost:
            return
        root = Path(os.path.commonpath(paths)) if len(paths) > 1 else paths[0]
        root = root.parent if root.is_file() else root
        kept = self._artifacts[name] = self._of.place / "artifacts" / f"{next(self._of._numbers)}"  # noqa: SLF001
        kept.mkdir(parents=True)
        for path in paths:
            for file in [path] if path.is_file() else sorted(path.rglob("*")):
                below = file.relative_to(self._workspace)
                is_hidden = any(part.startswith(".") for part in below.parts)
                if file.is_file() and (given.get("include-hidden-files") or not is_hidden):
                    target = kept / file.relative_to(root)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file, target)

    def _upload_pages_artifact(self, given: Mapping[str, Any]) -> None:
        assert (self._workspace / given["path"]).is_dir(), self.done.log
        kept = self._artifacts["github-pages"] = self._of.place / "artifacts" / f"{next(self._of._numbers)}"  # noqa: SLF001
        shutil.copytree(self._workspace / given["path"], kept)

    def _deploy_pages(self, _: Mapping[str, Any]) -> dict[str, str]:
        assert (self._artifacts["github-pages"] / "index.html").is_file()
        return {"page_url": "https://someone.github.io/kernels/"}

    def _download_artifact(self, given: Mapping[str, Any]) -> None:
        place = self._workspace / given["path"]
        if name := given.get("name"):
            if name not in self._artifacts:
                self.done.is_well = False
                self.done.log += f"there is no artifact {name}\n"
                return
            shutil.copytree(self._artifacts[name], place, dirs_exist_ok=True)
            return
        for name, folder in self._artifacts.items():
            if Path(name).match(given["pattern"]):
                shutil.copytree(folder, place / name)

    def _cache(self, given: Mapping[str, Any]) -> None:
        if not self._cache_restore(given):
            self._at_the_end.append(lambda: self._cache_save(given))

    def _cache_restore(self, given: Mapping[str, Any]) -> bool:
        """Whether there is one of exactly this key."""
        prefixes = given.get("restore-keys", "").split()
        candidates = [
            key for prefix in prefixes for key in reversed(self._of.caches) if key.startswith(prefix)
        ]
        key = next(iter([*([given["key"]] if given["key"] in self._of.caches else []), *candidates]), None)
        for number, path in enumerate(self._cached(given)):
            if key and (self._of.caches[key] / str(number)).exists():
                _copy(self._of.caches[key] / str(number), path)
        return key == given["key"]

    def _cache_save(self, given: Mapping[str, Any]) -> None:
        place = self._of.caches[given["key"]] = self._of.place / "caches" / f"{next(self._of._numbers)}"  # noqa: SLF001
        for number, path in enumerate(self._cached(given)):
            if path.exists():
                _copy(path, place / str(number))

    def _cached(self, given: Mapping[str, Any]) -> list[Path]:
        paths = given["path"].split()
        return [self._home / path[2:] if path.startswith("~/") else self._workspace / path for path in paths]


def _copy(path: Path, place: Path) -> None:
    """A file, or a folder with its links as they are."""
    if path.is_dir():
        shutil.copytree(path, place, symlinks=True, dirs_exist_ok=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
