"""``pytest --gilgrid``: a hung test fails with its cause, and the rest of the suite runs.

Off unless it is asked for, and then it imports nothing else: every pytest beside gilgrid imports this module.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    if (options.gilgrid or early_config.getini("gilgrid")) and not _is_off(options):
        from gilgrid.suite import outer  # noqa: PLC0415 - see above

        reason = outer.can_take_over()
        if reason:
            early_config.issue_config_time_warning(
                pytest.PytestWarning(f"--gilgrid is off: {reason}"), stacklevel=2
            )
        else:
            generation = outer.take_over()
            from gilgrid.suite.inside import Inside  # noqa: PLC0415 - in the process that runs tests alone

            early_config.pluginmanager.register(Inside(generation), "gilgrid-inside")
    yield


def _is_off(options: Any) -> bool:
    """Whether somebody is to talk with the tests, or nothing will be run."""
    talks = options.capture == "no" or options.usepdb or options.trace or sys.gettrace() is not None
    return bool(talks or getattr(options, "help", False) or getattr(options, "version", 0))
