# cython: language_level=3, binding=False, embedsignature=False, emit_code_comments=False
"""The Cython bindings, in one module: cimporting cython_lapack takes Cython 3 s, however little is used of it.

Each `solve_<binding>(address, release_gil)` takes the address of a `Batch` (batch.hpp), filled and owned by batch.py.
"""

from cython.parallel cimport prange, threadid
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uintptr_t
from scipy.linalg.cython_lapack cimport dstev


cdef extern from "batch.hpp" nogil:
    cdef struct Batch:
        ptrdiff_t count
        int size
        int threads
        double *eigenvalues
        double *off_diagonals
        double *vectors
        double *workspaces
        ptrdiff_t workspace_stride
        int *infos

SIZEOF_BATCH = sizeof(Batch)

include "callback/solve.pxi"
include "prange/solve.pxi"
