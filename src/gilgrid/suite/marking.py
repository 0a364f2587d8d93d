"""Within the process that runs tests: marks what it is at, for the sidecar to judge."""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from gilgrid.guard.marks import FOREVER
from gilgrid.suite import coverage
from gilgrid.suite.deadlines import Deadline, Deadlines
from gilgrid.suite.stages import PHASES, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilgrid.guard.marks import Marks

_TESTING = int(Stage.TESTING)
_SETUP, _CALL, _TEARDOWN = range(len(PHASES))
_FORK = "gilgrid-fork"
_UNKNOWN = -1, Deadline(None, func_only=False)


class Marking:
    """Hooks of pytest. `crash` is a file for what faulthandler says.

    Those that are called for each test are short, and call little: they are what gilgrid costs.
    """

    between = Stage.BETWEEN
    """What it is at when it is at no test."""

    def __init__(self, marks: Marks, crash: int) -> None:
        self._marks = marks
        self._write = marks.write
        self._crash = crash
        self.is_ours = True
        """Not so in a process that a test has forked."""
        self._now = time.monotonic  # a test may replace it, and not be done with that when a hook is called
        self._tests: dict[pytest.Item, tuple[int, Deadline]] = {}
        """The place of each, and its deadline."""
        self._at = -1
        """The place of the one that is tested."""
        self._nodeid = ""
        self._location: tuple[str, int | None, str] = ("", None, "")
        """Of the same one, as its reports have them."""
        self._limit_s = self._func_only_limit_s = 0.0
        self._until = FOREVER
        self._flush_coverage = coverage.Flush()

    def mark(self, stage: Stage, item: int = 0) -> None:
        """From now on it is at that."""
        if self.is_ours:
            self._marks.set(stage, item)

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """All of pytest's own is there by now."""
        if faulthandler.is_enabled():
            faulthandler.enable(file=self._crash)
        self._plugins = config.pluginmanager
        os.register_at_fork(after_in_child=self._in_fork)

    def _in_fork(self) -> None:
        self.is_ours = False
        if not self._plugins.has_plugin(_FORK):
            self._plugins.register(_Fork(), _FORK)

    @contextmanager
    def collecting(self, collector: pytest.Collector) -> Iterator[None]:
        """Say what is collected."""
        del collector
        self.mark(Stage.COLLECTING)
        yield
        self.mark(Stage.ARRANGING)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Iterator[None]:
        """Whatever comes after it is not to blame on it."""
        with self.collecting(collector):
            yield

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Each test has a place from now on, and a deadline."""
        deadlines = Deadlines(session.config)
        self._tests = {item: (place, deadlines.of(item)) for item, place in self.arranged(session).items()}
        self.mark(self.between)

    def arranged(self, session: pytest.Session) -> dict[pytest.Item, int]:
        """The places of its tests."""
        return {item: place for place, item in enumerate(session.items)}

    def place(self, item: pytest.Item) -> int:
        """Of a test; -1 where it was not among those that were collected."""
        return self._tests.get(item, _UNKNOWN)[0]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """What begins has one deadline for all its phases, and all its attempts."""
        self._at, deadline = self._tests.get(item, _UNKNOWN)
        self._nodeid, self._location = item.nodeid, item.location
        self._limit_s = limit_s = deadline.seconds or 0.0
        self._func_only_limit_s = limit_s if deadline.func_only else 0.0
        self._until = self._now() + limit_s if limit_s and not deadline.func_only else FOREVER
        return None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Maybe once more."""
        if self.is_ours:
            self._write(_TESTING, self._at, _SETUP, self._now(), self._until, self._limit_s)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        """The function may have a deadline for itself."""
        if self.is_ours:
            now = self._now()
            until = now + self._func_only_limit_s if self._func_only_limit_s else self._until
            self._write(_TESTING, self._at, _CALL, now, until, self._limit_s)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """What its fixtures do afterwards."""
        if self.is_ours:
            self._write(_TESTING, self._at, _TEARDOWN, self._now(), self._until, self._limit_s)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logfinish(self) -> None:
        """What comes now is not to blame on it."""
        if self.is_ours:
            self._write(self.between, self._at, 0, self._now(), FOREVER, 0.0)
            if "coverage" in sys.modules:
                self._flush_coverage()

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item) -> bool:
        """What pytest-timeout would do from within, is done from beside."""
        del item
        return True

    def pytest_enter_pdb(self) -> None:
        """Whoever debugs has time."""
        self.mark(Stage.NOWHERE)

    def pytest_leave_pdb(self) -> None:
        """The test goes on, without a deadline."""
        self._until = FOREVER
        if self.is_ours:
            self._marks.set(Stage.TESTING, self._at, _CALL)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """All tests are over."""
        del session
        self.mark(Stage.FINISHING)


class _Fork:
    """In a process that a test has forked: ends it, where it would run all tests after that one once more."""

    _write, _exit = staticmethod(os.write), staticmethod(os._exit)  # a test may replace them

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Before anybody else hears it: the terminal, or xdist."""
        text = f"\n{report.nodeid} has forked, and its child came back as if it were pytest: it is ended\n"
        self._write(2, f"{text}{report.longreprtext}\n".encode(errors="backslashreplace"))
        self._exit(1)


def tell_sidecar(config: pytest.Config, pipe: int) -> None:
    """Tell it into which files pytest captures stdout and stderr, and which threads are of its plugins.

    The pipe is closed then: an open way out of the process is one by which a test could be released, for all
    that can be proven.
    """
    capture = getattr(config.pluginmanager.get_plugin("capturemanager"), "_global_capturing", None)
    files: list[int] = []
    with suppress(AttributeError, OSError, ValueError):
        files += [getattr(capture, name).tmpfile.fileno() for name in ("out", "err")]
    os.write(pipe, json.dumps({"captured": files, "bystanders": _threads_of_plugins(config)}).encode())
    os.close(pipe)


def _threads_of_plugins(config: pytest.Config) -> list[int]:
    """Those that an installed plugin has started by now, as pytest-rerunfailures does for pytest-xdist."""
    plugins: Any = (plugin for plugin, _ in config.pluginmanager.list_plugin_distinfo())
    packages = {getattr(plugin, "__name__", "").partition(".")[0] for plugin in plugins} - {""}
    return [
        thread.native_id
        for thread in threading.enumerate()
        if thread.native_id is not None
        and getattr(getattr(thread, "_target", None), "__module__", "").partition(".")[0] in packages
    ]
