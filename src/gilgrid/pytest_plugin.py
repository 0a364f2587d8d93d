"""``pytest --gilgrid``: a hung test fails with its cause, and the rest of the suite runs.

Off unless it is asked for, and then it imports nothing else: every pytest beside gilgrid imports this module.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = "gilgrid-suite"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Its own, and those of pytest-timeout where that is not installed."""
    group = parser.getgroup("gilgrid")
    group.addoption(
        "--gilgrid", action="store_true", help="fail tests that hang or crash, and run the others"
    )
    parser.addini("gilgrid", "whether --gilgrid is on by default", type="bool", default=False)
    from gilgrid.suite.deadlines import add_options  # noqa: PLC0415

    add_options(parser, pluginmanager)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Before any conftest is imported, anything captured, and coverage measured."""
    options = early_config.known_args_namespace
    if (options.gilgrid or early_config.getini("gilgrid")) and not _is_off(options):
        threads = [tid for tid in map(int, os.listdir("/proc/self/task")) if tid != os.getpid()]  # noqa: PTH208
        # That it is a worker pytest says later. A pytest that a worker's test has started has no threads yet.
        if "GILGRID_WORKERS" in os.environ and threads:
            from gilgrid.suite.workers import Worker  # noqa: PLC0415 - see above

            early_config.pluginmanager.register(Worker(threads), _NAME)
            _keep_coverage(options)
        else:
            _take_over(early_config, options)
    yield


def _take_over(config: pytest.Config, options: Any) -> None:
    from gilgrid.suite import outer  # noqa: PLC0415 - see above

    reason = outer.cannot_take_over()
    if reason:
        config.issue_config_time_warning(pytest.PytestWarning(f"--gilgrid is off: {reason}"), stacklevel=2)
        return
    generation = outer.take_over()
    if getattr(options, "numprocesses", None) or getattr(options, "tx", None):
        from gilgrid.suite.workers import Controller  # noqa: PLC0415 - in the process that has workers alone

        config.pluginmanager.register(Controller(generation.marks), _NAME)
        return
    from gilgrid.suite.inside import Inside  # noqa: PLC0415 - in the process that runs tests alone

    inside = Inside(generation)
    config.pluginmanager.register(inside, _NAME)
    if not inside.is_first:
        _keep_coverage(options)


def _keep_coverage(options: Any) -> None:
    # pytest-cov would erase what the process before, or another worker, has measured.
    options.cov_append = True


def _is_off(options: Any) -> bool:
    """Whether somebody is to talk with the tests, or nothing will be run."""
    talks = options.capture == "no" or options.usepdb or options.trace or sys.gettrace() is not None
    says = getattr(options, "help", False) or getattr(options, "version", 0) or options.collectonly
    return bool(talks or says or sys.platform != "linux")
