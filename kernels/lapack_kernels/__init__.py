"""Batched symmetric tridiagonal eigenproblems, through every way of binding parallel native code to Python.

The subject that gilgrid comes with: a binding hangs, runs or slows down with the versions it is built from.
"""

from __future__ import annotations

from lapack_kernels.bindings import BINDINGS, CheckFailedError, NotBuiltError
from lapack_kernels.eigh import eigh_tridiagonal, eigvalsh_tridiagonal

__all__ = ["BINDINGS", "CheckFailedError", "NotBuiltError", "eigh_tridiagonal", "eigvalsh_tridiagonal"]
