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


class Whole:
    """Reads and writes it, where it is."""

    def __init__(self) -> None:
        self._told = 0

    def clocks(self, config: pytest.Config) -> dict[str, Any]:
        """When the session began."""
        found: dict[str, Any] = {
            f"{type(plugin).__name__}.{attribute}": getattr(plugin, attribute)
            for plugin, attribute in _attributes(config)
        }
        key = _session_timeout()
        return found | {"session-timeout": config.stash.get(key, None) if key is not None else None}

    def set_clocks(self, config: pytest.Config, clocks: dict[str, Any]) -> None:
        """It began then."""
        for plugin, attribute in _attributes(config):
            value = clocks.get(f"{type(plugin).__name__}.{attribute}")
            if value is not None:
                setattr(plugin, attribute, value)
        key = _session_timeout()
        if key is not None and clocks.get("session-timeout") is not None:
            config.stash[key] = clocks["session-timeout"]

    def new_properties(self, config: pytest.Config) -> list[Any]:
        """All that the JUnit file says of the suite, where that has become more."""
        properties = self._properties(config)
        if len(properties) == self._told:
            return []
        self._told = len(properties)
        return properties

    def set_properties(self, config: pytest.Config, properties: list[Any]) -> None:
        """What it said in an earlier process comes first."""
        self._properties(config)[:0] = [tuple(one) for one in properties]
        self._told = len(properties)

    def forget_repeated(self, config: pytest.Config) -> None:
        """A fixture of the session that was set up in each process has said the same each time."""
        properties = self._properties(config)
        properties[:] = list(dict.fromkeys(map(tuple, plain(properties))))

    def _properties(self, config: pytest.Config) -> list[Any]:
        found: list[Any] = getattr(config.stash.get(xml_key, None), "global_properties", [])
        return found


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
