"""Within the process that runs tests: marks what it is at, for the sidecar to judge."""

from __future__ import annotations

import faulthandler
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from gilgrid.suite import coverage
from gilgrid.suite.deadlines import MARKER, Deadline, Deadlines
from gilgrid.suite.stages import PHASES, Stage

if TYPE_CHECKING:
    from gilgrid.guard.marks import Marks

_SETUP, _CALL, _TEARDOWN = range(len(PHASES))
_FOREVER = float("inf")


class Marking:
    """Hooks of pytest. `crash` is a file for what faulthandler says."""

    def __init__(self, marks: Marks, crash: int) -> None:
        self._marks = marks
        self._crash = crash
        self._pid = os.getpid()
        self._places: dict[pytest.Item, int] = {}
        self._at = 0
        self._of: list[Deadline] = []
        self._deadline = Deadline(None, func_only=False)
        self._until = _FOREVER
        self._flush_coverage = coverage.Flush()

    @property
    def is_ours(self) -> bool:
        """Not so in a process that a test has forked."""
        return os.getpid() == self._pid

    def mark(self, stage: Stage) -> None:
        """From now on it is at that."""
        if self.is_ours:
            self._marks.set(stage)

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """All of pytest's own is there by now."""
        config.addinivalue_line("markers", MARKER)
        if faulthandler.is_enabled():
            faulthandler.enable(file=self._crash)
        config.pluginmanager.register(_Forks(), "gilgrid-forks")

    @pytest.hookimpl(tryfirst=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> pytest.CollectReport | None:
        """Say what is collected."""
        del collector
        self.mark(Stage.COLLECTING)
        return None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Each test has a place from now on, and a deadline."""
        self._places = {item: place for place, item in enumerate(session.items)}
        deadlines = Deadlines(session.config)
        self._of = [deadlines.of(item) for item in session.items]
        self.mark(Stage.BETWEEN)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Mark what begins, with its deadline."""
        if self.is_ours:
            self._at = self._places.get(item, -1)
            self._deadline = self._of[self._at]
            has_limit = self._deadline.seconds and not self._deadline.func_only
            self._until = time.monotonic() + (self._deadline.seconds or 0.0) if has_limit else _FOREVER
            self._marks.set(Stage.TESTING, self._at, _SETUP, self._until, self._deadline.seconds or 0.0)
        return None

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The next phase begins."""
        if type(report) is pytest.TestReport:  # a subtest has reports of its own
            until = self._until
            phase = _CALL if report.when == "setup" and report.passed else _TEARDOWN
            if phase == _CALL and self._deadline.func_only and self._deadline.seconds:
                until = time.monotonic() + self._deadline.seconds
            self._marks.set(Stage.TESTING, self._at, phase, until, self._deadline.seconds or 0.0)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self) -> None:
        """What comes now has no deadline: a worker may wait for its next test."""
        if self.is_ours:
            self._flush_coverage()
        self.mark(Stage.BETWEEN)

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
        self._until = _FOREVER
        if self.is_ours:
            self._marks.set(Stage.TESTING, self._at, _CALL)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """All tests are over."""
        self.mark(Stage.FINISHING)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Pytest has said how it went."""
        self.mark(Stage.ENDING)


class _Forks:
    """Ends a process that a test has forked, and that would run all tests after that one a second time."""

    def __init__(self) -> None:
        self._pid = os.getpid()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Before anybody else hears it: the terminal, or xdist."""
        if os.getpid() != self._pid:
            text = (
                f"\n{report.nodeid} has forked, and its child came back as if it were pytest: it is ended\n"
            )
            os.write(2, f"{text}{report.longreprtext}\n".encode(errors="backslashreplace"))
            os._exit(1)


def name_captured(config: pytest.Config, pipe: int) -> None:
    """Tell the sidecar which files pytest captures stdout and stderr into, where it does so.

    The pipe is closed then: an open way out of the process is one by which a test could be released, for all
    that can be proven.
    """
    capture = getattr(config.pluginmanager.get_plugin("capturemanager"), "_global_capturing", None)
    with suppress(AttributeError, OSError, ValueError):
        files = [getattr(capture, name).tmpfile.fileno() for name in ("out", "err")]
        os.write(pipe, " ".join(map(str, files)).encode())
    os.close(pipe)
