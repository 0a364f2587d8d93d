"""Within the process that runs tests, or the rest of them: keeps what has ended, tells what was found.

Of a run that goes on after a hang it has pytest take in what has ended, in the order in which that did and
without a word: pytest's reports, the exit code and what other plugins make of them are those of one run.
"""

from __future__ import annotations

import os
import pickle
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from gilgrid.suite.journal import Passed
from gilgrid.suite.marking import Marking, name_captured
from gilgrid.suite.stages import PHASES, Stage
from gilgrid.suite.told import as_reports, collect_report, passed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilgrid.suite.journal import Found
    from gilgrid.suite.outer import Generation

_CLOCKS = (
    ("terminalreporter", ("_session_start", "_sessionstarttime")),
    ("junitxml", ("suite_start", "suite_start_time")),
)
"""Of which plugins what attributes say when the session began, by pytest's version."""


class Inside(Marking):
    """Hooks of pytest."""

    def __init__(self, generation: Generation) -> None:
        super().__init__(generation.marks, generation.crash)
        self._journal = generation.journal
        self._files = generation.files
        self._past = generation.journal.past()
        self._silence: _Silence | None = None
        self._takes_in = False
        self._usual = len(vars(pytest.TestReport("", ("", 0, ""), {}, "passed", None, "call")))

    @property
    def is_first(self) -> bool:
        """Whether nothing was found yet."""
        return not self._past.found

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Tell the sidecar what is captured where; what has been said before is not said again."""
        super().pytest_configure(config)
        name_captured(config, self._files)
        if not self.is_first:
            self._silence = _Silence(config)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """It began when the first process did."""
        if self.is_first:
            self._journal.write("clocks", _clocks(session.config))
        else:
            _set_clocks(session.config, self._past.clocks)

    @pytest.hookimpl(tryfirst=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> pytest.CollectReport | None:
        """What hung or crashed while it was collected is a failure of its own."""
        for found in self._past.found:
            if found.stage == Stage.COLLECTING and found.collecting == collector.nodeid:
                return collect_report(collector, found)
        if self.is_ours:
            self._journal.write("collecting", collector.nodeid)
        return super().pytest_make_collect_report(collector)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """The order is that of the first process, however random it is."""
        if self._past.order is None:
            self._journal.write("order", [item.nodeid for item in session.items])
        else:
            session.items[:] = _in_order(session.items, self._past.order)
        super().pytest_collection_finish(session)
        with self._taking_in():
            for message, when, nodeid, location in self._past.warnings:
                session.ihook.pytest_warning_recorded.call_historic(
                    kwargs={
                        "warning_message": message,
                        "when": when,
                        "nodeid": nodeid,
                        "location": location,
                    }
                )

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Take in what has ended."""
        place = self._places.get(item, -1)
        found = next(
            (one for one in self._past.found if one.stage == Stage.TESTING and one.item == place), None
        )
        if found is None and place not in self._past.reports:
            self._speak()
            return super().pytest_runtest_protocol(item)
        self._take_in(item, place, found)
        return True

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep it, once everybody else has heard it."""
        if not self._takes_in:
            super().pytest_runtest_logreport(report)
            self._keep(report)

    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str, location: Any) -> None:
        """Keep it; those of the collection come again."""
        if when == "runtest" and not self._takes_in and self.is_ours:
            warning_message.source = None  # what it is about may be anything
            if _is_kept(warning_message):
                self._journal.write("warning", warning_message, when, nodeid, location)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """There may be no test left to run."""
        self._speak()
        super().pytest_sessionfinish()

    def _keep(self, report: pytest.TestReport) -> None:
        values = vars(report)
        if (
            report.outcome == "passed"
            and not report.sections
            and not report.user_properties
            and len(values) == self._usual
            and type(report) is pytest.TestReport
        ):
            phase = PHASES.index(report.when)
            self._journal.write_passed(
                self._at, Passed(phase, values.get("start", 0.0), values.get("stop", 0.0), report.duration)
            )
            return
        try:
            self._journal.write("report", self._at, report)
        except (pickle.PicklingError, TypeError, AttributeError):
            # Another plugin has hung something on it: that is left out.
            plain = {name: value for name, value in vars(report).items() if _is_kept(value)}
            bare = pytest.TestReport.__new__(type(report))
            vars(bare).update(plain)
            self._journal.write("report", self._at, bare)

    def _take_in(self, item: pytest.Item, place: int, found: Found | None) -> None:
        hook = item.ihook
        is_new = found is not None and found is self._past.found[-1]
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        with self._taking_in():
            for one in self._past.reports.get(place, []):
                report = passed(item, one) if isinstance(one, Passed) else one
                hook.pytest_runtest_logreport(report=report)
        if is_new:
            self._speak()
        if found is not None:
            with self._taking_in():
                for report in as_reports(item, found):
                    hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    @contextmanager
    def _taking_in(self) -> Iterator[None]:
        self._takes_in = True
        try:
            yield
        finally:
            self._takes_in = False

    def _speak(self) -> None:
        """What comes now has not been said before."""
        if self._silence is not None:
            self._silence.end()
            self._silence = None


class _Silence:
    """The terminal reporter writes nowhere: it knows its column, as if it had written."""

    def __init__(self, config: pytest.Config) -> None:
        reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
        self._writer = getattr(reporter, "_tw", None)
        if self._writer is not None:
            self._file = self._writer._file  # noqa: SLF001 - pytest has no other way
            self._writer._file = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115, SLF001

    def end(self) -> None:
        if self._writer is not None:
            self._writer._file.close()  # noqa: SLF001
            self._writer._file = self._file  # noqa: SLF001


def _is_kept(value: Any) -> bool:
    try:
        pickle.dumps(value, 5)
    except (pickle.PicklingError, TypeError, AttributeError):
        return False
    return True


def _in_order(items: list[pytest.Item], order: list[str]) -> list[pytest.Item]:
    """These items in that order; what is not in it comes last."""
    by_id: dict[str, list[pytest.Item]] = {}
    for item in items:
        by_id.setdefault(item.nodeid, []).append(item)
    known = [by_id[nodeid].pop(0) for nodeid in order if by_id.get(nodeid)]
    return [*known, *(item for item in items if item in set(items) - set(known))]


def _clocks(config: pytest.Config) -> dict[str, Any]:
    found = {}
    for plugin, attribute in _attributes(config):
        found[f"{type(plugin).__name__}.{attribute}"] = getattr(plugin, attribute)
    return {name: value for name, value in found.items() if _is_kept(value)}


def _set_clocks(config: pytest.Config, clocks: dict[str, Any]) -> None:
    for plugin, attribute in _attributes(config):
        value = clocks.get(f"{type(plugin).__name__}.{attribute}")
        if value is not None:
            setattr(plugin, attribute, value)


def _attributes(config: pytest.Config) -> Iterator[tuple[Any, str]]:
    from _pytest.junitxml import xml_key  # noqa: PLC0415 - pytest's own has no other name

    plugins = {
        "terminalreporter": config.pluginmanager.get_plugin("terminalreporter"),
        "junitxml": config.stash.get(xml_key, None),
    }
    for name, attributes in _CLOCKS:
        for attribute in attributes:
            if hasattr(plugins[name], attribute):
                yield plugins[name], attribute
