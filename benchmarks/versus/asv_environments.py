"""gilgrid's environments in asv against asv's own: one suite, three Cython x SciPy pairs, from cold on.

usage: python benchmarks/versus/asv_environments.py [--rounds N] [--parallel N] [--sides SIDE ...]

``asv run --quick`` of one benchmark, three times over: with empty caches and an empty home (``cold``), of a
commit that changes a README, and of one that changes a source file of the kernels. In each round every side
has a clone of this repository, and they run in turn. Needs ``gilgrid[asv]`` and virtualenv, Python 3.11, and
some minutes a round. ``uv`` is asv's own way to use uv, which makes the environment with it and installs with
pip; ``no-pyc`` has pip leave what it installs uncompiled, as uv does unless it is asked.

What is compared is the wall time of ``asv run`` less the benchmark's own, which asv's result files tell: the
``duration`` of each begins with its process (here with its guard) and ends with its result. asv's own
environments have imported the suite before that, in a fork server. All of it is printed, and the CPU time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from gilgrid.guard import Command, End, run

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
GIT = shutil.which("git") or "git"
PYTHON = "3.11"
CYTHON, SCIPY = ["3.0.12", "3.3.1"], ["1.10.1", "1.17.1"]
PAIRS = {(cython, scipy) for cython in CYTHON for scipy in SCIPY} - {("3.0.12", "1.17.1")}
BENCH = r"^solve\.Solve\.time_batch\('callback', 16, 1\)$"
CHANGES = {
    "cold": "",
    "README changed": "README.md",
    "source changed": "kernels/lapack_kernels/_native.pyx",
}
DEADLINE_S = 3600.0
NO_PYC = "-no-pyc"
SIDES = ("gilgrid", "virtualenv", f"virtualenv{NO_PYC}", "uv", f"uv{NO_PYC}")
CACHES = ("PIP_CACHE_DIR", "UV_CACHE_DIR", "GILGRID_CACHE_DIR", "XDG_CACHE_HOME", "XDG_DATA_HOME")


@dataclass(frozen=True, kw_only=True)
class Side:
    """One kind of environment, in a clone and a home of its own."""

    name: str
    place: Path

    @property
    def is_ours(self) -> bool:
        """Whether the environments are gilgrid's."""
        return self.name == "gilgrid"

    @property
    def clone(self) -> Path:
        """The repository."""
        return self.place / "clone"

    @property
    def suite(self) -> Path:
        """The folder of asv.conf.json: asv's own would install what a pyproject.toml beside it requires."""
        return self.clone if self.is_ours else self.clone / "benchmarks"

    @property
    def env(self) -> dict[str, str]:
        """The environment variables: nothing of the user's home, and no cache that was there before."""
        home = self.place / "home"
        own = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "GIT_", "ASV")) and name not in {"VIRTUAL_ENV", "UV_PYTHON"}
        }
        return {
            **own,
            **{name: str(home / name.lower()) for name in CACHES},
            "HOME": str(home),
            "TMPDIR": str(self.place / "tmp"),  # what pip leaves when it is killed goes with the rest
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), own.get("PATH", os.defpath)]),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ONLY_BINARY": ":all:",
            # uv knows nothing of pip's configuration: one index for all sides.
            "PIP_EXTRA_INDEX_URL": "",
            "PIP_FIND_LINKS": "",
            # pip turns this one around (pypa/pip#5735): 0 is --no-compile.
            **({"PIP_NO_COMPILE": "0"} if self.name.endswith(NO_PYC) else {}),
        }

    @property
    def configuration(self) -> dict[str, Any]:
        """What asv.conf.json holds."""
        common = {
            "version": 1,
            "branches": ["main"],
            "pythons": [PYTHON],
            "exclude": [{"req": {"cython": "3.0.12", "scipy": "1.17.1"}}],
            "env_dir": ".asv/env",
            "results_dir": ".asv/results",
            "html_dir": ".asv/html",
        }
        pairs: dict[str, list[str]] = {"cython": CYTHON, "scipy": SCIPY}
        if self.is_ours:
            return common | {
                "project": "gilgrid kernels",
                "repo": ".",
                "benchmark_dir": "benchmarks",
                "plugins": [".gilgrid.asv_plugin"],
                "environment_type": "gilgrid",
                "matrix": {"req": pairs},
            }
        pip, bindings = "python -m pip", "--config-settings=setup-args=-Dbindings=cython"
        return common | {
            "project": "lapack-kernels",
            "repo": "..",
            "repo_subdir": "kernels",
            "benchmark_dir": ".",
            "environment_type": self.name.removesuffix(NO_PYC),
            # SciPy brings the NumPy that it can do with. In this order: asv installs one after the other.
            "matrix": {"req": pairs | {"meson-python": [""], "ninja": [""], "threadpoolctl": [""]}},
            # asv's defaults would build an sdist and all bindings, in an isolated environment with other
            # versions, and install the newest of all that it depends on over what the matrix says.
            "build_command": [
                f"{pip} wheel --no-build-isolation --no-deps {bindings} -w {{build_cache_dir}} ."
            ],
            "install_command": [
                f"in-dir={{env_dir}} {pip} install --no-deps --force-reinstall {{wheel_file}}"
            ],
            "uninstall_command": [],
        }

    def prepare(self) -> None:
        """Make the clone and tell asv of the machine, which is no part of what is measured."""
        for folder in (self.place, self.place / "home", self.place / "tmp"):
            folder.mkdir()
        _checked([GIT, "clone", "--quiet", str(ROOT), str(self.clone)], self.place, self.env)
        self._git("checkout", "--quiet", "-B", "main")
        (self.suite / "asv.conf.json").write_text(json.dumps(self.configuration), encoding="utf-8")
        _checked([sys.executable, "-m", "asv", "machine", "--yes"], self.suite, self.env)

    def change(self, file: str) -> None:
        """Commit a change of that file."""
        with (self.clone / file).open("a", encoding="utf-8") as text:
            text.write("\n# one line more\n")
        who = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
        self._git(*who, "commit", "--quiet", "--message", f"{file} changed", "--", file)

    def measure(self, further: Sequence[str]) -> Measured:
        """Run the suite on the clone's last commit."""
        asv = (sys.executable, "-m", "asv", "run", "--quick", *further, "--bench", BENCH, "HEAD^!")
        ending = run(Command(argv=asv, cwd=self.suite, env=self.env, deadline_s=DEADLINE_S))
        if ending.end is End.CANCELLED:
            raise KeyboardInterrupt
        commit = self._git("rev-parse", "HEAD")
        files = sorted((self.suite / ".asv/results").glob(f"*/{commit[:8]}-*.json"))
        found = [_result(json.loads(file.read_text(encoding="utf-8"))) for file in files]
        if ending.exit_code != 0 or len(found) != len(PAIRS) or not all(value for value, _ in found):
            sys.exit(f"{self.name}: {ending.end}, {found}\n{ending.output[-6000:]}")
        own_s = sum(duration for _, duration in found)
        return Measured(wall_s=ending.seconds, own_s=own_s, cpu_s=ending.cpu_seconds)

    def pip(self) -> str:
        """The version of pip in asv's own environments, whose pairs must be those of their names."""
        folders = [*(self.suite / ".asv/env").glob("*/lib/python*/site-packages")]
        installed = [
            {name: _installed(folder, name) for name in ("cython", "scipy", "pip")} for folder in folders
        ]
        pairs = {(one["cython"], one["scipy"]) for one in installed}
        if pairs != PAIRS:
            sys.exit(f"{self.name}: what is installed is {sorted(pairs)}")
        return installed[0]["pip"]

    def _git(self, *arguments: str) -> str:
        return _checked([GIT, *arguments], self.clone, self.env)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One ``asv run``."""

    wall_s: float
    own_s: float
    """Of the benchmarks."""
    cpu_s: float
    """Of all processes: who shares the machine changes it least."""

    @property
    def rest_s(self) -> float:
        """What making ready took."""
        return self.wall_s - self.own_s


def main() -> None:
    """Run the sides in turn and print each run, the medians and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--parallel", type=int, help="asv's option, for all sides")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # what was made is removed
    named = ", ".join(f"{name} {version(name)}" for name in ("asv", "asv_runner", "uv", "virtualenv"))
    print(f"{named}, Python {platform.python_version()}")
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, load over a minute: {os.getloadavg()[0]:.2f}")
    further = ["--parallel", str(options.parallel)] if options.parallel else []
    measured: dict[tuple[str, str], list[Measured]] = {}
    try:
        for number in range(options.rounds):
            begin = number % len(options.sides)
            _round([*options.sides[begin:], *options.sides[:begin]], further, measured)
    except KeyboardInterrupt:
        sys.exit(130)
    Console(width=100).print(_table(options.sides, measured))


def _round(
    names: Sequence[str], further: Sequence[str], measured: dict[tuple[str, str], list[Measured]]
) -> None:
    with tempfile.TemporaryDirectory(prefix="versus-") as place:
        sides = [Side(name=name, place=Path(place) / name) for name in names]
        for side in sides:
            side.prepare()
        for what, file in CHANGES.items():
            for side in sides:
                if file:
                    side.change(file)
                took = side.measure(further)
                measured.setdefault((what, side.name), []).append(took)
                pip = "" if file or side.is_ours else f", pip {side.pip()}"
                shares = f"the benchmark's own {took.own_s:.1f} s, CPU {took.cpu_s:.1f} s"
                print(
                    f"{what:14}  {side.name:17} {took.wall_s:6.1f} s ({shares}){pip}, "
                    f"load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )


def _table(names: Sequence[str], measured: dict[tuple[str, str], list[Measured]]) -> Table:
    table = Table(title="seconds of asv run, medians; x: times gilgrid's", title_justify="left")
    for heading in ("", "environments"):
        table.add_column(heading, no_wrap=True)
    for heading in ("wall", "own", "rest", "CPU", "x rest", "x wall", "x CPU"):
        table.add_column(heading, justify="right", no_wrap=True)
    for what in CHANGES:
        ours = _median(measured[what, "gilgrid"]) if "gilgrid" in names else None
        for name in names:
            of = _median(measured[what, name])
            ratios = [of.rest_s / ours.rest_s, of.wall_s / ours.wall_s, of.cpu_s / ours.cpu_s] if ours else []
            seconds = [of.wall_s, of.own_s, of.rest_s, of.cpu_s]
            table.add_row(what, name, *(f"{value:.1f}" for value in (*seconds, *ratios)))
    return table


def _median(runs: Sequence[Measured]) -> Measured:
    own_s, rest_s, cpu_s = (
        statistics.median(values)
        for values in zip(*((one.own_s, one.rest_s, one.cpu_s) for one in runs), strict=True)
    )
    return Measured(wall_s=own_s + rest_s, own_s=own_s, cpu_s=cpu_s)


def _result(file: dict[str, Any]) -> tuple[float | None, float]:
    """The benchmark's time in seconds, if it has one, and its duration."""
    (row,) = file["results"].values()
    one = dict(zip(file["result_columns"], row, strict=False))
    values = [value for value in one["result"] or [] if isinstance(value, float)]
    return next((value for value in values if value > 0), None), one["duration"]


def _installed(site_packages: Path, name: str) -> str:
    (found,) = site_packages.glob(f"[{name[0].upper()}{name[0]}]{name[1:]}-*.dist-info")
    return found.name.removesuffix(".dist-info").partition("-")[2]


def _checked(command: Sequence[str], cwd: Path, env: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
