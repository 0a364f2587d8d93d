"""What docs/bindings.md shows of Cython is compiled, by a Cython and with a SciPy that hang without it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gilgrid.environments import Environments
from gilgrid.errors import UnavailableError
from gilgrid.interpreters import Interpreters
from gilgrid.pins import Pins

if TYPE_CHECKING:
    from gilgrid.environments import Environment

PAGE = (Path(__file__).parents[2] / "docs" / "bindings.md").read_text(encoding="utf-8")
CHECK = "__Pyx_ErrOccurredWithGIL()"

CIMPORTED = """
from scipy.linalg.cython_lapack cimport dstev
"""
SOLVER = """
def eigenvalues(double[::1] d, double[::1] e, double[::1] work):
    cdef int n = d.shape[0], one = 1, info = 0
    cdef double none
    with nogil:
        dstev(b"N", &n, &d[0], &e[0], &none, &one, &work[0], &info)
    return info
"""
BUILD = """
from Cython.Build import cythonize
from setuptools import setup
setup(name="solver", ext_modules=cythonize("solver.pyx"), script_args=["-q", "build_ext", "--inplace"])
"""
CALL = """
import numpy, solver
d, e = numpy.full(4, 2.0), numpy.ones(3)
assert solver.eigenvalues(d, e, numpy.empty(8)) == 0
numpy.testing.assert_allclose(d, 2 - 2 * numpy.cos(numpy.pi * numpy.arange(1, 5) / 5))
"""


@pytest.fixture(scope="module")
def environment(cache: Path) -> Environment:
    wanted = ("cython==3.0.12", "scipy==1.10.1", "setuptools")
    try:
        return Environments(cache, Interpreters(cache)).obtain(Pins(python="3.11", requirements=wanted))
    except UnavailableError as reason:
        pytest.skip(f"SciPy 1.10.1 has no wheel for a later Python than 3.11: {reason}")


def code(language: str, word: str) -> str:
    """The one example of the page in that language in which the word stands."""
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    (one,) = (text for text in found if word in text)
    return one


def python(environment: Environment, text: str, folder: Path) -> None:
    done = subprocess.run(
        [environment.python, "-c", text], cwd=folder, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def compiled(
    environment: Environment, folder: Path, source: str, call: str = 'cythonize("solver.pyx")'
) -> str:
    """What Cython writes for a module."""
    (folder / "solver.pyx").write_text(source, encoding="utf-8")
    python(environment, f"from Cython.Build import cythonize\n{call}", folder)
    return (folder / "solver.c").read_text(encoding="utf-8")


def test_without_what_the_page_says_there_is_a_check(environment: Environment, tmp_path: Path) -> None:
    assert CHECK in compiled(environment, tmp_path, CIMPORTED + SOLVER)


def test_a_call_through_the_pages_pointer_has_no_check_and_works(
    environment: Environment, tmp_path: Path
) -> None:
    assert CHECK not in compiled(environment, tmp_path, code("cython", "__pyx_capi__") + SOLVER)

    python(environment, BUILD, tmp_path)
    python(environment, CALL, tmp_path)


def test_what_the_page_has_cythonize_told_leaves_no_check(environment: Environment, tmp_path: Path) -> None:
    assert CHECK not in compiled(environment, tmp_path, CIMPORTED + SOLVER, code("python", "cythonize("))


def test_the_same_in_the_head_of_the_module_leaves_the_check(
    environment: Environment, tmp_path: Path
) -> None:
    head = "# cython: legacy_implicit_noexcept=True\n"
    assert CHECK in compiled(environment, tmp_path, head + CIMPORTED + SOLVER)
