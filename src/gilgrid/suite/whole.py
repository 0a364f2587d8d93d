"""What pytest tells of a suite as a whole, in whichever process it began."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from _pytest.junitxml import xml_key

from gilgrid.suite.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

_CLOCKS = (
    ("terminalreporter", ("_session_start", "_sessionstarttime")),
    ("junitxml", ("suite_start", "suite_start_time")),
)
"""Of which plugins what attributes say when the session began, by pytest's version."""
_FINISH = {"_pytest", "pytest_cov", "gilgrid"}


class Whole:
    """Reads and writes it, where it is."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._properties: list[Any] = getattr(config.stash.get(xml_key, None), "global_properties", [])
        self._told = 0

    def clocks(self) -> dict[str, Any]:
        """When the session began."""
        found: dict[str, Any] = {
            f"{type(plugin).__name__}.{attribute}": getattr(plugin, attribute)
            for plugin, attribute in _attributes(self._config)
        }
        key = _session_timeout()
        return found | {"session-timeout": self._config.stash.get(key, None) if key is not None else None}

    def set_clocks(self, clocks: dict[str, Any]) -> None:
        """It began then."""
        for plugin, attribute in _attributes(self._config):
            value = clocks.get(f"{type(plugin).__name__}.{attribute}")
            if value is not None:
                setattr(plugin, attribute, value)
        key = _session_timeout()
        if key is not None and clocks.get("session-timeout") is not None:
            self._config.stash[key] = clocks["session-timeout"]

    def has_news(self) -> bool:
        """Whether the JUnit file says more of the suite than it did."""
        return len(self._properties) != self._told

    def properties(self) -> list[Any]:
        """All that it says; that is no news any more."""
        self._told = len(self._properties)
        return list(map(tuple, plain(self._properties)))

    def go_on(self, properties: list[Any]) -> None:
        """What it said in an earlier process comes first."""
        self._properties[:0] = properties
        self._told = len(self._properties)

    def forget_repeated(self) -> None:
        """A fixture of the session that was set up in each process has said the same each time."""
        self._properties[:] = list(dict.fromkeys(map(tuple, plain(self._properties))))


def let_only_pytest_finish(config: pytest.Config) -> None:
    """Where a hook hung that finishes the session: no test has run in this process to clear up after."""
    caller = config.hook.pytest_sessionfinish
    for implementation in caller.get_hookimpls():
        plugin = implementation.plugin
        module = getattr(plugin, "__name__", type(plugin).__module__)
        if module.partition(".")[0] not in _FINISH:
            caller._remove_plugin(plugin)  # noqa: SLF001 - pluggy has no other way


def _attributes(config: pytest.Config) -> Iterator[tuple[Any, str]]:
    plugins = {
        "terminalreporter": config.pluginmanager.get_plugin("terminalreporter"),
        "junitxml": config.stash.get(xml_key, None),
    }
    for name, attributes in _CLOCKS:
        for attribute in attributes:
            if hasattr(plugins[name], attribute):
                yield plugins[name], attribute


def _session_timeout() -> Any:
    """Of pytest-timeout, the key of when the session is over."""
    return getattr(sys.modules.get("pytest_timeout"), "SESSION_EXPIRE_KEY", None)
