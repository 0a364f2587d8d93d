"""The small project with a suite of asv's, in a repository of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.matrix.conftest import PYTHON

if TYPE_CHECKING:
    from pathlib import Path

    from tests.matrix.conftest import Done, Project

GIT = shutil.which("git") or "git"
ASV = (sys.executable, "-m", "asv")
AXES = """
[axes.iniconfig]
versions = ["2.0.0", "2.1.0"]

[[probe]]
name = "answers"
command = ["python", "-c", "import tiny"]
"""
PROBES = """
[[probe]]
name = "probes"
command = ["python", "-m", "tiny.probe", "well"]

[[probe]]
name = "raises"
command = ["python", "-m", "tiny.probe", "raise"]
"""
BENCHMARKS = """
import os, threading, time
from tiny import _tiny

def time_well():
    assert _tiny.answer() == 42

def time_hang():
    held = threading.Lock()
    held.acquire()
    held.acquire()

class Sizes:
    params = [1, 2]
    rounds = 3
    def time_hang_of_one(self, n):
        with open("%(begun)s", "a") as begun:
            begun.write(f"{n} ")
        if n == 2:
            time_hang()

def time_crash():
    _tiny.crash()

def time_raise():
    raise RuntimeError("as asked for")

def time_sleep():
    while True:
        print("still here", flush=True)
        time.sleep(0.1)
time_sleep.timeout = 1.0

def track_version():
    from importlib.metadata import version
    return int(version("iniconfig").replace(".", ""))
"""


class Benchmarked:
    """A project with a suite, in a repository of its own."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.folder = project.folder
        self.begun = self.folder / "begun"
        project.write(AXES)
        suite = self.folder / "benchmarks"
        suite.mkdir()
        (suite / "__init__.py").touch()
        (suite / "suite.py").write_text(BENCHMARKS % {"begun": self.begun}, encoding="utf-8")
        self.configure()
        (self.folder / ".gitignore").write_text(".asv\n.gilgrid\nroll\ngo\ntally\nstderr-*\nbegun\n")
        self.initialise()
        self.commit()
        project.env["HOME"] = str(self.folder)
        self.asv("machine", "--yes")

    def configure(self, **other: Any) -> None:
        """Write ``asv.conf.json``."""
        configuration = {
            "version": 1,
            "project": "tiny",
            "repo": ".",
            "branches": ["main"],
            "plugins": [".gilgrid.asv_plugin"],
            "environment_type": "gilgrid",
            "pythons": [PYTHON],
            "matrix": {"req": {"iniconfig": ["2.0.0"]}},
            "benchmark_dir": "benchmarks",
            "env_dir": ".asv/env",
            "results_dir": ".asv/results",
            "html_dir": ".asv/html",
        }
        (self.folder / "asv.conf.json").write_text(json.dumps(configuration | other), encoding="utf-8")

    def move_to(self, name: str) -> None:
        """Have the suite in a folder below the repository's, as many projects have it."""
        place = self.folder / name
        place.mkdir()
        for file in ("asv.conf.json", "matrix.toml", "benchmarks"):
            (self.folder / file).rename(place / file)
        for file, before, now in (
            ("asv.conf.json", '"repo": "."', '"repo": ".."'),
            ("matrix.toml", 'source = "tiny"', 'source = "../tiny"'),
        ):
            text = (place / file).read_text(encoding="utf-8")
            (place / file).write_text(text.replace(before, now), encoding="utf-8")

    def initialise(self) -> None:
        self._git("init", "--quiet", "--initial-branch=main")
        self._git("config", "user.email", "nobody@example.org")
        self._git("config", "user.name", "nobody")

    def commit(self) -> str:
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", "a commit")
        return self._git("rev-parse", "HEAD")

    def asv(self, *arguments: str) -> Done:
        return self.project.run(*arguments, via=ASV)

    def run(self, *bench: str, quick: bool = True) -> Done:
        chosen = [word for name in bench for word in ("--bench", name)]
        return self.asv("run", *(["--quick"] if quick else []), *chosen, "HEAD^!")

    def results(self, name: str) -> dict[str, Any]:
        """By environment."""
        found = [json.loads(file.read_text(encoding="utf-8")) for file in self.result_files()]
        return {one["env_name"]: one["results"][name][0] for one in found if name in one["results"]}

    def by_date(self, name: str) -> list[Any]:
        """Of each commit, the oldest first."""
        found = [json.loads(file.read_text(encoding="utf-8")) for file in self.result_files()]
        order = self._git("log", "--format=%H").split()[::-1]
        found.sort(key=lambda one: order.index(one["commit_hash"]))
        return [one["results"][name][0] for one in found]

    def result_files(self) -> list[Path]:
        return sorted((self.folder / ".asv/results").glob("*/*-gilgrid-*.json"))

    def replace(self, what: str, by: str) -> None:
        """Change the suite; asv reads it where it lies."""
        suite = self.folder / "benchmarks/suite.py"
        suite.write_text(suite.read_text(encoding="utf-8").replace(what, by), encoding="utf-8")

    def records(self) -> dict[str, dict[str, Any]]:
        files = (self.folder / ".gilgrid/benchmarks").glob("*/*/*/*.json")
        found = [json.loads(file.read_text(encoding="utf-8")) for file in files]
        return {record["probe"]: record for record in found}

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(
            [GIT, *arguments], cwd=self.folder, capture_output=True, encoding="utf-8", check=True
        )
        return done.stdout.strip()
