"""Within the process that runs tests, or the rest of them: keeps what has ended, tells what was found.

Of a run that goes on after a hang it has pytest take in what has ended, in the order in which that did and
without a word: pytest's reports, the exit code and what other plugins make of them are those of one run.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any

import pytest

from gilgrid.suite.journal import Passed
from gilgrid.suite.marking import Marking, tell_sidecar
from gilgrid.suite.plain import of_report, of_warning, to_report, to_warning
from gilgrid.suite.silence import Silence
from gilgrid.suite.stages import PHASES, Stage
from gilgrid.suite.told import Gone, as_reports, collect_report, passed
from gilgrid.suite.whole import Whole, let_only_pytest_finish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilgrid.suite.journal import Found
    from gilgrid.suite.outer import Generation

_TIMES = 3 * len(PHASES)
_OF_NO_TEST = {Stage.BETWEEN, Stage.FINISHING}
_MOST_BETWEEN = 2
"""So often it may hang between two tests: what hangs there would do so after each of them."""


class Inside(Marking):
    """Hooks of pytest."""

    def __init__(self, generation: Generation) -> None:
        super().__init__(generation.marks, generation.crash)
        self._journal = generation.journal
        self._tells = generation.tells
        self._past = generation.journal.past()
        self._silence: Silence | None = None
        self._whole: Whole
        self._takes_in = False
        self._left_out = 0
        self._times: list[float] = []
        self._gone: list[int] = []
        self._session: pytest.Session | None = None
        self._config: Any = None
        self._item: pytest.Item | None = None
        self._usual = len(vars(pytest.TestReport("", ("", 0, ""), {}, "passed", None, "call")))
        self._found = {one.item: one for one in self._past.found if one.stage == Stage.TESTING}
        self._between = {one.item for one in self._past.found if one.stage == Stage.BETWEEN}
        self._is_over = len(self._between) >= _MOST_BETWEEN or any(
            one.stage == Stage.FINISHING for one in self._past.found
        )

    @property
    def is_first(self) -> bool:
        """Whether nothing was found yet."""
        return not self._past.found

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """What an earlier process has logged is kept."""
        if not self.is_first:
            config.option.log_file_mode = "a"

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Tell the sidecar what it has to know; what has been said before is not said again."""
        super().pytest_configure(config)
        self._config = config
        tell_sidecar(config, self._tells)
        if not self.is_first:
            self._silence = Silence(config)
            config.pluginmanager.register(_Collected(self._past.found), "gilgrid-collected")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """It began when the first process did."""
        self._session = session
        self._whole = Whole(session.config)
        if self.is_first:
            self._journal.write("clocks", self._whole.clocks())
        else:
            self._whole.set_clocks(self._past.clocks)

    @contextmanager
    def collecting(self, collector: pytest.Collector) -> Iterator[None]:
        """The journal knows what."""
        if self.is_ours:
            self._journal.write("collecting", collector.nodeid)
        with super().collecting(collector):
            yield

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
            self._journal.write("order", order)
            self._past.order = order
        return places

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """All tests are known, and with them all classes that a warning may be of."""
        super().pytest_collection_finish(session)
        self._whole.go_on(self._past.properties)
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
        place = self._places.get(item, -1)
        if self._has_ended(place):
            self._take_in(item, place)
            return True
        self._speak()
        if self._past.interrupted_by:
            raise KeyboardInterrupt
        if self._is_over:
            self._left_out += 1
            return True
        self._item, self._times = item, []
        return super().pytest_runtest_protocol(item)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep it, once everybody else has heard it."""
        if self._takes_in or not self.is_ours:
            return
        if self._is_usual(report):
            # Of a test that passes, what is new in its reports is written at once.
            times = vars(report)
            self._times += (times.get("start", 0.0), times.get("stop", 0.0), report.duration)
        else:
            self._keep_usual()
            self._journal.write("reports", self._at, of_report(self._config, report))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logfinish(self) -> None:
        """The test may have said something of the suite."""
        if self.is_ours and not self._takes_in:
            if len(self._times) == _TIMES:
                self._journal.write_passed(self._at, self._times)
                self._times = []
            else:
                self._keep_usual()
            if self._whole.has_news():
                self._journal.write("properties", self._whole.properties())
        super().pytest_runtest_logfinish()

    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str, location: Any) -> None:
        """Keep it; those of the collection come again."""
        if when == "runtest" and not self._takes_in and self.is_ours:
            self._journal.write("warnings", *of_warning(warning_message, when, nodeid, location))

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self) -> None:
        """It is to be seen."""
        self._speak()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """There may be no test left to run."""
        self._speak()
        self._whole.forget_repeated()
        if any(one.stage in _OF_NO_TEST for one in self._past.found):
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

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Pytest has said how it went."""
        self.mark(Stage.ENDING, int(self._session.exitstatus) if self._session else 0)

    def _has_ended(self, place: int) -> bool:
        """Whether its teardown is told, or it was found to hang."""
        return place in self._found or any(map(_is_teardown, self._past.reports.get(place, ())))

    def _is_usual(self, report: pytest.TestReport) -> bool:
        """Whether the next phase has passed, and nobody has anything to say of that."""
        item = self._item
        return (
            report.outcome == "passed"
            and not report.sections
            and not report.user_properties
            and report.when == PHASES[len(self._times) // 3 % len(PHASES)]
            and len(vars(report)) == self._usual
            and type(report) is pytest.TestReport
            and item is not None
            and report.nodeid == item.nodeid
            and report.location == item.location
        )

    def _keep_usual(self) -> None:
        """Of a test that did not pass as a whole, those phases that did."""
        for phase in range(len(self._times) // 3):
            times = self._times[3 * phase : 3 * phase + 3]
            self._journal.write("reports", self._at, Passed(phase, *times))
        self._times = []

    def _take_in(self, item: pytest.Item | Gone, place: int) -> None:
        hook = item.ihook
        found = self._found.get(place)
        reports = [
            passed(item, one) if isinstance(one, Passed) else to_report(self._config, one)
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
        self._takes_in = True
        try:
            with ExitStack() as stack:
                if self._silence is not None:
                    stack.enter_context(redirect_stdout(self._silence.nowhere))
                    stack.enter_context(redirect_stderr(self._silence.nowhere))
                yield
        finally:
            self._takes_in = False

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
