"""The extension; all else is in ``pyproject.toml``."""

from pybind11.setup_helpers import Pybind11Extension
from setuptools import setup

# -O0: what is looked at is how two threads wait, not how fast they run, and it compiles in half the time.
EXTENSION = Pybind11Extension(
    "pybind11_join._join",
    ["pybind11_join/join.cpp"],
    cxx_std=14,
    extra_compile_args=["-O0", "-g0", "-pthread"],
    extra_link_args=["-pthread"],
)

setup(ext_modules=[EXTENSION])
