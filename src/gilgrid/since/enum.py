"""``StrEnum``, of 3.11."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 11):
    from enum import StrEnum
else:
    from enum import Enum

    class StrEnum(str, Enum):
        """Members are texts, and are written as such."""

        __str__ = str.__str__
        __format__ = str.__format__


__all__ = ["StrEnum"]
