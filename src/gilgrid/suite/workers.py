"""With pytest-xdist: each worker has a sidecar of its own, and xdist's own way to replace one that died."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gilgrid.guard.marks import Marks
from gilgrid.suite.marking import Marking, captured
from gilgrid.suite.stages import PHASES, Stage
from gilgrid.suite.told import failure, sections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilgrid.suite.journal import Found

_KEY = "gilgrid"
_START = """import json, sys
sys.path[:] = json.loads(sys.argv[1])
from gilgrid.suite.beside import main
main()"""
_PATIENCE_S = 10.0  # so long a sidecar may take to say how its worker ended
_PR_SET_PTRACER = 0x59616D61  # linux/prctl.h


class Controller:
    """Hooks of the process that has the workers."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="gilgrid-"))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker where to leave what is found of it."""
        node.workerinput[_KEY] = str(self._folder / node.gateway.id)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A worker that hangs anywhere but in a test would hang again."""
        found = self._found(node) if error else None
        if found is not None and found.stage != Stage.TESTING:
            where = f"{Stage(found.stage).name_for_people} {found.collecting}".rstrip()
            reporter = node.config.pluginmanager.get_plugin("terminalreporter")
            if reporter is not None:
                reporter.write_line(f"gilgrid: {found.verdict} while {where}: {found.reason}\n\n{found.told}")

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, report: Any) -> None:
        """Say why the worker is gone."""
        found = self._found(report.node)
        if found is not None and found.stage == Stage.TESTING:
            path, _, _ = report.nodeid.partition("::")
            report.longrepr = failure(found, path, 1)
            report.location = (path, 0, report.nodeid.partition("::")[2].replace("::", "."))
            report.sections = sections(found)
            report.when = PHASES[found.phase]
            report.duration = found.seconds

    def pytest_unconfigure(self) -> None:
        """Nothing is left."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _found(self, node: Any) -> Found | None:
        file = self._folder / node.gateway.id
        until = time.monotonic() + _PATIENCE_S
        while not file.exists() and time.monotonic() < until:
            time.sleep(0.01)
        with suppress(OSError, EOFError):
            found: Found | None = pickle.loads(file.read_bytes())  # noqa: S301 - our own
            return found
        return None


class Worker(Marking):
    """Hooks of a worker, whose sidecar runs beside it."""

    def __init__(self, config: pytest.Config, place: str, bystanders: Sequence[int]) -> None:
        shared = os.memfd_create("gilgrid-marks", os.MFD_CLOEXEC)
        crash = os.memfd_create("gilgrid-crash", os.MFD_CLOEXEC)
        os.ftruncate(shared, Marks.SIZE)
        super().__init__(Marks(shared), crash)
        self.mark(Stage.STARTING)
        files = [shared, crash, *captured(config)]
        folders = [os.path.abspath(folder) for folder in sys.path if folder]  # noqa: PTH100 - a .zip as well
        words = [json.dumps(folders), str(os.getpid()), place, json.dumps(bystanders), *map(str, files)]
        self._sidecar = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _START, *words],
            pass_fds=files,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        _let_look(self._sidecar.pid)

    def pytest_unconfigure(self) -> None:
        """Nothing is judged any more: xdist ends its workers as it likes."""
        self.mark(Stage.NOWHERE)
        self._sidecar.kill()
        self._sidecar.wait()


def begin(config: pytest.Config, bystanders: Sequence[int]) -> None:
    """Have this worker watched, where its controller asks for that. `bystanders` are xdist's own threads."""
    place = getattr(config, "workerinput", {}).get(_KEY)
    if place:
        config.pluginmanager.register(Worker(config, place, bystanders), "gilgrid-suite")


def _let_look(pid: int) -> None:
    """Where Yama restricts ptrace(2) to ancestors (ptrace_scope 1), have that process be as good as one."""
    import ctypes  # noqa: PLC0415 - in workers alone

    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, pid, 0, 0, 0)
