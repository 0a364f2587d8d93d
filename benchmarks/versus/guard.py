"""The guard, measured: how soon it knows, what it costs, and what else stops the same hang.

usage: python benchmarks/versus/guard.py {detect,cost,healthy,start,beside} [--rounds N] [--only NAME]

``detect``: from the last progress to the verdict, on the case itself. ``cost``: the CPU that the watching
process uses. ``healthy``: how much longer a healthy program takes while it is watched. ``start``: what
starting and ending takes more. ``beside``: the same hang under asv's timeout, faulthandler and
pytest-timeout. What is compared runs in turn. Needs gilgrid installed, and builds one pair of the kernels
first: Cython 3.0.12 with SciPy 1.10.1, which hangs.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from bisect import bisect
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gilgrid.installer import uv_program
from gilgrid.machine import machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TARGETS = str(HERE / "guard_targets.py")
CELL, PROBE = "-cython3.0.12-scipy1.10.1", "callback-held"
GILGRID = [sys.executable, "-m", "gilgrid.cli"]
WATCH = [*GILGRID, "watch"]

SETTLE_S = 1.0
WINDOW_S = 4.0
TURN_S = 0.5
LIMIT_S = 5  # that the others get
PATIENCE_S = 20.0  # with what never stops
HEALTHY = 0.01  # by so much the run time of what is well may change


@dataclass(frozen=True, kw_only=True)
class Case:
    """The hanging command of the kernels, and how to run a Python program in its cell."""

    settings: dict[str, str]
    """Of the environment; for the programs of the cell alone, as gilgrid's own Python is another."""
    arguments: list[str]
    """Of `lapack_kernels.probe`."""

    @classmethod
    def built(cls) -> Case:
        """Built, and seen to hang, by gilgrid itself."""
        asked = ["--matrix", str(ROOT / "matrix.toml"), "--cell", f"*{CELL}", "--probe", PROBE, "--rerun"]
        subprocess.run([*GILGRID, "run", *asked], check=False, stdout=subprocess.DEVNULL)
        found = ROOT.glob(f".gilgrid/records/*{CELL}/{PROBE}.json")
        newest = max(found, key=lambda path: path.stat().st_mtime)
        record = json.loads(newest.read_text(encoding="utf-8"))
        if record["verdict"] not in ("deadlock", "timeout"):
            sys.exit(f"it does not hang here: {record['verdict']} {record['reason']}")
        words = shlex.split(record["by_hand"].partition("&& env ")[2])
        start = words.index("python")
        settings = dict(word.split("=", 1) for word in words[:start])
        settings["PATH"] = settings["PATH"].replace("$PATH", os.environ["PATH"])
        return cls(settings=settings, arguments=words[start + 3 :])

    def python(self, *arguments: object, **settings: str) -> list[str]:
        """The command for a program of the cell."""
        words = [f"{name}={value}" for name, value in (self.settings | settings).items()]
        return ["env", *words, "python", *map(str, arguments)]

    def target(self, name: str, *arguments: object, **settings: str) -> list[str]:
        """The command for one of guard_targets.py."""
        return self.python(TARGETS, name, *arguments, **settings)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    subjects: dict[str, tuple[Callable[[Case, int, str], None], int]] = {
        "detect": (detect, 20),
        "cost": (cost, 20),
        "healthy": (healthy, 200),
        "start": (start, 20),
        "beside": (beside, 5),
    }
    parser.add_argument("which", choices=subjects)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", metavar="NAME", default="", help="of what the others would be measured too")
    options = parser.parse_args()
    measure, rounds = subjects[options.which]
    case = Case.built()
    here = machine()
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    print(f"{here['cpu']}, {here['cpus']} CPUs, {here['system']} {here['release']}; gilgrid {commit}")
    only = f" --only '{options.only}'" if options.only else ""
    print(f"$ python benchmarks/versus/guard.py {options.which} --rounds {options.rounds or rounds}{only}")
    load = os.getloadavg()[0]
    measure(case, options.rounds or rounds, options.only)
    print(f"load over a minute: {load:.2f} before, {os.getloadavg()[0]:.2f} after")


def _chosen(names: Iterable[str], only: str) -> list[str]:
    """All of the names, or the one that is wanted."""
    known = list(names)
    if only and only not in known:
        sys.exit(f"--only {only!r}: there are {', '.join(known)}")
    return [only] if only else known


def detect(case: Case, rounds: int, only: str) -> None:
    """From the last progress to the verdict: as the guard says, and as the target's clock and ours do."""
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for policy in _chosen(("passive", "active"), only):
            with tempfile.TemporaryDirectory(prefix="versus-") as place:
                stamps, result = Path(place, "stamps"), Path(place, "result.json")
                hang = case.target("case", stamps, *case.arguments, OMP_WAIT_POLICY=policy)
                watch = [*WATCH, "--json", str(result), "--deadline", str(PATIENCE_S), "--", *hang]
                subprocess.run(watch, stderr=subprocess.DEVNULL, check=False)
                over_ns = time.monotonic_ns()
                since_ns = time.time_ns() - result.stat().st_mtime_ns  # by a clock in steps of some ms
                verdict = json.loads(result.read_text(encoding="utf-8"))
                took_s = (over_ns - int(stamps.read_bytes())) / 1e9
            if verdict["cause"] != "gil-vs-openmp-barrier":
                print(f"{policy}: {verdict['verdict']}, {verdict['cause']}")
            for what, seconds in (
                ("proven, as the guard says", verdict["detected_after"] or math.inf),
                ("from the last call to the result", took_s - since_ns / 1e9),
                ("from the last call to watch's exit", took_s),
            ):
                found.setdefault(f"{policy:8} {what}", []).append(seconds)
    for what, values in found.items():
        print(f"{what:44} {_spread(values, 's')}{_over(values, median=0.8, worst=2)}")


def cost(case: Case, rounds: int, only: str) -> None:
    """The CPU that the process above the supervisor uses, in percent of one."""
    counts = dict.fromkeys(("sleeping", "waking", "fighting", "native"), (8, 32)) | {"ping_pong": (16,)}
    targets = [(name, count) for name in _chosen(counts, only) for count in counts[name]]
    found: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for target in targets:
            life = SETTLE_S + WINDOW_S + 1
            command = [*WATCH, "--", *case.target(target[0], life, target[1])]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as watch:
                time.sleep(SETTLE_S)
                (keeper,) = _children(watch.pid)
                begin, used_ns = time.monotonic(), _ran_ns(keeper)
                time.sleep(WINDOW_S)
                percent = (_ran_ns(keeper) - used_ns) / (time.monotonic() - begin) / 1e7
            if watch.returncode != 0:
                sys.exit(f"{target} ended with {watch.returncode}")
            found.setdefault(target, []).append(percent)
    for (name, count), percents in found.items():
        goal = 1.0 if count <= 8 else 3.0  # noqa: PLR2004 - as the goals have it
        who = f"{count} {'processes' if name == 'ping_pong' else 'threads'}"
        print(f"{name:10} {who:13} {_spread(percents, '%')}{_over(percents, median=goal, worst=goal)}")


def healthy(case: Case, rounds: int, only: str) -> None:
    """How fast a healthy program works while the guard watches, over how fast while the guard is stopped.

    By turns of half a second in one run: between two runs, the speed of a shared machine changes by more than
    what is looked for.
    """
    for name in _chosen(("python", "numpy", "threads", "processes"), only):
        ratios = list(_slowdowns(case, name, rounds))
        over = "" if abs(statistics.median(ratios) - 1) < HEALTHY else "  OVER its goal"
        print(f"{name:10} its time, watched / not watched  {_interval(ratios)}, n = {rounds}{over}")


def _slowdowns(case: Case, name: str, rounds: int) -> Iterator[float]:
    with tempfile.TemporaryDirectory(prefix="versus-") as place:
        done = Path(place, "done")
        life = 2 * (SETTLE_S + rounds * TURN_S)
        with subprocess.Popen([*WATCH, "--", *case.target(name, life, done)]) as watch:
            while not done.exists():
                time.sleep(TURN_S)
            time.sleep(SETTLE_S)
            (keeper,) = _children(watch.pid)
            # In turn first and second, as a machine may grow slower and slower.
            orders = [(True, False), (False, True)]
            turns = [
                {is_watched: _turn(keeper, is_watched=is_watched) for is_watched in orders[number % 2]}
                for number in range(rounds)
            ]
        if watch.returncode != 0:
            sys.exit(f"{name} ended with {watch.returncode}")
        at_ns = sorted(array("q", done.read_bytes()))  # several threads wrote them
    for turn in turns:
        rates = {
            is_watched: (bisect(at_ns, end) - bisect(at_ns, begin)) / (end - begin)
            for is_watched, (begin, end) in turn.items()
        }
        yield rates[False] / rates[True]


def _turn(keeper: int, *, is_watched: bool) -> tuple[int, int]:
    """When it began and ended, in ns."""
    if not is_watched:
        os.kill(keeper, signal.SIGSTOP)
    begin = time.monotonic_ns()
    time.sleep(TURN_S)
    end = time.monotonic_ns()
    if not is_watched:
        os.kill(keeper, signal.SIGCONT)
    return begin, end


def start(case: Case, rounds: int, only: str) -> None:
    """What the shortest program takes, with the guard and without it."""
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name in _chosen(("alone", "guarded"), only):
            command = [*(*WATCH, "--") * (name == "guarded"), *case.python("-I", "-S", "-c", "pass")]
            begin = time.monotonic()
            subprocess.run(command, check=True)
            found.setdefault(name, []).append(1000 * (time.monotonic() - begin))
    for name, values in found.items():
        print(f"{name:10} {_spread(values, 'ms')}")


def beside(case: Case, rounds: int, only: str) -> None:
    """The same hang, under what else there is."""
    with tempfile.TemporaryDirectory(prefix="versus-") as place:
        sides = dict(_sides(case, Path(place)))
        sides = {name: sides[name] for name in _chosen(sides, only)}
        found: dict[str, list[float]] = {name: [] for name in sides}
        words, left = {}, {}
        for _ in range(rounds):
            for name, command in sides.items():
                took_s, words[name], left[name] = _until_over(command, Path(place))
                found[name].append(took_s)
    for name, seconds in found.items():
        never = "never: " if min(seconds) >= PATIENCE_S else ""
        running = ", ".join(left[name]) or "nothing"
        print(f"\n{name:22} {never}{_spread(seconds, 's')}; left running: {running}")
        print("\n".join(f"    | {line}" for line in words[name].splitlines()))


def _sides(case: Case, place: Path) -> Iterator[tuple[str, list[str]]]:
    yield "gilgrid watch", [*WATCH, "--", *case.python("-m", "lapack_kernels.probe", *case.arguments)]
    yield f"asv, timeout = {LIMIT_S}", _asv(case, place)
    yield "faulthandler", case.target("late", LIMIT_S, *case.arguments)
    for method in ("signal", "thread"):
        limit = [f"--timeout={LIMIT_S}", f"--timeout-method={method}"]
        test = ["-k", "native", HERE / "pytest_timeout" / "hangs.py"]
        yield (
            f"pytest-timeout, {method}",
            case.python("-m", "pytest", "-p", "no:cacheprovider", *limit, *test),
        )


def _asv(case: Case, place: Path) -> list[str]:
    """The command that runs a suite of one benchmark, which hangs, by an asv of its own."""
    asv = str(place / "asv" / "bin" / "asv")
    python = subprocess.check_output(
        case.python("-c", "import sys; print(sys.executable)"), text=True
    ).strip()
    for words in (["venv", "--python", python, "asv"], ["pip", "install", "--python", "asv", "asv"]):
        subprocess.run([uv_program(), *words, "--quiet"], cwd=place, check=True)
    (place / "suite").mkdir()
    (place / "suite" / "__init__.py").touch()
    (place / "suite" / "hang.py").write_text(
        "from lapack_kernels.probe import main\n\n\n"
        f"def time_hang():\n    main({case.arguments})\n\n\n"
        f"time_hang.timeout = {LIMIT_S}\n",
        encoding="utf-8",
    )
    configuration = {
        "version": 1,
        "project": "hang",
        "repo": ".",
        "benchmark_dir": "suite",
        "environment_type": "existing",
    }
    (place / "asv.conf.json").write_text(json.dumps(configuration), encoding="utf-8")
    # It removes PYTHONPATH, and has this in its place.
    packages = next(Path(case.settings["VIRTUAL_ENV"]).glob("lib/python*/site-packages"))
    env = ["env", f"HOME={place}", f"ASV_PYTHONPATH={case.settings['PYTHONPATH']}:{packages}"]
    subprocess.run([*env, asv, "machine", "--yes"], cwd=place, check=True, stdout=subprocess.DEVNULL)
    return [*env, asv, "run", "--python=same", "--quick", "--show-stderr"]


def _until_over(command: Sequence[str], place: Path) -> tuple[float, str, list[str]]:
    """The seconds until it has ended, what it printed, and which processes of it are left; they are ended."""
    mark = {"VERSUS_RUN": f"{os.getpid()}-{time.monotonic_ns()}"}
    words = place / "words"
    with words.open("wb") as file:
        begin = time.monotonic()
        run = subprocess.Popen(command, cwd=place, env=os.environ | mark, stdout=file, stderr=file)
        with suppress(subprocess.TimeoutExpired):
            run.wait(PATIENCE_S)
        took_s = time.monotonic() - begin
    left = list(_marked("=".join(*mark.items())))
    for pid, _ in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    run.wait()
    return took_s, words.read_text(encoding="utf-8", errors="replace"), [name for _, name in left]


def _marked(mark: str) -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name), (folder / "comm").read_text(encoding="utf-8").strip()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def _ran_ns(pid: int) -> int:
    """Time on a CPU of a process with one thread, to the nanosecond: ticks of 10 ms tell nothing here."""
    return int(Path(f"/proc/{pid}/schedstat").read_text("ascii").split()[0])


def _spread(values: Sequence[float], unit: str) -> str:
    twice = [*values, *values]  # of one value alone there are no quantiles
    low, middle, high = statistics.quantiles(twice, n=4, method="inclusive")
    return f"{middle:.2f} {unit} ({low:.2f} to {high:.2f}, worst {max(values):.2f}, n = {len(values)})"


def _over(values: Sequence[float], *, median: float, worst: float) -> str:
    return "" if statistics.median(values) <= median and max(values) <= worst else "  OVER its goal"


def _interval(values: Sequence[float]) -> str:
    """The median and its 95 % interval by bootstrap."""
    draw = random.Random(6107)  # noqa: S311 - to be repeated
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(4000))
    return f"{statistics.median(values):.4f} [{medians[100]:.4f}, {medians[-101]:.4f}]"


if __name__ == "__main__":
    main()
