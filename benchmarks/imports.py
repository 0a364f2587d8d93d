"""How long an import takes, in a process of its own."""

from __future__ import annotations


def timeraw_lapack_kernels() -> str:
    """The kernels, without any binding."""
    return "import lapack_kernels"


def timeraw_cython_lapack() -> str:
    """What every Cython binding needs of SciPy."""
    return "import scipy.linalg.cython_lapack"


timeraw_lapack_kernels.pretty_name = "import lapack_kernels"  # type: ignore[attr-defined]
timeraw_cython_lapack.pretty_name = "import scipy.linalg.cython_lapack"  # type: ignore[attr-defined]
