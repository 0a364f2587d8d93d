# cython: language_level=3, binding=False, embedsignature=False, emit_code_comments=False
"""The Cython bindings, in one module: cimporting cython_lapack takes Cython 3 s, however little is used of it.

Each `solve_<binding>(address, release_gil)` takes the address of a `Batch` (batch.h), filled and owned by batch.py.
"""

from cython.parallel cimport prange, threadid
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uintptr_t
from scipy.linalg.cython_lapack cimport d, dstev, dstevd, dstevr, s, sstev, sstevd, sstevr

include "batch.pxi"

cdef extern from "layout.h":
    cdef struct Extent:
        const char *name
        size_t bytes
    const Extent *EXTENTS "LAYOUT"
    int LAYOUT_LENGTH

LAYOUT = {EXTENTS[number].name.decode("ascii"): EXTENTS[number].bytes for number in range(LAYOUT_LENGTH)}

include "callback/solve.pxi"
include "prange/solve.pxi"
include "pointer/solve.pxi"
