"""``dataclass`` with ``kw_only``, of 3.10: before that, it is left out."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 10):
    from dataclasses import dataclass
else:
    import dataclasses

    def dataclass(*args, **options):
        """As ``dataclasses.dataclass``; fields are still given by name, as all of gilgrid does."""
        options.pop("kw_only", None)
        return dataclasses.dataclass(*args, **options)


__all__ = ["dataclass"]
