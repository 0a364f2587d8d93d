"""``pytest --gilgrid``: a hung test fails with its cause, and the rest of the suite runs.

Off unless it is asked for, and then it imports nothing else: every pytest beside gilgrid imports this module.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = "gilgrid-suite"
_WHY_OFF = pytest.StashKey[str]()
"""Where it is asked for: empty while it is at work."""
_MARKER = (
    "timeout(timeout, method=None, func_only=False): the test may take so many seconds; its method is ignored"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Its own."""
    group = parser.getgroup("gilgrid")
    group.addoption(
        "--gilgrid", action="store_true", help="fail tests that hang or crash, and run the others"
    )
    parser.addini("gilgrid", "whether --gilgrid is on by default", type="bool", default=False)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser) -> Iterator[None]:
    """Before any conftest is imported, anything captured, and coverage measured."""
    if not early_config.pluginmanager.has_plugin("timeout"):
        # What a project says to pytest-timeout is no mistake where gilgrid takes its place, or is off.
        parser.addini("timeout", "with --gilgrid, seconds that a test may take")
        parser.addini(
            "timeout_func_only",
            "with --gilgrid, whether its fixtures do not count",
            type="bool",
            default=False,
        )
        early_config.addinivalue_line("markers", _MARKER)
    options = early_config.known_args_namespace
    is_on = options.gilgrid or early_config.getini("gilgrid")
    if is_on:
        with _as_it_is(early_config):
            _begin(early_config, options)
    yield
    if is_on and not early_config.pluginmanager.has_plugin("timeout"):
        from gilgrid.suite.deadlines import add_option  # noqa: PLC0415 - see above

        add_option(parser)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Whether it is at work."""
    why_off = config.stash.get(_WHY_OFF, None)
    if why_off is None:
        return None
    return f"gilgrid: off, {why_off}" if why_off else "gilgrid: on"


@contextmanager
def _as_it_is(config: pytest.Config) -> Iterator[None]:
    """Import gilgrid without a look for assertions to rewrite, which takes as long as the import."""
    hook: Any = config.pluginmanager.rewrite_hook
    at = sys.meta_path.index(hook) if hook in sys.meta_path else None
    if at is not None:
        del sys.meta_path[at]
    try:
        yield
    finally:
        if at is not None:
            sys.meta_path.insert(at, hook)


def _begin(config: pytest.Config, options: Any) -> None:
    from gilgrid.suite.off import why_impossible, why_off  # noqa: PLC0415 - see above

    config.stash[_WHY_OFF] = reason = why_off(options)
    if reason:
        return
    threads = _other_threads() if "GILGRID_WORKERS" in os.environ else []
    # That it is a worker pytest says later. A pytest that a worker's test has started has no threads yet.
    if threads:
        from gilgrid.suite.workers import Worker  # noqa: PLC0415 - see above

        config.pluginmanager.register(Worker(threads), _NAME)
        _keep_coverage(options)
        return
    config.stash[_WHY_OFF] = reason = why_impossible()
    if not reason:
        _take_over(config, options)
        return
    try:
        config.issue_config_time_warning(pytest.PytestWarning(f"--gilgrid is off: {reason}"), stacklevel=2)
    except pytest.PytestWarning as warning:  # to this user, warnings are errors
        raise pytest.UsageError(str(warning)) from None


def _other_threads() -> list[int]:
    return [tid for tid in map(int, os.listdir("/proc/self/task")) if tid != os.getpid()]  # noqa: PTH208


def _take_over(config: pytest.Config, options: Any) -> None:
    from gilgrid.suite.outer import take_over  # noqa: PLC0415 - see above

    has_workers = bool(getattr(options, "numprocesses", None) or getattr(options, "tx", None))
    generation = take_over(has_workers=has_workers)
    if has_workers:
        from gilgrid.suite.workers import Controller  # noqa: PLC0415 - in the process that has workers alone

        config.pluginmanager.register(Controller(generation), _NAME)
        return
    from gilgrid.suite.keeping import Keeping  # noqa: PLC0415 - in the process that runs tests alone

    past = generation.journal.past()
    if not past.found:
        config.pluginmanager.register(Keeping(generation), _NAME)
        return
    from gilgrid.suite.resuming import Resuming  # noqa: PLC0415 - after a hang alone

    config.pluginmanager.register(Resuming(generation, past), _NAME)
    _keep_coverage(options)


def _keep_coverage(options: Any) -> None:
    # pytest-cov would erase what the process before, or another worker, has measured.
    options.cov_append = True
