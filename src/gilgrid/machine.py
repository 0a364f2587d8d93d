"""The machine that a record was measured on."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path
from typing import Any

from gilgrid.builds import toolchain


@cache
def machine() -> dict[str, Any]:
    """What two timings must have in common before they may be compared."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "libc": " ".join(platform.libc_ver()),
        "toolchain": list(toolchain()),
    }


def _cpu_model() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            return next(
                (line.partition(":")[2].strip() for line in file if line.startswith("model name")), ""
            )
    except OSError:
        return ""
