"""asv's own detection of steps in a noisy series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asv.step_detect import detect_steps

if TYPE_CHECKING:
    from collections.abc import Sequence


def detect(values: Sequence[float]) -> list[int]:
    """Where each part begins that has one level."""
    return [left for left, *_ in detect_steps(list(values))]
