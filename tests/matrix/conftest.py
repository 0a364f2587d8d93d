"""A small project of its own for each test: a C extension, ``matrix.toml``, and gilgrid as users start it."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PATIENCE_S = 120.0
"""How long an event may take before a test gives up; never how long anything should take."""

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
GILGRID = (sys.executable, "-m", "gilgrid.cli")
TINY = Path(__file__).with_name("tiny")
SUBJECT = '[subject]\nname = "tiny"\nsource = "tiny"\nbuild-requires = ["setuptools>=77"]\n'
ONE_PYTHON = f'[axes.python]\nversions = ["{PYTHON}"]\n'


@dataclass(frozen=True, kw_only=True)
class Done:
    """A gilgrid that ended."""

    code: int
    out: str
    err: str


class Running:
    """A gilgrid that runs; what it prints are events to wait for."""

    def __init__(self, process: subprocess.Popen[str], errors: Path) -> None:
        self.process = process
        self._errors = errors
        self._printed: list[str] = []

    def wait_for_line(self, text: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._printed.append(line)
            if text in line:
                return
        pytest.fail(f"it ended without {text!r}:\n{''.join(self._printed)}{self._errors.read_text()}")

    def finish(self) -> Done:
        assert self.process.stdout is not None
        self._printed += self.process.stdout
        self.process.stdout.close()
        code = self.process.wait(PATIENCE_S)
        return Done(code=code, out="".join(self._printed), err=self._errors.read_text())

    def clean_up(self) -> None:
        """End what a test that failed did not."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


class Project:
    """A folder with the subject ``tiny`` and a ``matrix.toml``.

    Compiles and probes of it count themselves in a tally. Those that ``hold`` names say so on one FIFO, which
    they keep open, and go on when another is opened. Every process below it carries a mark.
    """

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.cache = cache
        self.mark = uuid.uuid4().hex
        shutil.copytree(TINY, folder / "tiny", ignore=shutil.ignore_patterns("__pycache__"))
        self._tally, self._roll, self._go = folder / "tally", folder / "roll", folder / "go"
        self._tally.touch()
        os.mkfifo(self._roll)
        os.mkfifo(self._go)
        self._heard = os.open(self._roll, os.O_RDONLY | os.O_NONBLOCK)
        self._said = b""
        self._runs: list[Running] = []
        foreign = ("GILGRID_", "TINY_", "COLUMNS")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {
            "GILGRID_CACHE_DIR": str(cache),
            "GILGRID_TEST_MARK": self.mark,
            "TINY_TALLY": str(self._tally),
            "TINY_ROLL": str(self._roll),
            "TINY_GO": str(self._go),
        }

    # What is in it

    def write(self, text: str, *, head: str = SUBJECT + ONE_PYTHON) -> None:
        (self.folder / "matrix.toml").write_text(head + text, encoding="utf-8")

    def change_source(self) -> None:
        """Make the subject one that was never built."""
        with (self.folder / "tiny/tiny/_tiny.c").open("a", encoding="utf-8") as file:
            file.write(f"\n/* {uuid.uuid4()} */\n")

    # gilgrid in it

    def run(
        self, *arguments: str, via: tuple[str, ...] = GILGRID, env: Mapping[str, str] | None = None
    ) -> Done:
        return self.start(*arguments, via=via, env=env).finish()

    def start(
        self,
        *arguments: str,
        hold: str = "",
        via: tuple[str, ...] = GILGRID,
        env: Mapping[str, str] | None = None,
    ) -> Running:
        errors = self.folder / f"stderr-{len(self._runs)}"
        with errors.open("w", encoding="utf-8") as file:
            process = subprocess.Popen(
                [*via, *(arguments or ("run",))],
                cwd=self.folder,
                env={**self.env, "TINY_HOLD": hold, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=file,
                encoding="utf-8",
                start_new_session=True,  # so that a group of its own can get what Ctrl-C sends
            )
        self._runs.append(Running(process, errors))
        return self._runs[-1]

    # What came of it

    @property
    def record_files(self) -> dict[str, Path]:
        found = (self.folder / ".gilgrid/records").glob("*/*.json")
        return {f"{path.parent.name.partition('-')[2]} {path.stem}": path for path in found}

    @property
    def records(self) -> dict[str, dict[str, Any]]:
        """By cell, without its Python, and probe."""
        return {
            name: json.loads(path.read_text(encoding="utf-8")) for name, path in self.record_files.items()
        }

    @property
    def verdicts(self) -> dict[str, str]:
        return {name: record["verdict"] for name, record in self.records.items()}

    def took(self) -> list[str]:
        """What was compiled and probed since the last time of asking, sorted."""
        lines = self._tally.read_text(encoding="utf-8").splitlines()
        self._tally.write_text("", encoding="utf-8")
        return sorted(lines)

    # Its processes

    def wait_for_held(self, name: str, times: int = 1) -> None:
        until = time.monotonic() + PATIENCE_S
        while self._said.count(f"{name}\n".encode()) < times:
            ready, _, _ = select.select([self._heard], [], [], until - time.monotonic())
            assert ready, f"{name} has not begun"
            self._hear()

    def release(self) -> None:
        """Let whatever is held go on."""
        with self._go.open("w", encoding="utf-8"):
            pass

    def release_until_it_ends(self, running: Running) -> None:
        """Let several that are held go on: who is only about to wait has to be let go later."""
        while running.process.poll() is None:
            with suppress(OSError):  # ENXIO: none waits at this moment
                os.close(os.open(self._go, os.O_WRONLY | os.O_NONBLOCK))
            time.sleep(0.01)

    def wait_until_one_waits_for_a_lock(self) -> None:
        """Wait until one of its processes waits for a lock that another holds."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            # No event tells of it. A line is "1: -> FLOCK ADVISORY WRITE 4711 ...", see proc_locks(5).
            waiting = [
                line.split() for line in Path("/proc/locks").read_text("ascii").splitlines() if "->" in line
            ]
            if {int(fields[5]) for fields in waiting} & set(self.marked()):
                return
            time.sleep(0.01)
        pytest.fail("none waits for a lock")

    def marked(self) -> list[int]:
        mark = self.mark.encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (process / "environ").read_bytes():
                    found.append(int(process.name))
        return found

    def assert_nothing_is_left(self) -> None:
        """Wait until no process of it is left."""
        until = time.monotonic() + PATIENCE_S
        while marked := self.marked():
            for pid in marked:
                with suppress(ProcessLookupError):
                    ended = os.pidfd_open(pid)
                    ready, _, _ = select.select([ended], [], [], max(0, until - time.monotonic()))
                    os.close(ended)
                    assert ready, f"{pid} is left"
        assert not self._is_roll_open()

    def clean_up(self) -> None:
        """End what a test that failed left."""
        while marked := self.marked():
            for pid in marked:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for running in self._runs:
            running.clean_up()
        os.close(self._heard)

    def _hear(self) -> bool:
        """Whether the roll is open at its other end."""
        try:
            while chunk := os.read(self._heard, 65536):
                self._said += chunk
        except BlockingIOError:
            return True
        return False

    def _is_roll_open(self) -> bool:
        return self._hear()


@pytest.fixture(scope="session", autouse=True)
def compiler() -> None:
    if not shutil.which(os.environ.get("CC", "cc")):
        pytest.skip("there is no C compiler here: install gcc or clang")


@pytest.fixture(scope="session")
def cplusplus() -> None:
    if not shutil.which(os.environ.get("CXX", "c++")):
        pytest.skip("there is no C++ compiler here: install g++ or clang++")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests: each environment is made once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def new_project(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Callable[..., Project]]:
    made: list[Project] = []

    def new(*, cache: Path = cache) -> Project:
        made.append(Project(tmp_path_factory.mktemp("project"), cache))
        return made[-1]

    yield new
    for project in made:
        project.clean_up()


@pytest.fixture
def project(new_project: Callable[[], Project]) -> Project:
    return new_project()
