from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gilgrid.guard import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

PATIENCE_S = 60.0


class Witness:
    """Knows without the guard's help who of a command's processes lives.

    By a mark in the environment, which children inherit, and by a FIFO that they hold open.
    """

    def __init__(self, folder: Path) -> None:
        self.mark = uuid.uuid4().hex
        self.env = dict(os.environ) | {"GUARD_TEST_MARK": self.mark}
        self.fifo = folder / "roll"
        os.mkfifo(self.fifo)
        self._fd = os.open(self.fifo, os.O_RDONLY | os.O_NONBLOCK)
        self._entered = b""

    def shape(self, name: str, deadline_s: float | None = None) -> Command:
        shapes = str(Path(__file__).with_name("shapes.py"))
        argv = (sys.executable, "-I", "-S", shapes, name, str(self.fifo))
        return Command(argv=argv, env=self.env, deadline_s=deadline_s)

    def entered(self) -> list[list[str]]:
        """Name, pid and parent's pid of each process that has entered so far."""
        try:
            while chunk := os.read(self._fd, 65536):
                self._entered += chunk
        except BlockingIOError:
            pass
        return [line.split() for line in self._entered.decode().splitlines()]

    def wait_for(self, count: int) -> list[list[str]]:
        while len(self.entered()) < count:
            assert select.select([self._fd], [], [], PATIENCE_S)[0], "the processes have not come"
        return self.entered()

    def holders(self) -> bool:
        """Whether any process holds the FIFO open."""
        self.entered()
        try:
            return os.read(self._fd, 1) != b""
        except BlockingIOError:
            return True

    def marked(self) -> list[int]:
        return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if self._has_mark(entry)]

    def _has_mark(self, process: Path) -> bool:
        try:
            return self.mark.encode() in (process / "environ").read_bytes()
        except OSError:
            return False

    def assert_nothing_left(self) -> None:
        assert not self.holders()
        assert self.marked() == []

    def wait_until_left(self, names: list[str]) -> None:
        """Wait until of all that have entered those live that are called so, and nobody else."""
        until = time.monotonic() + PATIENCE_S
        while (left := self._left()) != names or bool(names) != self.holders():
            assert time.monotonic() < until, f"not {names} are left but {left}"
            time.sleep(0.01)

    def _left(self) -> list[str]:
        called = {int(pid): name for name, pid, _ in self.entered()}
        return sorted(called[pid] for pid in self.marked() if pid in called)

    def end(self) -> None:
        """End what is left, for tests that leave something or fail."""
        for number in (signal.SIGSTOP, signal.SIGSTOP, signal.SIGKILL, signal.SIGKILL):
            for pid in self.marked():
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def clean_up(self) -> None:
        self.end()
        os.close(self._fd)


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    witness = Witness(tmp_path)
    yield witness
    witness.clean_up()


@contextmanager
def _running(program: str) -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == b"ready\n"
            yield process.pid
        finally:
            process.kill()


@pytest.fixture
def running() -> Callable[[str], AbstractContextManager[int]]:
    """Runs a Python program, which prints "ready" when it is, for the time of a with statement."""
    return _running
