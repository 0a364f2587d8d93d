"""Batched symmetric tridiagonal eigenproblems, solved in parallel through every way of binding native code to Python.

The subject that gilgrid comes with: its bindings hang, run or slow down with the versions they are built from.
"""

from __future__ import annotations

from lapack_kernels.bindings import BINDINGS, GIL_MODES
from lapack_kernels.eigh import eigh_tridiagonal

__all__ = ["BINDINGS", "GIL_MODES", "eigh_tridiagonal"]
