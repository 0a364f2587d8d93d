"""What the tests run over, and what gilgrid is told of them inside a cell: it imports nothing of gilgrid.

A test that takes `binding` runs with every binding that is built here, one that takes `native` with those
that solve a `struct Batch`, one that takes `indirect` with those that call LAPACK through its pointer, one
that takes `processes` with those. With `gil` beside it, it runs in the binding's modes that are right, and
with `driver` for each of its drivers. A test that names its bindings itself is left alone.

`--bindings 'callback,processes-*'` leaves the others out, and the files that are about those alone: a subject
of the matrix tests what it was built for.
"""

from __future__ import annotations

import time
from fnmatch import filter as fnmatches
from fnmatch import fnmatch
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from lapack_kernels.bindings import BINDINGS, NotBuiltError, load
from lapack_kernels.result import write_result

if TYPE_CHECKING:
    from pathlib import Path

RIGHT_GIL_MODES = ("held", "released")
"""The others are there to go wrong, or are tested beside what they are about."""


@cache
def is_built(name: str) -> bool:
    """Whether this build has the binding; what else is wrong with it is for its tests to say."""
    try:
        load(name)
    except NotBuiltError:
        return False
    return True


OF_BINDINGS = {
    "test_ctypes.py": "ctypes",
    "test_processes.py": "processes-*",
    "test_pybind11.py": "pybind11",
    "test_scaling.py": "ctypes",
    "test_threads.py": "threads-*",
}
"""What is tested in a file that is about some bindings alone."""


def groups(config: pytest.Config) -> dict[str, list[str]]:
    """The bindings that are built here and were asked for, by the name that a test takes them by."""
    patterns = config.getoption("bindings").split(",")
    chosen = [name for name in BINDINGS if any(fnmatch(name, pattern) for pattern in patterns)]
    built = [name for name in chosen if is_built(name)]
    return {
        "binding": built,
        "native": [name for name in built if BINDINGS[name].is_native],
        "processes": [name for name in built if name.startswith("processes-")],
        "indirect": [name for name in built if name in {"pointer", "pybind11", "ctypes"}],
    }


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bindings", default="*", metavar="PATTERN,...", help="only these; default: all")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    about = OF_BINDINGS.get(collection_path.name)
    return True if about and not fnmatches(groups(config)["binding"], about) else None


@pytest.fixture
def any_binding(request: pytest.FixtureRequest) -> str:
    """One that is built, where it does not matter which."""
    return groups(request.config)["binding"][0]


@pytest.fixture
def native_bindings(request: pytest.FixtureRequest) -> list[str]:
    return groups(request.config)["native"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    known = groups(metafunc.config)
    taken = next((name for name in known if name in metafunc.fixturenames), None)
    own = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if taken is None or taken in own:
        return
    names = [taken]
    rows: list[tuple[str, ...]] = [(name,) for name in known[taken]]
    if "gil" in metafunc.fixturenames:
        names.append("gil")
        rows = [(*row, gil) for row in rows for gil in BINDINGS[row[0]].gil_modes if gil in RIGHT_GIL_MODES]
    if "driver" in metafunc.fixturenames:
        names.append("driver")
        rows = [(*row, driver) for row in rows for driver in BINDINGS[row[0]].drivers]
    metafunc.parametrize(names, rows)


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
