"""What was found, as pytest tells a failure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

import pytest
from _pytest._code.code import ReprEntryNative, ReprExceptionInfo, ReprFileLocation, ReprTraceback

from gilgrid.suite.stages import PHASES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from gilgrid.suite.journal import Found


def as_reports(item: pytest.Item, found: Found) -> Iterator[pytest.TestReport]:
    """The report of the phase that did not end, and of the teardown, where that never came."""
    when = cast("Literal['setup', 'call', 'teardown']", PHASES[found.phase])
    now = time.time()
    common: dict[str, Any] = {
        "nodeid": item.nodeid,
        "location": item.location,
        "keywords": dict.fromkeys(item.keywords, 1),
        "user_properties": list(item.user_properties),
    }
    yield pytest.TestReport(
        outcome="failed",
        longrepr=failure(found, *_place(item)),
        when=when,
        sections=sections(found),
        duration=found.seconds,
        start=now - found.seconds,
        stop=now,
        **common,
    )
    if when != "teardown":
        yield pytest.TestReport(
            outcome="passed", longrepr=None, when="teardown", start=now, stop=now, **common
        )


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


def failure(found: Found, path: str, line: int) -> ReprExceptionInfo:
    """What stands in the place of a traceback."""
    entry = ReprEntryNative([found.told.rstrip() + "\n"])
    return ReprExceptionInfo(
        reprtraceback=ReprTraceback(reprentries=[entry], extraline=None, style="native"),
        reprcrash=ReprFileLocation(path, line, f"{found.verdict}: {found.reason}"),
    )


def _place(item: pytest.Item) -> tuple[str, int]:
    path, line, _ = item.reportinfo()
    return str(path), (line or 0) + 1
