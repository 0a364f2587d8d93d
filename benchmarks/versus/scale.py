"""What a matrix costs as its axes grow: planning, going on, showing and publishing, with nothing to measure.

usage: python benchmarks/versus/scale.py [--rounds N] [--plot FILE.svg]

12 Cythons, or less, x 21 SciPys x 5 Pythons x 10 probes, whose environments, builds and records are written
by gilgrid itself, but with a uv and a compiler that make nothing but names. Every figure is of a process of
its own, as a user starts it: median seconds, and the most memory. Needs gilgrid[asv]; --plot matplotlib.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from gilgrid import config, files, probes
from gilgrid.expectations import judge
from gilgrid.interpreters import Interpreters
from gilgrid.pins import run_pins
from gilgrid.recording import measured
from gilgrid.records import Records
from gilgrid.workshop import Workshop, prospects

if TYPE_CHECKING:
    from gilgrid.model import Attempt

PYTHONS = ["3.9", "3.10", "3.11", "3.12", "3.13"]
SCIPYS = [f"1.{minor}.{patch}" for minor in range(9, 16) for patch in range(3)]
CYTHONS = [f"3.{minor}.{patch}" for minor in range(4) for patch in range(3)]
DISTINCT_INPUTS = 3
PROBES = 10
MATRIX = """
[subject]
name = "simulated"
source = "simulated==1.0"

[axes.python]
versions = {pythons}

[axes.cython]
versions = {cythons}
stages = ["build"]

[axes.scipy]
versions = {scipys}
build-inputs = ["scipy/linalg/cython_lapack.pxd"]
"""
PROBE = """
[[probe]]
name = "probe-{number}"
command = ["python", "-c", "pass"]
"""
# Two of the probes hang in three quarters of the cells.
JUDGED = """
[[expect]]
probe = ["probe-0", "probe-1"]
cython = ">=3.1"
verdict = "deadlock"
cause = "lock-order"
because = "its threads take two locks in opposite order"

[[expect]]
probe = ["probe-8", "probe-9"]
scipy = "<1.0"
verdict = "crash"
because = "it would"

[[remedy]]
name = "other-probe"
text = "take them in one order"
probes = { probe-0 = "probe-2", probe-1 = "probe-3" }

[[remedy]]
name = "older-cython"
text = "build with Cython 3.0"
probes = ["probe-0", "probe-1"]
build = { cython = "3.0.0" }

[[claim]]
text = "It needs Cython 3.1 or later."
source = "simulated"
hangs = ["probe-0", "probe-1"]
within = { cython = ">=3.1" }

[[claim]]
text = "One order of its locks cures it."
source = "simulated"
hangs = ["probe-0", "probe-1"]
cured-by = "other-probe"
"""
HANGS = """
import threading
one, other, met = threading.Lock(), threading.Lock(), threading.Barrier(2)
def take(first, second):
    with first:
        met.wait()
        with second:
            pass
threads = [threading.Thread(target=take, args=pair) for pair in ((one, other), (other, one))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
PUBLISH = """
from pathlib import Path
from gilgrid.dashboard import site
from gilgrid.recorded import recorded
site.write(recorded(Path("matrix.toml")), Path("html"))
"""
GILGRID = [sys.executable, "-m", "gilgrid.cli"]
COMMANDS = {
    "plan": [*GILGRID, "plan"],
    "plan --shards 100 --github": [*GILGRID, "plan", "--shards", "100", "--github"],
    "a run with nothing to do": [*GILGRID, "run"],
    "show": [*GILGRID, "show"],
    "show --format markdown": [*GILGRID, "show", "--format", "markdown"],
    "publish": [sys.executable, "-c", PUBLISH],
}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one process."""

    seconds: float
    mebibytes: float


def main() -> None:
    """Measure, print, plot."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--plot", type=Path, metavar="FILE")
    options = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, load over a minute: {os.getloadavg()[0]:.2f}")
    found: dict[str, dict[int, Cost]] = {}
    for cythons in (1, 2, 4, 5, 8, 12):
        with tempfile.TemporaryDirectory(prefix="gilgrid-scale-") as folder:
            place = Path(folder)
            count, built = simulate(place, CYTHONS[:cythons])
            print(f"\n{count:,} records, {cythons * len(SCIPYS) * len(PYTHONS):,} cells, {built} builds")
            for name, command in COMMANDS.items():
                cost(command, place)  # reads and compiles for the first time
                costs = [cost(command, place) for _ in range(options.rounds)]
                one = Cost(
                    seconds=statistics.median(each.seconds for each in costs),
                    mebibytes=max(each.mebibytes for each in costs),
                )
                found.setdefault(name, {})[count] = one
                print(f"{name:32} {one.seconds:6.2f} s {one.mebibytes:6.0f} MiB", flush=True)
    print(f"\nload over a minute: {os.getloadavg()[0]:.2f}")
    if options.plot:
        plot(found, options.plot)


def cost(command: list[str], place: Path) -> Cost:
    """Run it in that project."""
    env = os.environ | {"GILGRID_CACHE_DIR": str(place / "cache")}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # as an installed gilgrid has its bytecode
    begun = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=place,
        env=env | {"PYTHONPYCACHEPREFIX": str(place / "bytecode")},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Cost(seconds=time.perf_counter() - begun, mebibytes=usage.ru_maxrss / 1024)


# A project in which everything has been measured


def simulate(place: Path, cythons: list[str]) -> tuple[int, int]:
    """Write it; the numbers of its records and of its builds."""
    text = MATRIX.format(pythons=PYTHONS, cythons=cythons, scipys=SCIPYS).replace("'", '"')
    text += "".join(PROBE.format(number=number) for number in range(PROBES)) + JUDGED
    (place / "matrix.toml").write_text(text, encoding="utf-8")
    pretend_interpreters(place / "cache")
    with (
        patch("gilgrid.environments.uv_command", pretend_uv),
        patch("gilgrid.builds.uv_command", pretend_uv),
        patch("gilgrid.builds._compile", pretend_compile),
    ):
        return measure(place)


def measure(place: Path) -> tuple[int, int]:
    """Make every environment, build and record of a project."""
    matrix = config.load(place / "matrix.toml")
    workshop = Workshop.of(matrix, Records.of(matrix.project), place / "cache")
    jobs = workshop.plan().jobs
    attempts: dict[bool, Attempt] = {}
    environment_of = {}
    build_of = {}
    for job in jobs:
        if job.cell not in build_of:
            subject = workshop.subject(job)
            pins = run_pins(workshop.matrix, subject, job.cell)
            environment_of[job.cell] = workshop.environments.obtain(pins)
            key = workshop.key(subject, job.cell, environment_of[job.cell])
            build_of[job.cell] = workshop.build(subject, job.cell, key)
        environment, build = environment_of[job.cell], build_of[job.cell]
        probe = workshop.probe(job.probe)
        hangs = matrix.rule(job.cell, job.probe) is not None
        if hangs not in attempts:  # what one says is as long as what another says
            command = ("python", "-c", HANGS if hangs else "pass")
            attempts[hangs] = probes.attempt(probe, command, environment, None)
        workshop.records.write(measured(workshop, job, environment, build, (attempts[hangs],)))
    differing = [each for each in judge(matrix, workshop.records.read_all()) if not each.as_expected]
    if differing or not all(one.record for one in prospects(workshop, workshop.plan())):
        raise SystemExit("a run would have something to do, or to say")
    return len(jobs), len({build.key for build in build_of.values()})


def pretend_interpreters(cache: Path) -> None:
    """One of each version, all of which are this one."""
    there = Interpreters(cache)
    one = next(iter(there.local().values()))
    several = [
        replace(one, python=python, version=f"{python}.1", abi=f"cpython-{python}") for python in PYTHONS
    ]
    files.write_json(cache / "interpreters.json", [vars(each) for each in several])


def pretend_uv(*arguments: str | Path, log: str) -> str:
    """Resolve, make and fill an environment, in name."""
    del log
    given = [str(argument) for argument in arguments]
    match given:
        case ["pip", "compile", *_]:
            shutil.copy(given[-1], given[-2])
        case ["venv", *_]:
            place = Path(given[-1])
            (place / "bin").mkdir(parents=True)
            (place / "bin/python").symlink_to(sys.executable)
            (place / "lib/python3/site-packages").mkdir(parents=True)
        case ["pip", "install", *_] if "--target" in given:
            install(Path(given[given.index("--target") + 1]), "simulated", "1.0")
        case ["pip", "install", *_]:
            site = Path(given[given.index("--python") + 1], "lib/python3/site-packages")
            for line in Path(given[-1]).read_text(encoding="utf-8").split():
                name, _, version = line.partition("==")
                install(site, name, version or "1.0")
                if name == "scipy":
                    inputs = site / "scipy/linalg/cython_lapack.pxd"
                    inputs.parent.mkdir(parents=True)
                    inputs.write_text(f"# {SCIPYS.index(version) % DISTINCT_INPUTS}\n", encoding="utf-8")
    return ""


def install(site: Path, name: str, version: str) -> None:
    """A distribution of nothing."""
    facts = site / f"{name}-{version}.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8"
    )
    (facts / "RECORD").write_text(f"{facts.name}/METADATA,,\n", encoding="utf-8")


def pretend_compile(subject: Any, draft: Path, environment: Any) -> str:
    """Make a wheel of nothing."""
    del subject, environment
    (draft / "wheel").mkdir()
    (draft / "wheel/simulated-1.0-py3-none-any.whl").touch()
    return "nothing was compiled\n"


def plot(found: dict[str, dict[int, Cost]], file: Path) -> None:
    """Seconds over records."""
    import matplotlib as mpl  # noqa: PLC0415 - only where it is asked for

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "gilgrid"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(7, 4))
    for name, costs in found.items():
        axes.plot(list(costs), [cost.seconds for cost in costs.values()], marker="o", label=name)
    axes.set_xlabel("records")
    axes.set_ylabel("seconds")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


if __name__ == "__main__":
    main()
