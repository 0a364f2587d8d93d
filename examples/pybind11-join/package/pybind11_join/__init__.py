"""A thread that calls back into Python, joined with and without the GIL."""

from pybind11_join._join import join_held, join_released

__all__ = ["join_held", "join_released"]
