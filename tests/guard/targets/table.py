"""Runs the targets and shows what is said of each: `python tests/guard/targets/table.py --help`.

The exit code is 1 if a run differs from the catalogue. With ``--plain`` the targets run without gilgrid: a
hang must not end by itself, everything else must.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.guard.targets.build import UnavailableError, build, version
    from tests.guard.targets.catalogue import TARGETS, Target
else:
    from build import UnavailableError, build, version
    from catalogue import TARGETS

REFUSING = str(Path(__file__).with_name("refusing.py"))
EXIT_CODES = {"ok": 0, "deadlock": 121, "timeout": 124}
MARK = "GILGRID_TARGETS"  # in the environment of all that is started here, and so of all that they start
PATIENCE_S = 60.0  # with what should end by itself


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one run of a target came to."""

    verdict: str
    cause: str = ""
    detected_after: float | None = None
    seconds: float = 0.0
    looks: int = 0
    stops: int = 0
    output: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """All runs of one target."""

    target: Target
    expected: str
    seen: tuple[Seen, ...] = ()
    unavailable: str = ""

    @property
    def differing(self) -> list[Seen]:
        """The runs that are not as the catalogue has it."""
        causes = self.target.causes if self.expected == self.target.verdict else ()
        return [s for s in self.seen if s.verdict != self.expected or (causes and s.cause not in causes)]

    def __str__(self) -> str:
        if self.unavailable:
            return f"{self.target.name:52} unavailable: {self.unavailable}"
        verdicts = ", ".join(f"{name} {n}" for name, n in Counter(s.verdict for s in self.seen).items())
        causes = ", ".join(
            f"{name} {n}" for name, n in Counter(s.cause for s in self.seen if s.cause).items()
        )
        after = [s.detected_after for s in self.seen if s.detected_after is not None]
        took = f"{median(after):5.2f} {max(after):5.2f}" if after else f"{'':11}"
        differs = "DIFFERS" if self.differing else ""
        return f"{self.target.name:52} {self.expected:9} {verdicts:22} {took}  {causes:32} {differs}".rstrip()


class Runs:
    """Runs targets and leaves nothing of them behind."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.mark = uuid.uuid4().hex
        self.version = version(options.python)

    def row(self, target: Target, pool: ThreadPoolExecutor) -> Callable[[], Row]:
        """Begin all runs of one target; returns what waits for them. The pool bounds how many at a time."""
        plain = self.options.plain and target.verdict != "ok"
        expected = "hangs" if plain else target.verdict
        reason = target.unsuitable(self.version)
        try:
            path = [] if reason else build(self.options.python, self.options.build, target.needs)
        except UnavailableError as error:
            reason = str(error)
        if reason:
            return lambda: Row(target=target, expected=expected, unavailable=reason)
        runs = pool.map(lambda _: self.run(target, path), range(self.options.runs))
        return lambda: Row(target=target, expected=expected, seen=tuple(runs))

    def run(self, target: Target, path: list[Path]) -> Seen:
        """One run, watched or plain."""
        command = target.command(self.options.python)
        patience_s = PATIENCE_S + self.options.deadline
        if self.options.plain and target.verdict != "ok":
            patience_s = self.options.deadline
        with tempfile.TemporaryDirectory() as folder:
            report, output = Path(folder, "report.json"), Path(folder, "output")
            if not self.options.plain:
                watch = [sys.executable, "-m", "gilgrid.cli", "watch", "--json", str(report)]
                command = [*watch, f"--deadline={self.options.deadline}", "--", *command]
                if self.options.refuse:
                    command = [sys.executable, REFUSING, self.options.refuse, *command]
            began = time.monotonic()
            code = self._execute(command, target, path, output, patience_s)
            seconds = time.monotonic() - began
            text = output.read_text(errors="backslashreplace")
            ended_well = code == 0 and text.rstrip().endswith(target.prints)
            if self.options.plain:
                verdict = "hangs" if code is None else "ok" if ended_well else f"exit code {code}"
                return Seen(verdict=verdict, seconds=seconds, output=text)
            if not report.exists():
                return Seen(verdict=f"no report, exit code {code}", seconds=seconds, output=text)
            said = json.loads(report.read_text())
            verdict = said["verdict"]
            if code != EXIT_CODES.get(verdict, code) or (verdict == "ok" and not ended_well):
                verdict = f"{verdict}, but exit code {code}"
            return Seen(
                verdict=verdict,
                cause=said["cause"] or "",
                detected_after=said["detected_after"],
                looks=said["looks"],
                stops=said["stops"],
                seconds=seconds,
                output=text,
            )

    def _execute(
        self, command: list[str], target: Target, path: list[Path], output: Path, patience_s: float
    ) -> int | None:
        """The exit code, None when it had none in time."""
        mark = f"{self.mark}-{uuid.uuid4().hex}"
        env = target.environment(path) | {MARK: mark}
        with output.open("wb") as file, subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.DEVNULL if target.fed_after_s is None else subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process:
            feeder = threading.Timer(target.fed_after_s or 0, feed, [process])
            feeder.start()
            try:
                return process.wait(patience_s)
            except subprocess.TimeoutExpired:
                return None
            finally:
                feeder.cancel()
                end(mark)

    def end(self) -> None:
        """End what an interrupt left."""
        end(self.mark)


def feed(process: subprocess.Popen[bytes]) -> None:
    """What a target waits for that is fed from outside of its tree."""
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.write(b"go\n")
            process.stdin.close()


def end(mark: str) -> None:
    """End every process with that mark, whatever group or session it has gone to."""
    while marked := [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if has_mark(entry, mark)]:
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in marked:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        time.sleep(0.01)


def has_mark(process: Path, mark: str) -> bool:
    try:
        return f"{MARK}={mark}".encode() in (process / "environ").read_bytes()
    except OSError:
        return False


@contextmanager
def load() -> Iterator[None]:
    """Keep every core busy, by as many processes."""
    spin = f"import os\nwhile os.getppid() == {os.getpid()}: pass"
    busy = [subprocess.Popen([sys.executable, "-S", "-c", spin]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


@contextmanager
def no_load() -> Iterator[None]:
    yield


def main() -> int:
    """Run what was asked for and return the exit code."""
    parser = argparse.ArgumentParser(description="Run the guard's targets and show what is said of each.")
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="of each target, default: 1")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at a time, default: 1")
    parser.add_argument("--only", action="append", metavar="PATTERN", help="as 'openmp-*'; several times")
    parser.add_argument("--verdict", choices=EXIT_CODES, help="only those of which this is expected")
    parser.add_argument("--python", default=sys.executable, metavar="PATH", help="what runs the targets")
    parser.add_argument("--deadline", type=float, default=20.0, metavar="S", help="default: 20")
    parser.add_argument("--load", action="store_true", help="keep every core busy meanwhile")
    parser.add_argument("--refuse", choices=("ptrace", "capabilities"), help="watch where that is refused")
    parser.add_argument("--plain", action="store_true", help="without gilgrid: does what hangs hang?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was seen")
    parser.add_argument("--build", type=Path, metavar="FOLDER", help="keeps what is compiled")
    parser.add_argument("--list", action="store_true", help="only show the targets")
    options = parser.parse_args()
    options.build = options.build or Path(tempfile.gettempdir(), f"gilgrid-targets-{os.getuid()}")
    chosen = [
        target
        for target in TARGETS.values()
        if any(fnmatch.fnmatch(target.name, pattern) for pattern in options.only or ["*"])
        and options.verdict in (None, target.verdict)
    ]
    if options.list:
        for target in chosen:
            print(f"{target.name:52} {target.verdict:9} {' '.join(target.causes):32} {target.about}")
        return 0
    runs = Runs(options)
    rows = []
    print(f"{'target':52} {'expected':9} {'seen':22} median  worst  cause")
    try:
        with load() if options.load else no_load(), ThreadPoolExecutor(options.jobs) as pool:
            for row in [runs.row(target, pool) for target in chosen]:
                rows.append(row())
                print(rows[-1], flush=True)
                for seen in rows[-1].differing[:1]:
                    print("    | " + seen.output.rstrip().replace("\n", "\n    | "))
    finally:
        runs.end()
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    unavailable = sum(bool(row.unavailable) for row in rows)
    differing = [row for row in rows if row.differing]
    print(f"{len(rows)} targets, {unavailable} unavailable, {len(differing)} differ from the catalogue")
    for verdict in EXIT_CODES:
        all_of = [run for row in rows if row.expected == verdict for run in row.seen]
        looks, stops = sum(run.looks for run in all_of), sum(run.stops for run in all_of)
        print(f"{verdict:9} {len(all_of)} runs, {looks} attempts to prove a deadlock, {stops} stops for one")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
