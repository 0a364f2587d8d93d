"""A plain C library, called through ctypes by Python's own threads.

`ctypes.CDLL` gives the GIL up around each call, `ctypes.PyDLL` keeps it.
"""

from __future__ import annotations

import ctypes
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from lapack_kernels.threads.kept import in_team

if TYPE_CHECKING:
    from threading import Event

    from lapack_kernels.batch import Batch

_LIBRARY = Path(__file__).with_name("libproblems.so")
if not _LIBRARY.exists():
    raise ModuleNotFoundError(f"No library {_LIBRARY}", name="lapack_kernels.ctypes.libproblems")


def _load(library: ctypes.CDLL) -> ctypes.CDLL:
    library.lapack_kernels_solve_range.argtypes = (
        ctypes.c_void_p,
        ctypes.c_ssize_t,
        ctypes.c_ssize_t,
        ctypes.c_int,
    )
    library.lapack_kernels_solve_range.restype = None
    return library


_LIBRARIES = {"released": _load(ctypes.CDLL(str(_LIBRARY))), "held": _load(ctypes.PyDLL(str(_LIBRARY)))}


class _Extent(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("bytes", ctypes.c_size_t))


def _layout(library: ctypes.CDLL) -> dict[str, int]:
    extents = ctypes.POINTER(_Extent)()
    length = library.lapack_kernels_layout(ctypes.byref(extents))
    return {extent.name.decode("ascii"): extent.bytes for extent in extents[:length]}


LAYOUT = _layout(_LIBRARIES["released"])


def solve(batch: Batch, *, gil: str) -> None:
    """Solve the batch in place, with the GIL held or released around each call, which solves some chunks."""
    solve_range = _LIBRARIES[gil].lapack_kernels_solve_range
    address = batch.address
    # To come back to Python takes a microsecond, and more while another thread has the GIL: so some 300 µs of
    # work a call, but 16 calls a thread or more, since the work may be uneven.
    chunks = max(1, min(16, batch.count // (batch.chunk * batch.threads * 16)))
    step = chunks * batch.chunk
    numbers = count(batch.threads)

    def take_turns(thread: int, stop: Event) -> None:
        number = thread
        while number * step < batch.count and not stop.is_set():
            solve_range(address, number * step, min((number + 1) * step, batch.count), thread)
            number = next(numbers)  # atomic: one call in C, with the GIL

    in_team(take_turns, batch.threads)
