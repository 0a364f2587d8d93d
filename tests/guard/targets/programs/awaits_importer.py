"""A module whose body waits for what a pool's thread imports from it; fixed, it waits when it is imported."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor


def work() -> int:
    import awaits_importer  # type: ignore[import-not-found]  # noqa: PLC0415

    return int(awaits_importer.VALUE)


future = ThreadPoolExecutor(1).submit(work)
if "--fixed" not in sys.argv:
    future.result()
VALUE = 1
