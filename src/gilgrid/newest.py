"""The newest versions of a package that there are as wheels, and a ``matrix.toml`` that has only those."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import tomlkit
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gilgrid.environments import uv_command
from gilgrid.errors import UnavailableError
from gilgrid.model import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gilgrid.matrix import Matrix

MARK = "# Made by gilgrid newest from "
"""How a file begins that may be made anew."""


def newest(package: str, python: str) -> tuple[str, ...]:
    """Its newest release, then its newest pre-release where that is newer still.

    Raises ``UnavailableError`` where neither is there as a wheel for that Python.
    """
    latest = _latest(package, python, "allow")
    try:
        release = _latest(package, python, "disallow")
    except UnavailableError:  # it has pre-releases only
        return (latest,)
    return tuple(dict.fromkeys([release, latest]))


def _latest(package: str, python: str, pre_releases: str) -> str:
    with tempfile.TemporaryDirectory(prefix="gilgrid-") as scratch:
        wanted, locked = Path(scratch, "wanted.txt"), Path(scratch, "locked.txt")
        wanted.write_text(f"{package}\n", encoding="utf-8")
        uv_command(
            "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:",
            "--no-deps", "--prerelease", pre_releases, "--refresh-package", package,
            "--python", sys.executable, "--python-version", python, "--output-file", locked, wanted,
            log=f"finding the newest {package} for Python {python}",
        )  # fmt: skip
        (pin,) = Requirement(locked.read_text(encoding="utf-8").strip()).specifier
    return pin.version


def matrix_of(matrix: Matrix, versions: Mapping[str, Sequence[str]]) -> str:
    """The text of a ``matrix.toml`` with these versions, of axes and of packages that are none so far.

    What speaks of certain versions is not in it: crosses, claims, and remedies that change a version.
    """
    document = tomlkit.parse(matrix.path.read_text(encoding="utf-8"))
    axes = document.setdefault("axes", tomlkit.table(is_super_table=True))
    written = {canonicalize_name(name): name for name in axes}
    for name, found in versions.items():
        if (known := written.get(canonicalize_name(name))) is not None:
            axes[known]["versions"] = list(found)
        else:
            axes[name] = {"versions": list(found), "stages": [str(Stage.RUN)]}
            _add_to_subjects(document, name)
    for speaks_of_versions in ("cross", "claim"):
        document.pop(speaks_of_versions, None)
    remedies = document.get("remedy", [])
    for remedy in [one for one in remedies if "build" in one or "run" in one]:
        remedies.remove(remedy)
    return f"{MARK}{matrix.path.name}; it may be made anew.\n\n{tomlkit.dumps(document)}"


def _add_to_subjects(document: tomlkit.TOMLDocument, axis: str) -> None:
    written = document["subject"]
    for subject in [written] if isinstance(written, dict) else written:
        if "axes" in subject:  # else it has all that there are
            subject["axes"].append(axis)
