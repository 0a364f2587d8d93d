"""The registry of bindings: each is a module or a folder beside this one that has a `solve` as below."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from lapack_kernels.batch import Batch


@dataclass(frozen=True)
class Binding:
    """What a binding can do: with the GIL, and with which of LAPACK's drivers.

    `is_native` says that it solves a `struct Batch`, with the driver that `auto` was resolved to, and
    `has_openmp` that a team of OpenMP's does.
    """

    gil_modes: tuple[str, ...]
    drivers: tuple[str, ...]
    is_native: bool = False
    has_openmp: bool = False


class Solve(Protocol):
    """What a binding offers: it solves a batch in place, in `batch.threads` threads."""

    def __call__(self, batch: Batch, *, gil: str) -> None:
        """Solve with the GIL treated as `gil` says, one of the binding's modes."""


class NotBuiltError(ImportError):
    """A native binding that this build of the package left out."""


class CheckFailedError(Exception):
    """A binding that checks what it does found it wrong: for the probe, one more check that failed."""

    def __init__(self, name: str, detail: str) -> None:
        """Say which check failed, and what it found."""
        super().__init__(f"{name}: {detail}")
        self.name = name
        self.detail = detail


_NATIVE = Binding(("held", "released"), ("auto", "stev", "stevd", "stevr"), is_native=True, has_openmp=True)
_SCIPY = Binding(("released",), ("auto", "stev"))
_OWN = Binding(("released",), ("auto",))

BINDINGS = {
    "callback": _NATIVE,
    "prange": _NATIVE,
    "pointer": _NATIVE,
    "legacy": _NATIVE,
    "pybind11": Binding(
        ("held", "released", "call-guard", "reacquired", "acquired", "touched", "counted"),
        _NATIVE.drivers,
        is_native=True,
        has_openmp=True,
    ),
    "ctypes": replace(_NATIVE, has_openmp=False),
    "processes-pool": _SCIPY,
    "processes-queue": _SCIPY,
    "processes-pipe": _SCIPY,
    "threads-python": _OWN,
    "threads-numpy": _OWN,
    "threads-scipy": _SCIPY,
}
"""Every binding there is, built or not, by its name."""


COMPILED = {f"lapack_kernels.{name}" for name in ("_native", "_legacy", "_pybind11", "ctypes.libproblems")}
"""What a build may leave out."""


def load(name: str) -> Solve:
    """Import the binding `name`, and only that one: another that does not load is no concern of this one.

    Raises
    ------
    ValueError
        If no binding has that name.
    NotBuiltError
        If this build of the package was made without it.

    """
    if name not in BINDINGS:
        raise ValueError(f"unknown binding {name!r}; expected one of {', '.join(BINDINGS)}")
    try:
        module = import_module("lapack_kernels." + name.replace("-", "."))
    except ModuleNotFoundError as error:
        if error.name not in COMPILED:
            raise
        raise NotBuiltError(
            f"the binding {name!r} was not built: {error.name} is missing (see `bindings` in meson.options)"
        ) from error
    return cast("Solve", module.solve)
