"""LAPACK's drivers for tridiagonal matrices: which to choose, what memory they want, where SciPy has them.

stev: QL and QR iterations. stevd: divide and conquer. stevr: relatively robust representations.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import NamedTuple

DRIVERS = ("stev", "stevd", "stevr")
"""In the order of enum Driver in batch.h."""

LARGEST_INT = 2**31 - 1

FASTEST_WITH_VECTORS = ((25, "stev"), (46_338, "stevd"), (107_374_182, "stevr"), (2**30, "stev"))
"""Up to which order which driver is the fastest with vectors, and LAPACK can index its workspace.

Up to 25, stev and stevd do the same; beyond, stevd divides. Microseconds a problem in one thread, float64 and
float32, by `python benchmarks/versus/drivers.py --rounds 60` with SciPy 1.17.1 (OpenBLAS 0.3.30, AMD EPYC):

       n     stev    stevd    stevr        stev    stevd    stevr
       2     0.13     0.14     0.13        0.13     0.16     0.13
       4     0.93     0.93     2.96        0.74     0.75     2.29
       8     3.45     3.45     7.65        2.73     2.74     4.85
      16     13.7     13.4     23.1        10.7     10.5     18.2
      24     34.1     34.0     42.5        30.2     30.1     35.5
      26     40.6     34.8     52.3        31.5     24.4     43.4
      32     63.2     49.0     77.8        53.1     38.6     61.3
      48      166      111      160         131     68.6      142
      64      348      158      300         272      102      302
      96      973      325      648         759      174      632
     128     2145      496     1188        1655      241     1095
     256    18707     1182     5135       13113      648     5913
     512   145010     4221    28198       81853     1339    25428

Where it matters stevr is never the fastest, and its vectors are less orthogonal (STEVR_ORTHOGONALITY_EPS_N in
probe.py): it is for orders whose workspace stevd cannot index.
"""

FASTEST_VALUES_ONLY = ((2**30, "stev"),)
"""Without vectors all three call the same routine (LAPACK's sterf), and take the same time."""

_SIGNATURES = {
    "stev": "void (char *, int *, T *, T *, T *, int *, T *, int *)",
    "stevd": "void (char *, int *, T *, T *, T *, int *, T *, int *, int *, int *, int *)",
    "stevr": (
        "void (char *, char *, int *, T *, T *, T *, T *, int *, int *, T *, int *, T *, T *, int *, int *, "
        "T *, int *, int *, int *, int *)"
    ),
}
_PRECISIONS = {"float64": "d", "float32": "s"}


class Sizes(NamedTuple):
    """What one call of a driver needs beside its input and its output: reals, and 32-bit ints."""

    diagonal: int
    work: int
    iwork: int
    isuppz: int


def resolve(driver: str, size: int, *, wants_vectors: bool) -> str:
    """Return the driver to call for matrices of order `size`: what `auto` stands for, or `driver` itself.

    Raises
    ------
    ValueError
        If LAPACK cannot index the workspace that this takes.

    """
    if driver == "auto":
        table = FASTEST_WITH_VECTORS if wants_vectors else FASTEST_VALUES_ONLY
        driver = next((name for largest, name in table if size <= largest), table[-1][1])
    work = sizes(driver, size, wants_vectors=wants_vectors).work
    if max(size, work) > LARGEST_INT:
        raise ValueError(
            f"problems of size {size} are too large for {driver}: "
            f"LAPACK takes at most a workspace of {LARGEST_INT}, not {work}"
        )
    return driver


def sizes(driver: str, size: int, *, wants_vectors: bool) -> Sizes:
    """Return the workspaces that LAPACK's manual pages ask for, at order `size`."""
    if driver == "stev":
        return Sizes(diagonal=0, work=max(1, 2 * size - 2), iwork=0, isuppz=0)
    if driver == "stevd":
        if wants_vectors and size > 1:
            return Sizes(diagonal=0, work=1 + 4 * size + size**2, iwork=3 + 5 * size, isuppz=0)
        return Sizes(diagonal=0, work=1, iwork=1, isuppz=0)
    return Sizes(diagonal=size, work=20 * size, iwork=10 * size, isuppz=2 * size)


def uses_blas_3(driver: str, size: int, *, wants_vectors: bool) -> bool:
    """Whether the driver multiplies matrices, for which BLAS may start threads of its own.

    Divide and conquer does, above the order at which it stops to divide (SMLSIZ in LAPACK's ilaenv).
    """
    smallest_divided = 25
    return driver == "stevd" and wants_vectors and size > smallest_divided


@cache
def address(driver: str, dtype: str) -> int:
    """Return the address of SciPy's own function, `dstev` for ("stev", "float64").

    A capsule's name is the C signature of what it holds: it is compared before it is trusted.

    Raises
    ------
    ImportError
        If SciPy has another function under that name.

    """
    from scipy.linalg import cython_lapack  # noqa: PLC0415 (not every binding needs SciPy)

    precision = _PRECISIONS[dtype]
    name = precision + driver
    capsule = cython_lapack.__pyx_capi__[name]
    encoded = _capsule_name(capsule)
    signature = encoded.decode().replace("__pyx_t_5scipy_6linalg_13cython_lapack_", "")
    expected = _SIGNATURES[driver].replace("T", precision)
    if signature != expected:
        raise ImportError(f"scipy.linalg.cython_lapack has a {name} that is {signature!r}, not {expected!r}")
    return int(_capsule_pointer(capsule, encoded))


# Prototypes of our own: the attributes of ctypes.pythonapi are everybody's.
_capsule_name = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", ctypes.pythonapi))
_capsule_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
