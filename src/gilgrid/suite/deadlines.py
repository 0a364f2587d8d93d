"""How long a test may take: as pytest-timeout has it, whether or not that is installed."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import pytest


def add_option(parser: pytest.Parser) -> None:
    """That of pytest-timeout, unless somebody else has one of that name."""
    with suppress(ValueError):
        parser.getgroup("timeout", "gilgrid, as pytest-timeout has it").addoption(
            "--timeout", type=float, help="with --gilgrid, seconds that a test may take; 0 for no limit"
        )


@dataclass(frozen=True)
class Deadline:
    """Seconds from the start of a test, or of its own function alone; ``None`` for no limit."""

    seconds: float | None
    func_only: bool


class Deadlines:
    """Those of a configuration, and of a test's own marker."""

    def __init__(self, config: pytest.Config) -> None:
        self._above: dict[Any, pytest.Mark | None] = {}
        """The markers of what tests are in."""
        self._default = Deadline(_seconds(_default(config)), bool(_ini(config, "timeout_func_only")))

    def of(self, item: pytest.Item) -> Deadline:
        """Of a test: what its marker says comes first. Raises ``UsageError`` where that is no time."""
        marker = self._marker(item)
        if marker is None:
            return self._default
        named = dict(zip(("timeout", "method", "func_only"), marker.args)) | dict(marker.kwargs)  # noqa: B905
        seconds = _seconds(named["timeout"]) if named.get("timeout") is not None else self._default.seconds
        func_only = named.get("func_only")
        return Deadline(seconds, self._default.func_only if func_only is None else bool(func_only))

    def _marker(self, node: Any) -> pytest.Mark | None:
        """As ``get_closest_marker`` finds it, which asks a file once for each of its tests."""
        for mark in node.own_markers:
            if getattr(mark, "name", None) == "timeout":
                return cast("pytest.Mark", mark)
        parent = node.parent
        if parent is None:
            return None
        if parent not in self._above:
            self._above[parent] = self._marker(parent)
        return self._above[parent]


def _default(config: pytest.Config) -> Any:
    option = config.getoption("timeout", None)
    if option is not None:
        return option
    return os.environ.get("PYTEST_TIMEOUT") or _ini(config, "timeout")


def _ini(config: pytest.Config, name: str) -> Any:
    try:
        return config.getini(name) or None
    except (KeyError, ValueError):
        return None


def _seconds(value: Any) -> float | None:
    try:
        seconds = float(value or 0)
    except (TypeError, ValueError):
        raise pytest.UsageError(f"timeout: {value!r} is no number of seconds") from None
    return seconds if seconds > 0 else None
