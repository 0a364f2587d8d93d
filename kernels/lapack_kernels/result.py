"""How a program reports to gilgrid: one JSON file, named by $GILGRID_RESULT, that is always whole."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

RESULT_VARIABLE = "GILGRID_RESULT"


def write_result(result: dict[str, Any]) -> bool:
    """Replace the result file by `result` atomically; False if nobody asked for one."""
    path = os.environ.get(RESULT_VARIABLE)
    if not path:
        return False
    temporary = Path(f"{path}.{os.getpid()}")
    temporary.write_text(json.dumps(result), encoding="utf-8")
    temporary.replace(path)
    return True
