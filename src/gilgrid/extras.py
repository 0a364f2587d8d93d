"""What not every installation has."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from gilgrid.errors import MistakesError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Around imports: without an extra, the sentence that says how to get it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MistakesError([f"{error.name} is not installed; pip install 'gilgrid[{extra}]'"]) from None
