"""Within the process that runs tests: keeps what has ended."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from gilgrid.suite.marking import Marking, tell_sidecar
from gilgrid.suite.plain import of_report, of_warning
from gilgrid.suite.stages import PHASES, Stage
from gilgrid.suite.whole import Whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilgrid.suite.outer import Generation

_PHASE = {name: phase for phase, name in enumerate(PHASES)}
_SETUP = _PHASE["setup"]


class Keeping(Marking):
    """Hooks of pytest. While `hears_again`, it is told of what is kept already."""

    def __init__(self, generation: Generation) -> None:
        super().__init__(generation.marks, generation.crash)
        self.journal = generation.journal
        self._entry, self._add = self.journal.entry, self.journal.add
        self.whole: Whole
        self.config: pytest.Config
        self.hears_again = False
        self._tells = generation.tells
        self._session: pytest.Session | None = None
        self._usual = len(vars(pytest.TestReport("", ("", 0, ""), {}, "passed", None, "call")))
        self._setup = b""
        """That it has passed, until there is more to be written: few writes are cheaper than many."""

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Tell the sidecar what it has to know."""
        super().pytest_configure(config)
        self.config = config
        tell_sidecar(config, self._tells)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """All who say anything of the suite as a whole are there."""
        self._session = session
        self.whole = Whole(session.config)
        self.begin()

    def begin(self) -> None:
        """The clocks of the session are those of this process."""
        self.journal.write("clocks", self.whole.clocks())

    @contextmanager
    def collecting(self, collector: pytest.Collector) -> Iterator[None]:
        """The journal knows what."""
        if self.is_ours:
            self.journal.write("collecting", collector.nodeid)
        with super().collecting(collector):
            yield

    def arranged(self, session: pytest.Session) -> dict[pytest.Item, int]:
        """The next process is to have the same order."""
        self.journal.write("order", [item.nodeid for item in session.items])
        return super().arranged(session)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep it, once everybody else has heard it."""
        if self.hears_again or not self.is_ours:
            return
        values = vars(report)
        if (
            report.outcome == "passed"
            and len(values) == self._usual
            and not report.sections
            and not report.user_properties
            and report.nodeid == self._nodeid
            and report.location == self._location
            and type(report) is pytest.TestReport
        ):  # nobody has anything to say of it, and the rest follows from the test
            start, stop = values.get("start", 0.0), values.get("stop", 0.0)
            phase = _PHASE[report.when]
            entry = self._entry(self._at, phase, start, stop, report.duration)
            if phase == _SETUP:
                self._setup = entry
            else:
                self._add(self._setup + entry)
                self._setup = b""
        else:
            if self._setup:
                self._add(self._setup)
                self._setup = b""
            self.journal.write("reports", self._at, of_report(self.config, report))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logfinish(self) -> None:
        """The test may have said something of the suite."""
        if self.whole.has_news() and self.is_ours and not self.hears_again:
            self.journal.write("properties", self.whole.properties())
        super().pytest_runtest_logfinish()

    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str, location: Any) -> None:
        """Keep it; those of the collection come again."""
        if when == "runtest" and not self.hears_again and self.is_ours:
            self.journal.write("warnings", *of_warning(warning_message, when, nodeid, location))

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Pytest has said how it went."""
        self.mark(Stage.ENDING, int(self._session.exitstatus) if self._session else 0)
