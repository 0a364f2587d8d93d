"""One key, one wheel: what the key leaves out changes nothing that the compiler sees.

Built for real, with the repository's own kernels: Cython reads one file of SciPy's, and these two releases
have the same one.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.matrix.conftest import Project

KERNELS = Path(__file__).parents[2] / "kernels"
SAME = ("1.9.3", "1.10.1")


def matrix(*scipy: str, build_inputs: str = "", place: Path | None = None) -> str:
    where = f', build-dir = "{place}"' if place else ""
    return f"""
    [subject]
    name = "lapack-kernels"
    source = "{KERNELS}"
    build-requires = ["meson-python>=0.15", "ninja"]
    build-settings = {{ setup-args = "-Dbindings=cython"{where} }}

    [axes.cython]
    versions = ["3.0.12"]
    stages = ["build"]

    [axes.scipy]
    versions = {json.dumps(scipy)}
    {build_inputs}

    [[probe]]
    name = "imports"
    command = ["python", "-c", "import lapack_kernels._native"]
    """


def generated(project: Project, scipy: str) -> dict[str, str]:
    """Build with one SciPy, nothing shared, and return the C++ that Cython made."""
    place = project.folder / f"built-{scipy}"
    project.write(matrix(scipy, place=place), head="")
    done = project.run()
    record = project.records[f"cython3.0.12-scipy{scipy} imports"]
    if record["verdict"] == "unavailable":
        pytest.skip(record["reason"])
    assert done.code == 0, done.out + done.err
    assert record["build_versions"]["scipy"] == scipy
    return {
        str(file.relative_to(place)): without_paths(file.read_text(encoding="utf-8"))
        for pattern in ("*.cpp", "*.h")
        for file in place.rglob(pattern)
    }


def without_paths(text: str) -> str:
    """Generated C++ without Cython's metadata, a comment on top, and without the folder it was built in."""
    begin, _, rest = text.partition("BEGIN: Cython Metadata")
    return re.sub(
        r'[^"\s]*/builds/\.[^/]+/source', "SOURCE", begin + rest.partition("END: Cython Metadata")[2]
    )


@pytest.mark.usefixtures("cplusplus")
def test_two_scipys_of_one_key_make_the_same_cplusplus(project: Project) -> None:
    (one, other) = (generated(project, scipy) for scipy in SAME)
    assert sum(len(text) for text in one.values()) > 100_000
    assert list(one) == list(other)
    for name, text in one.items():
        assert text == other[name], f"{name} differs between SciPy {SAME}"
    inputs = 'build-inputs = ["scipy/linalg/cython_lapack.pxd"]'
    project.write(matrix(*SAME, build_inputs=inputs), head="")
    builds = json.loads(project.run("plan", "--json").out)["builds"]
    assert [len(build["cells"]) for build in builds] == [2]
    assert builds[0]["key"]


def test_a_subject_may_be_a_requirement_whose_sdist_is_built(project: Project) -> None:
    project.write(
        """
        [axes.setuptools]
        versions = ["80.9.0"]
        stages = ["build"]

        [[probe]]
        name = "speedups"
        command = ["python", "-c", "from markupsafe._speedups import __file__; print(__file__)"]
        """,
        head='[subject]\nname = "markupsafe"\nsource = "markupsafe==3.0.2"\n',
    )
    done = project.run()
    assert done.code == 0, done.out + done.err
    record = project.records["setuptools80.9.0 speedups"]
    assert str(project.cache / "builds" / record["build_key"]) in record["attempts"][0]["output"]
    assert record["versions"]["markupsafe"] == "3.0.2"
