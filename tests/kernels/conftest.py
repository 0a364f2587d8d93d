"""Tells gilgrid, from inside a cell, which test runs and which failed; has those that may hang run last.

It imports nothing of gilgrid, which a cell does not have.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from lapack_kernels.result import write_result


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Reporter(), "gilgrid-reporter")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_may_hang)


def _may_hang(item: pytest.Item) -> bool:
    return (
        isinstance(item, pytest.Function)
        and hasattr(item, "callspec")
        and item.callspec.params.get("gil") == "held"
    )


class Reporter:
    """Writes the result file: the running test while there is one, all failures in the end."""

    def __init__(self) -> None:
        self.checks: list[dict[str, Any]] = []
        self.passed = 0
        self.start = time.perf_counter()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        write_result({"running": nodeid})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._add_failure(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._add_failure(report)
        elif report.when == "call" and report.passed:
            self.passed += 1

    def pytest_sessionfinish(self) -> None:
        seconds = time.perf_counter() - self.start
        metrics = {"tests_passed": self.passed, "tests_failed": len(self.checks), "seconds_tests": seconds}
        write_result({"checks": self.checks, "metrics": metrics})

    def _add_failure(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        crash = getattr(report.longrepr, "reprcrash", None)
        text = crash.message if crash else report.longreprtext
        first_line = next(iter(text.strip().splitlines()), "")
        self.checks.append({"name": report.nodeid, "ok": False, "detail": first_line})
