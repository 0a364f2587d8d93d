"""With pytest-xdist: each worker has a sidecar of its own, and xdist's own way to replace one that died."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gilgrid.guard.marks import Marks
from gilgrid.suite import descriptors
from gilgrid.suite.marking import Marking, tell_sidecar
from gilgrid.suite.off import take
from gilgrid.suite.stages import PHASES, Stage
from gilgrid.suite.told import failure, sections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilgrid.suite.journal import Found
    from gilgrid.suite.outer import Generation

FOLDER = "GILGRID_WORKERS"
"""The environment variable that names the folder in which sidecars say what they have found."""
_START = """import json, os, sys
child = os.fork()
if child:
    print(child, flush=True)
    os._exit(0)
os.dup2(2, 1)
sys.path[:] = json.loads(sys.argv[1])["path"]
from gilgrid.suite.beside import main
main()"""
"""The process that a worker starts is not the sidecar: a test may wait for all children that there are."""
_PATIENCE_S = 10.0  # so long a sidecar may take to say how its worker ended
_PR_SET_PTRACER = 0x59616D61  # linux/prctl.h
_NO_END_OF_RESTARTS = 1_000_000
_WOULD_DO_SO_AGAIN = {Stage.STARTING, Stage.COLLECTING, Stage.ARRANGING, Stage.FINISHING}


class Controller:
    """Hooks of the process that has the workers, which is judged but for while it waits for them."""

    def __init__(self, generation: Generation) -> None:
        self._marks = generation.marks
        self._folder = Path(generation.folder)
        os.environ[FOLDER] = generation.folder  # for the workers
        self._tells = generation.tells

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Tell the sidecar what it has to know."""
        tell_sidecar(config, self._tells)

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """By default xdist gives up after a few workers, lest it replace for ever what cannot start."""
        if getattr(config.option, "maxworkerrestart", "") is None:
            config.option.maxworkerrestart = str(_NO_END_OF_RESTARTS)

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
        """A worker that hangs where each of them comes would do so again, however often xdist replaces it."""
        found = self._found(node) if error else None
        if found is not None and found.stage in _WOULD_DO_SO_AGAIN:
            text = f"gilgrid: {found.sentence}\n\n{found.told}"
            pytest.exit(text, returncode=pytest.ExitCode.INTERNAL_ERROR)

    @pytest.hookimpl(optionalhook=True, trylast=True)
    def pytest_handlecrashitem(self, report: Any) -> None:
        """Say why the worker is gone; where somebody has asked for another attempt, it is to be made."""
        found = self._found(report.node)
        if found is not None and report.outcome == "rerun":
            (self._folder / report.node.gateway.id).unlink()
        if found is not None and found.stage == Stage.TESTING:
            path, _, name = report.nodeid.partition("::")
            style = report.node.config.getoption("tbstyle", "auto")
            report.longrepr = failure(found, path, 1, style=style)
            report.location = (path, 0, name.replace("::", "."))
            report.sections = sections(found)
            report.when = PHASES[found.phase]
            report.duration = found.seconds

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Pytest has said how it went."""
        session = config.pluginmanager.get_plugin("session")
        self._marks.set(Stage.ENDING, int(getattr(session, "exitstatus", 0)))
        os.environ.pop(FOLDER, None)

    def _found(self, node: Any) -> Found | None:
        file = self._folder / node.gateway.id
        until = time.monotonic() + _PATIENCE_S
        while not file.exists() and time.monotonic() < until:
            time.sleep(0.01)
        return _read(file)


class Worker(Marking):
    """Hooks of a worker, whose sidecar runs beside it; `bystanders` are threads of xdist's own."""

    between = Stage.NOWHERE
    """It waits to be told what comes next, by one of these threads: that is no hang, whatever it takes."""

    def __init__(self, bystanders: Sequence[int]) -> None:
        shared = descriptors.memory("gilgrid-marks")
        crash = descriptors.memory("gilgrid-crash")
        os.ftruncate(shared, Marks.SIZE)
        super().__init__(Marks(shared), crash)
        take()
        self.mark(Stage.STARTING)
        heard, self._tells = descriptors.pipe()
        self._folder = os.environ[FOLDER]
        self._changed = 0
        self._hung: set[int] = set()
        told = {
            "path": [os.path.abspath(folder) for folder in sys.path if folder],  # noqa: PTH100 - a .zip as well
            "suite": os.getpid(),
            "controller": os.getppid(),
            "place": os.path.join(self._folder, os.environ["PYTEST_XDIST_WORKER"]),  # noqa: PTH118
            "bystanders": bystanders,
            "marks": shared,
            "crash": crash,
            "heard": heard,
        }
        started = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _START, json.dumps(told)],
            pass_fds=[shared, crash, heard],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            check=True,
        )
        self._sidecar = int(started.stdout)
        os.close(heard)
        _let_look(self._sidecar)

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Tell the sidecar what it has to know."""
        super().pytest_configure(config)
        tell_sidecar(config, self._tells)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """What has hung in another worker is told by then; some of xdist's schedules have it run again."""
        if self.place(item) in self._hung_elsewhere():
            return True
        return super().pytest_runtest_protocol(item)

    def pytest_unconfigure(self) -> None:
        """Nothing is judged any more: xdist ends its workers as it likes."""
        if self.is_ours:
            self.mark(Stage.NOWHERE)
            with suppress(ProcessLookupError):
                os.kill(self._sidecar, signal.SIGKILL)

    def _hung_elsewhere(self) -> set[int]:
        """The places of these; they are those of all workers, or xdist would run none of them."""
        with suppress(OSError):
            changed = os.stat(self._folder).st_mtime_ns  # noqa: PTH116 - faster
            if changed != self._changed:
                self._changed = changed
                everything = map(_read, Path(self._folder).iterdir())
                self._hung = {one.item for one in everything if one and one.stage == Stage.TESTING}
                self._hung.discard(-1)  # those that have no place are not one
        return self._hung


def _read(file: Path) -> Found | None:
    with suppress(OSError, EOFError, pickle.UnpicklingError):
        found: Found | None = pickle.loads(file.read_bytes())  # noqa: S301 - our own
        return found
    return None


def _let_look(pid: int) -> None:
    """Where Yama restricts ptrace(2) to ancestors (ptrace_scope 1), have that process be as good as one."""
    import ctypes  # noqa: PLC0415 - in workers alone

    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, pid, 0, 0, 0)
