"""Sub-interpreters that share the GIL, which Python makes by another name in each version."""

from __future__ import annotations

import sys
from importlib import import_module


def run_inside(program: str) -> None:
    """Run a program in a sub-interpreter, with this one's path and arguments; it may begin threads."""
    interpreters = import_module("_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters")
    if sys.version_info >= (3, 13):
        inner = interpreters.create("legacy")
    elif sys.version_info >= (3, 9):
        inner = interpreters.create(isolated=False)
    else:
        inner = interpreters.create()
    prelude = f"import sys; sys.path[:0] = {sys.path!r}; sys.argv = {sys.argv!r}\n"
    error = interpreters.run_string(inner, prelude + program)
    if error is not None:  # before 3.13 it is raised
        raise RuntimeError(error)
    interpreters.destroy(inner)
