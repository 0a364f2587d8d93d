"""The registry of bindings: each is a folder beside this module, whose package has a `solve` as below."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from lapack_kernels.batch import Batch

BINDINGS = ("callback", "prange", "pointer", "legacy")
GIL_MODES = ("held", "released")


class Solve(Protocol):
    """What a binding offers: it solves a batch in place, in `batch.threads` threads."""

    def __call__(self, batch: Batch, *, release_gil: bool) -> None:
        """Solve with the GIL held, or released around the native call."""


def load(name: str) -> Solve:
    """Import the binding `name`, and only that one: another that does not load is no concern of this one.

    Raises
    ------
    ValueError
        If no binding has that name.

    """
    if name not in BINDINGS:
        raise ValueError(f"unknown binding {name!r}; expected one of {', '.join(BINDINGS)}")
    return cast("Solve", import_module(f"lapack_kernels.{name}").solve)
