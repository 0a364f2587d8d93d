"""Coverage of what ran in processes that were ended since, as coverage.py measures it.

pytest-cov begins to measure in each process anew, and has an option to append. ``coverage run`` begins before
there are several: to coverage.py each fork is another process, which erases the file of that name.
"""

from __future__ import annotations

import sys
from typing import Any


def begin() -> None:
    """Before the first fork: what an earlier run has left is gone, unless this one appends to it."""
    measured = _current()
    if measured is not None:
        measured._collector.covdata.set_query_contexts(None)  # noqa: SLF001 - `get_data` warns that there is none


def go_on() -> None:
    """In a fork: go on with the file. In parallel mode each has one of its own, to be combined."""
    measured = _current()
    if measured is not None and not measured.get_option("run:parallel"):
        from coverage import CoverageData  # noqa: PLC0415 - it is there, or nothing would be measured

        data = CoverageData(measured.get_option("run:data_file"))
        data.read()
        measured._data = data  # noqa: SLF001 - its own would be erased; `load` reads it, and erases it then
        measured._collector.use_data(data, measured.get_option("run:context"))  # noqa: SLF001


class Flush:
    """Call it after each test: whatever the next one does to the process, what was measured is kept."""

    def __init__(self) -> None:
        self._known: dict[str, set[Any]] = {}

    def __call__(self) -> None:
        """Write, where a line is new: to write takes milliseconds, as much as many a test."""
        measured = _current()
        if measured is not None:
            collector = measured._collector  # noqa: SLF001 - `get_data` looks through all sources each time
            if self._is_news(collector.data):
                collector.flush_data()

    def _is_news(self, data: dict[str, Any]) -> bool:
        is_news = False
        for file, lines in data.copy().items():  # other threads may add to it
            known = self._known.setdefault(file, set())
            if not known.issuperset(lines.copy()):
                known.update(lines.copy())
                is_news = True
        return is_news


def _current() -> Any:
    coverage = sys.modules.get("coverage")
    return coverage.Coverage.current() if coverage is not None else None
