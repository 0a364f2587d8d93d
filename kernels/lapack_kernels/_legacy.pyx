# cython: language_level=3, binding=False, embedsignature=False, emit_code_comments=False
"""The binding `callback` again, to the letter, under another directive of Cython's: see meson.build."""

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uintptr_t
from scipy.linalg.cython_lapack cimport d, dstev, dstevd, dstevr, s, sstev, sstevd, sstevr

include "batch.pxi"
include "callback/solve.pxi"
