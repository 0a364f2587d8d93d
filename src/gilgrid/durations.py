"""Times as people write them."""

from __future__ import annotations

import re
from typing import Any

_UNITS_S = {"ms": 0.001, "s": 1.0, "min": 60.0}
_WEEK_S = 7 * 24 * 3600.0


def seconds(value: Any, *, unit: str = "") -> float:
    """A time of at most a week, in seconds; without a unit of its own it is in `unit`, if one is given.

    Raises ``ValueError`` with the sentence to show.
    """
    form = r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|)\s*"
    match = re.fullmatch(form, value) if isinstance(value, str) else None
    unit_s = _UNITS_S.get(match[2] or unit) if match else None
    if match is None or unit_s is None or not 0 < (time_s := float(match[1]) * unit_s) <= _WEEK_S:
        written = "in seconds or with its unit" if unit == "s" else "with its unit"
        raise ValueError(
            f"{value!r} should be a time of at most a week {written}, as '20 s', '500 ms' or '2 min'"
        )
    return time_s
