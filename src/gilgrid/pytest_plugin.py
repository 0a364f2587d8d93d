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

_threads_of_worker: list[int] = []
"""What pytest-xdist runs beside the tests, which release nothing that a test waits for."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Its own, and those of pytest-timeout where that is not installed."""
    group = parser.getgroup("gilgrid")
    group.addoption(
        "--gilgrid", action="store_true", help="fail tests that hang or crash, and run the others"
    )
    parser.addini("gilgrid", "whether --gilgrid is on by default", type="bool", default=False)
    from gilgrid.suite.deadlines import add_options  # noqa: PLC0415

    add_options(parser)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Before any conftest is imported, and anything captured."""
    options = early_config.known_args_namespace
    if _is_worker():
        _threads_of_worker[:] = _other_threads()
    elif _is_on(early_config) and not _has_workers(options):
        from gilgrid.suite import outer  # noqa: PLC0415 - see above

        reason = outer.cannot_take_over()
        if reason:
            early_config.issue_config_time_warning(
                pytest.PytestWarning(f"--gilgrid is off: {reason}"), stacklevel=2
            )
        else:
            generation = outer.take_over()
            from gilgrid.suite.inside import Inside  # noqa: PLC0415 - in the process that runs tests alone

            early_config.pluginmanager.register(Inside(generation), "gilgrid-inside")
    yield


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """With pytest-xdist, each worker is watched on its own."""
    if _is_on(config) and (_has_workers(config.option) or hasattr(config, "workerinput")):
        from gilgrid.suite import workers  # noqa: PLC0415 - see above

        if hasattr(config, "workerinput"):
            plugin: object = workers.begin(config, _threads_of_worker)
        else:
            plugin = workers.Controller()
        if plugin is not None:
            config.pluginmanager.register(plugin, "gilgrid-workers")


def _is_on(config: pytest.Config) -> bool:
    options = config.known_args_namespace
    return bool(options.gilgrid or config.getini("gilgrid")) and not _is_off(options)


def _has_workers(options: Any) -> bool:
    """Whether pytest-xdist is to distribute the tests."""
    return bool(getattr(options, "numprocesses", None) or getattr(options, "tx", None))


def _is_worker() -> bool:
    # That pytest says so itself comes later. A pytest that a worker's test starts has not its threads.
    return "PYTEST_XDIST_WORKER" in os.environ and bool(_other_threads())


def _other_threads() -> list[int]:
    """Those of this process that Python knows, and others."""
    return [tid for tid in map(int, os.listdir("/proc/self/task")) if tid != os.getpid()]  # noqa: PTH208


def _is_off(options: Any) -> bool:
    """Whether somebody is to talk with the tests, or nothing will be run."""
    talks = options.capture == "no" or options.usepdb or options.trace or sys.gettrace() is not None
    return bool(talks or getattr(options, "help", False) or getattr(options, "version", 0))
