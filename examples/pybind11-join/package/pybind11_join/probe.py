"""One probe, ``python -m pybind11_join.probe held|released``.

What it checked and measured goes to the file that $GILGRID_RESULT names.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

from pybind11_join import join_held, join_released


def main() -> int:
    """Join a thread that calls back, and say whether the callback ran, and where."""
    join = {"held": join_held, "released": join_released}[sys.argv[1]]
    ran_in: list[int] = []
    begin = time.perf_counter()
    join(lambda: ran_in.append(threading.get_ident()))
    seconds = time.perf_counter() - begin
    checks = [
        {"name": "the callback ran once", "ok": len(ran_in) == 1, "detail": f"it ran {len(ran_in)} times"},
        {"name": "in a thread of its own", "ok": threading.get_ident() not in ran_in},
    ]
    report({"checks": checks, "metrics": {"seconds_join": seconds}})
    return 0 if all(check["ok"] for check in checks) else 1


def report(result: dict[str, object]) -> None:
    """Write the result whole or not at all: a reader may come at any moment."""
    named = os.environ.get("GILGRID_RESULT")
    if not named:
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
        return
    draft = Path(f"{named}.draft")
    draft.write_text(json.dumps(result), encoding="utf-8")
    draft.replace(named)


if __name__ == "__main__":
    sys.exit(main())
