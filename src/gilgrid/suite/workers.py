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
from gilgrid.suite.marking import Marking, name_captured
from gilgrid.suite.stages import PHASES, Stage
from gilgrid.suite.told import failure, sections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilgrid.suite.journal import Found

_FOLDER = "GILGRID_WORKERS"
"""The environment variable that names the folder in which sidecars say what they have found."""
_START = """import json, sys
sys.path[:] = json.loads(sys.argv[1])
from gilgrid.suite.beside import main
main()"""
_PATIENCE_S = 10.0  # so long a sidecar may take to say how its worker ended
_PR_SET_PTRACER = 0x59616D61  # linux/prctl.h


class Controller:
    """Hooks of the process that has the workers, which is judged but for while it waits for them."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._folder = Path(tempfile.mkdtemp(prefix="gilgrid-"))
        os.environ[_FOLDER] = str(self._folder)  # for the workers

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """From here on it waits."""
        self._marks.set(Stage.NOWHERE)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """All workers are done."""
        self._marks.set(Stage.FINISHING)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A worker that hangs anywhere but in a test would do so again, however often xdist replaces it."""
        found = self._found(node) if error else None
        if found is not None and found.stage != Stage.TESTING:
            where = Stage(found.stage).name_for_people
            sentence = f"gilgrid: {found.verdict} while {where}: {found.reason}"
            pytest.exit(f"{sentence}\n\n{found.told}", returncode=pytest.ExitCode.INTERNAL_ERROR)

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
        self._marks.set(Stage.ENDING)
        os.environ.pop(_FOLDER, None)
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
    """Hooks of a worker, whose sidecar runs beside it; `bystanders` are threads of xdist's own."""

    def __init__(self, bystanders: Sequence[int]) -> None:
        shared = os.memfd_create("gilgrid-marks", os.MFD_CLOEXEC)
        crash = os.memfd_create("gilgrid-crash", os.MFD_CLOEXEC)
        os.ftruncate(shared, Marks.SIZE)
        super().__init__(Marks(shared), crash)
        self.mark(Stage.STARTING)
        named, self._names = os.pipe2(os.O_CLOEXEC)
        files = [shared, crash, named]
        place = os.path.join(os.environ[_FOLDER], os.environ["PYTEST_XDIST_WORKER"])  # noqa: PTH118
        folders = [os.path.abspath(folder) for folder in sys.path if folder]  # noqa: PTH100 - a .zip as well
        words = [json.dumps(folders), str(os.getpid()), place, json.dumps(bystanders), *map(str, files)]
        self._sidecar = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _START, *words],
            pass_fds=files,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(named)
        _let_look(self._sidecar.pid)

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Tell the sidecar what is captured where."""
        super().pytest_configure(config)
        name_captured(config, self._names)

    def pytest_unconfigure(self) -> None:
        """Nothing is judged any more: xdist ends its workers as it likes."""
        self.mark(Stage.NOWHERE)
        self._sidecar.kill()
        self._sidecar.wait()


def _let_look(pid: int) -> None:
    """Where Yama restricts ptrace(2) to ancestors (ptrace_scope 1), have that process be as good as one."""
    import ctypes  # noqa: PLC0415 - in workers alone

    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, pid, 0, 0, 0)
