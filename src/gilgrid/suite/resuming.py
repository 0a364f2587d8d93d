"""Within a process that runs the rest of the tests: tells what was found, and goes on.

It has pytest take in what has ended, in the order in which that did and without a word: pytest's reports, the
exit code and what other plugins make of them are those of one run.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any

import pytest

from gilgrid.suite.journal import Passed
from gilgrid.suite.keeping import Keeping
from gilgrid.suite.plain import to_report, to_warning
from gilgrid.suite.silence import Silence
from gilgrid.suite.stages import PHASES, Stage
from gilgrid.suite.told import Gone, as_reports, collect_report, passed
from gilgrid.suite.whole import let_only_pytest_finish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilgrid.suite.journal import Found, Past
    from gilgrid.suite.outer import Generation

_OF_NO_TEST = {Stage.BETWEEN, Stage.FINISHING}
_MOST_BETWEEN = 2
"""So often it may hang between two tests: what hangs there would do so after each of them."""


class Resuming(Keeping):
    """Hooks of pytest."""

    def __init__(self, generation: Generation, past: Past) -> None:
        super().__init__(generation)
        self._past = past
        self._silence: Silence | None = None
        self._left_out = 0
        self._gone: list[int] = []
        self._found = {one.item: one for one in past.found if one.stage == Stage.TESTING}
        self._between = {one.item for one in past.found if one.stage == Stage.BETWEEN}
        self._is_over = len(self._between) >= _MOST_BETWEEN or any(
            one.stage == Stage.FINISHING for one in past.found
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """What an earlier process has logged is kept."""
        config.option.log_file_mode = "a"

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """What has been said before is not said again."""
        super().pytest_configure(config)
        self._silence = Silence(config)
        config.pluginmanager.register(_Collected(self._past.found), "gilgrid-collected")

    def begin(self) -> None:
        """It began when the first process did."""
        self.whole.set_clocks(self._past.clocks)

    def arranged(self, session: pytest.Session) -> dict[pytest.Item, int]:
        """In the order of the first process, however random that is; what was not there then comes last."""
        order = list(self._past.order)
        left: dict[str, list[int]] = {}
        for place, nodeid in reversed(list(enumerate(order))):
            left.setdefault(nodeid, []).append(place)
        places = {}
        for item in session.items:
            if left.get(item.nodeid):
                places[item] = left[item.nodeid].pop()
            else:
                places[item] = len(order)
                order.append(item.nodeid)
        session.items.sort(key=places.__getitem__)
        self._gone = sorted(place for several in left.values() for place in several)
        if order != self._past.order:
            self.journal.write("order", order)
            self._past.order = order
        return places

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """All tests are known, and with them all classes that a warning may be of."""
        if not self._past.order:  # no earlier process came to say how many there are
            self._speak()
        super().pytest_collection_finish(session)
        self.whole.go_on(self._past.properties)
        with self._taking_in():
            for warning in self._past.warnings:
                session.ihook.pytest_warning_recorded.call_historic(kwargs=to_warning(warning))
        if self._is_over:
            let_only_pytest_finish(session.config)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """What has ended, and is collected no more, has ended all the same."""
        for place in self._gone:
            if self._has_ended(place):
                self._take_in(Gone(self._past.order[place], session), place)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Take in what has ended."""
        place = self.place(item)
        if self._has_ended(place):
            self._take_in(item, place)
            return True
        self._speak()
        if self._past.interrupted_by:
            raise KeyboardInterrupt
        if self._is_over:
            self._left_out += 1
            return True
        return super().pytest_runtest_protocol(item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self) -> None:
        """It is to be seen."""
        self._speak()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """There may be no test left to run."""
        self._speak()
        self.whole.forget_repeated()
        if self._past.interrupted_by:  # there may have been no further test to be interrupted
            session.exitstatus = pytest.ExitCode.INTERRUPTED
        elif any(one.stage in _OF_NO_TEST for one in self._past.found):
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
        super().pytest_sessionfinish(session)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Tell what hung that was no test."""
        for found in self._past.found:
            if found.stage in _OF_NO_TEST:
                terminalreporter.section(
                    f"gilgrid: {found.verdict} while {found.stage.name_for_people}", red=True
                )
                terminalreporter.write_line(found.told.rstrip())
        if self._left_out:
            terminalreporter.write_line(f"gilgrid: {self._left_out} tests were not run for that", red=True)

    def _has_ended(self, place: int) -> bool:
        """Whether its teardown is told, or it was found to hang."""
        return place in self._found or any(map(_is_teardown, self._past.reports.get(place, ())))

    def _take_in(self, item: pytest.Item | Gone, place: int) -> None:
        hook = item.ihook
        self._at = place
        found = self._found.get(place)
        reports = [
            passed(item, one) if isinstance(one, Passed) else to_report(self.config, one)
            for one in self._past.reports.get(place, ())
        ]
        with self._taking_in():
            hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            for report in reports:
                hook.pytest_runtest_logreport(report=report)
        if found is not None and found is self._past.found[-1]:
            self._speak()
        if found is not None:
            with self._taking_in():
                for report in as_reports(item, found, reports):
                    hook.pytest_runtest_logreport(report=report)
        if not self._is_over and place not in self._between:
            with self._taking_in():
                hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    @contextmanager
    def _taking_in(self) -> Iterator[None]:
        """Other plugins print nothing again either."""
        self.hears_again = True
        try:
            with ExitStack() as stack:
                if self._silence is not None:
                    stack.enter_context(redirect_stdout(self._silence.nowhere))
                    stack.enter_context(redirect_stderr(self._silence.nowhere))
                yield
        finally:
            self.hears_again = False

    def _speak(self) -> None:
        """What comes now has not been said before."""
        if self._silence is not None:
            self._silence.end()
            self._silence = None


class _Collected:
    """Has what hung or crashed while it was collected be a failure of its own."""

    def __init__(self, found: list[Found]) -> None:
        self._found = {one.collecting: one for one in found if one.stage == Stage.COLLECTING}

    @pytest.hookimpl(tryfirst=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> pytest.CollectReport | None:
        """Instead of pytest."""
        found = self._found.get(collector.nodeid)
        return None if found is None else collect_report(collector, found)


def _is_teardown(kept: Any) -> bool:
    phase = PHASES[kept.phase] if isinstance(kept, Passed) else kept.get("when")
    return bool(phase == "teardown")
