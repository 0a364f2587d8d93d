"""Two tests that hang and one that comes after them: for what pytest-timeout stops."""

from __future__ import annotations

import threading

import numpy as np
from lapack_kernels import eigh_tridiagonal


def test_native_code_that_holds_the_gil() -> None:
    """The case itself: with Cython 3 and SciPy up to 1.10.1, two threads never come back."""
    random = np.random.default_rng(6107)
    for _ in range(100):
        d, e = random.standard_normal((64, 32)), random.standard_normal((64, 31))
        eigh_tridiagonal(d, e, binding="callback", gil="held", threads=2)


def test_python_lock() -> None:
    """A hang that Python itself is in: the interpreter goes on, and handles signals."""
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def test_next() -> None:
    """Runs, if the one before it was stopped."""
