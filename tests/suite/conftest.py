"""Suites of tests that hang, crash and leave things behind, run by a real pytest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.guard.targets.build import UnavailableError, build

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PATIENCE_S = 300.0
"""How long a run may take before a test gives up; never how long it should take."""
SOON_S = 10.0
"""The same, of what ends by itself."""
HANG = """
import threading

def hang():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
"""


@dataclass(frozen=True)
class Done:
    """What a run of pytest came to."""

    code: int
    out: str
    err: str

    @property
    def outcome(self) -> str:
        """The last line without its time: ``1 failed, 2 passed``."""
        *_, last = self.out.strip().splitlines()
        return re.sub(r" in \d.*", "", last.strip("= "))

    @property
    def summary(self) -> list[str]:
        """What is said of each that failed."""
        return [row for row in self.out.splitlines() if row.startswith(("FAILED ", "ERROR "))]


class Suite:
    """A folder of tests, and pytest in it."""

    def __init__(self, folder: Path, python: Sequence[str] = (sys.executable,)) -> None:
        self.folder = folder
        self.python = python
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        (folder / "hangs.py").write_text(HANG, encoding="utf-8")
        left_out = ("PYTEST_", "GILGRID_", "COV_", "CI")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.env |= {"PYTHONPATH": str(folder), "COLUMNS": "160", "TMPDIR": str(self.temporary)}

    def write(self, text: str, name: str = "test_it.py") -> None:
        """Add a module, which knows how to hang."""
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_text(f"import pytest\nfrom hangs import hang\n{text}", encoding="utf-8")

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start pytest in a process group of its own."""
        return subprocess.Popen(
            [*self.python, "-m", "pytest", *arguments],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="backslashreplace",
            process_group=0,
        )

    def run(self, *arguments: str) -> Done:
        """Run pytest to its end, after which nothing of it is left."""
        begun = self.begin(*arguments)
        try:
            out, err = begun.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            begun.kill()  # and with it all that it has started
            raise
        self.assert_nothing_is_left()
        return Done(begun.returncode, out, err)

    def watched(self, *arguments: str) -> Done:
        """The same with gilgrid."""
        return self.run("--gilgrid", *arguments)

    def assert_nothing_is_left(self) -> None:
        """Whatever has run there has the folder in its environment; a sidecar ends after its worker."""
        until = time.monotonic() + SOON_S
        while self.left() and time.monotonic() < until:
            time.sleep(0.01)  # no event tells of the end of a stranger's processes
        assert self.left() == []
        assert list(self.temporary.glob("gilgrid-*")) == []

    def left(self) -> list[str]:
        """The processes that live on."""
        found = []
        for process in os.listdir("/proc"):  # noqa: PTH208 - numbers and not files
            try:
                with open(f"/proc/{process}/environ", "rb") as file:  # noqa: PTH123
                    environment = file.read()
                with open(f"/proc/{process}/cmdline", "rb") as file:  # noqa: PTH123
                    words = file.read().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if f"PYTHONPATH={self.folder}\0".encode() in environment:
                found.append(f"{process} {words}")
        return found


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return Suite(tmp_path)


@pytest.fixture(scope="session")
def openmp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        (folder,) = build(sys.executable, tmp_path_factory.mktemp("built"), ("libgomp",))
    except UnavailableError as reason:
        pytest.skip(str(reason))
    return folder
