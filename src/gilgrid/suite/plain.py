"""Reports and warnings of pytest as plain data, and back.

They may hold anything that a test or a plugin has put there. In the next process, which has to know of them
before it has imported any test, the classes of that do not exist: it is kept as the text that it prints as.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

_AS_THEY_ARE = {type(None), bool, int, float, str, bytes}


def plain(value: Any) -> Any:
    """The value, of nothing but what Python itself has; what is anything else is its text."""
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    try:
        if kind is dict:
            return {plain(name): plain(one) for name, one in value.items()}
        if kind in {list, tuple}:
            return kind([plain(one) for one in value])
        return str.__str__(value) if isinstance(value, str) else str(value)
    except Exception:  # noqa: BLE001 - it may be anything, and nobody may ever ask for it
        return object.__repr__(value)


def of_report(config: pytest.Config, report: pytest.TestReport) -> Any:
    """A report, as pytest-xdist sends it; other plugins have hooks for their own."""
    return plain(config.hook.pytest_report_to_serializable(config=config, report=report) or vars(report))


def to_report(config: pytest.Config, data: Any) -> Any:
    """The report."""
    import pytest  # noqa: PLC0415 - the plugin is imported by it

    report = config.hook.pytest_report_from_serializable(config=config, data=data)
    return report if report is not None else pytest.TestReport(**data)


def of_warning(message: warnings.WarningMessage, when: str, nodeid: str, location: Any) -> Any:
    """A warning, with what pytest says of it."""
    kind = message.category
    said = str(message.message), message.filename, message.lineno, message.line
    return plain(((kind.__module__, kind.__qualname__), said, when, nodeid, location))


def to_warning(data: Any) -> Mapping[str, Any]:
    """The arguments of ``pytest_warning_recorded``."""
    (module, name), (text, filename, lineno, line), when, nodeid, location = data
    kind = getattr(sys.modules.get(module), name, None)
    if not (isinstance(kind, type) and issubclass(kind, Warning)):
        kind = type(name.rpartition(".")[2], (Warning,), {"__module__": module})
    message = warnings.WarningMessage(
        message=Warning(text), category=kind, filename=filename, lineno=lineno, line=line
    )
    return {"warning_message": message, "when": when, "nodeid": nodeid, "location": location}
