"""Errors that come from a worker process arrive as they were raised."""

from __future__ import annotations

import pickle

import pytest

from gilgrid.errors import BuildFailedError, GilgridError, MistakesError, UnavailableError


@pytest.mark.parametrize(
    "error",
    [
        BuildFailedError("a.cpp:1: error: no", "the whole\noutput"),
        MistakesError(["one mistake", "another"]),
        UnavailableError("no wheel"),
        GilgridError("gilgrid failed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_survives_the_way_between_processes(error: GilgridError) -> None:
    arrived = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own

    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    assert vars(arrived) == vars(error)
