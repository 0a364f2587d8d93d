"""A matrix of newest versions, from the bundled one: it is a matrix itself."""

from __future__ import annotations

from pathlib import Path

from gilgrid import config
from gilgrid.newest import MARK, matrix_of

BUNDLED = Path(__file__).parents[2] / "matrix.toml"
VERSIONS = {
    "cython": ["3.3.1", "3.4.0a1"],
    "scipy": ["1.18.1"],
    "pybind11": ["3.1.0"],
    "numpy": ["2.5.5", "2.6.0rc1"],
}


def test_it_has_these_versions_and_nothing_that_speaks_of_others() -> None:
    matrix = config.load(BUNDLED)
    text = matrix_of(matrix, VERSIONS)
    assert text.startswith(MARK)
    newest = config.parse(text, BUNDLED, shown="newest.toml")  # which raises where a version is none of these

    assert {axis.name: list(axis.versions) for axis in newest.axes if not axis.build_settings} == VERSIONS
    assert [subject.axes for subject in newest.subjects] == [
        ("cython", "scipy", "numpy"),
        ("pybind11", "assertions", "numpy"),
        ("numpy",),
        ("scipy", "numpy"),
    ]
    assert newest.subjects[0].build_axes == ("cython", "scipy")
    assert not newest.crosses
    assert not newest.claims
    assert newest.remedies
    assert not any(remedy.build or remedy.run for remedy in newest.remedies)
    assert newest.rules == matrix.rules
