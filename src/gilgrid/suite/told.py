"""What was found, as pytest tells a failure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import ReprEntryNative, ReprExceptionInfo, ReprFileLocation, ReprTraceback

from gilgrid.suite.journal import Passed
from gilgrid.suite.stages import PHASES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilgrid.suite.journal import Found


class Gone:
    """A test that an earlier process had, and this one has not: its id is made of the time, say."""

    def __init__(self, nodeid: str, session: pytest.Session) -> None:
        path, _, name = nodeid.partition("::")
        self.nodeid = nodeid
        self.location = (path, None, name.replace("::", "."))
        self.keywords: dict[str, Any] = {}
        self.ihook = session.ihook
        self.config = session.config

    def reportinfo(self) -> tuple[str, int | None, str]:
        """As an item has it."""
        return self.location


def as_reports(
    item: pytest.Item | Gone, found: Found, before: Sequence[pytest.TestReport]
) -> Iterator[pytest.TestReport]:
    """The report of the phase that did not end, and of the teardown, where that never came.

    It has what the test had printed `before`, as each of pytest's reports has.
    """
    now = time.time()
    printed = before[-1].sections if before else []
    yield pytest.TestReport(
        outcome="failed",
        longrepr=failure(found, *_place(item), style=item.config.getoption("tbstyle", "auto")),
        sections=[*printed, *sections(found)],
        duration=found.seconds,
        **_common(item, found.phase, now - found.seconds, now),
    )
    if found.phase != len(PHASES) - 1:
        yield passed(item, Passed(len(PHASES) - 1, now, now, 0.0))


def passed(item: pytest.Item | Gone, one: Passed) -> pytest.TestReport:
    """The report that pytest made of a phase that passed."""
    common = _common(item, one.phase, one.start, one.stop)
    return pytest.TestReport(outcome="passed", longrepr=None, duration=one.duration, **common)


def _common(item: pytest.Item | Gone, phase: int, start: float, stop: float) -> dict[str, Any]:
    return {
        "nodeid": item.nodeid,
        "location": item.location,
        "keywords": dict.fromkeys(item.keywords, 1),
        "when": PHASES[phase],
        "start": start,
        "stop": stop,
    }


def sections(found: Found) -> list[tuple[str, str]]:
    """What it had printed in the phase that did not end."""
    streams = (("stdout", found.out), ("stderr", found.err))
    return [(f"Captured {name} {PHASES[found.phase]}", text) for name, text in streams if text]


def collect_report(collector: pytest.Collector, found: Found) -> pytest.CollectReport:
    """The same, of what hung while it was collected."""
    return pytest.CollectReport(
        nodeid=collector.nodeid,
        outcome="failed",
        longrepr=failure(found, str(getattr(collector, "path", collector.nodeid)), 1),
        result=[],
    )


def failure(found: Found, path: str, line: int, *, style: str = "auto") -> ReprExceptionInfo:
    """What stands in the place of a traceback, by the style of these."""
    entries = [] if style == "line" else [ReprEntryNative([found.told.rstrip() + "\n"])]
    return ReprExceptionInfo(
        reprtraceback=ReprTraceback(reprentries=entries, extraline=None, style="native"),
        reprcrash=ReprFileLocation(path, line, f"{found.verdict}: {found.reason}"),
    )


def _place(item: pytest.Item | Gone) -> tuple[str, int]:
    path, line, _ = item.reportinfo()
    return str(path), (line or 0) + 1
