"""While pytest takes in what an earlier process has told, it tells nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest


class Silence:
    """The terminal reporter writes to `nowhere`: it knows its column, as if it had written."""

    def __init__(self, config: pytest.Config) -> None:
        self.nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - until `end`
        reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
        self._writer = getattr(reporter, "_tw", None)
        if self._writer is not None:
            self._file = self._writer._file  # noqa: SLF001 - pytest has no other way
            self._writer._file = self.nowhere  # noqa: SLF001

    def end(self) -> None:
        """It writes again."""
        if self._writer is not None:
            self._writer._file = self._file  # noqa: SLF001 - as above
        self.nowhere.close()
