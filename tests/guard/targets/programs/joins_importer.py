"""A module whose body joins a thread that imports it; fixed, it joins it when it is imported."""

from __future__ import annotations

import sys
import threading


def work() -> None:
    from joins_importer import VALUE  # type: ignore[import-not-found]  # noqa: PLC0415

    seen.append(VALUE)


seen: list[int] = []
thread = threading.Thread(target=work)
thread.start()
if "--fixed" not in sys.argv:
    thread.join()
VALUE = 1
