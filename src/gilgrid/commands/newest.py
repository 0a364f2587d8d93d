"""``gilgrid newest``: a ``matrix.toml`` of the newest releases and pre-releases."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import Version

from gilgrid import config, files
from gilgrid.errors import ExitCode, MistakesError, UnavailableError
from gilgrid.interpreters import Interpreters
from gilgrid.newest import MARK, matrix_of, newest

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from gilgrid.matrix import Matrix

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def command(options: argparse.Namespace) -> ExitCode:
    """Write it, and say which versions it has."""
    matrix = config.load(options.matrix)
    place = options.to or _folder(options.matrix) / "newest.toml"
    if place.exists() and not place.read_text(encoding="utf-8", errors="replace").startswith(MARK):
        raise MistakesError([f"{place}: gilgrid newest has not made it; name another file with --to"])
    if place.absolute().parent != matrix.project.absolute():
        sentence = f"--to {place}: paths in {options.matrix} start from its folder, so write it there"
        raise MistakesError([sentence])
    python = _python(matrix)
    packages = [axis.name for axis in matrix.axes if not axis.build_settings]
    known = {canonicalize_name(name) for name in packages}
    packages += [name for name in options.packages if canonicalize_name(name) not in known]
    found = {}
    for package in packages:
        if not _NAME.fullmatch(package):
            raise MistakesError([f"--with {package}: this is not the name of a package"])
        try:
            found[package] = newest(package, python)
        except UnavailableError as error:
            raise MistakesError([f"{package}: there is no wheel for Python {python}: {error}"]) from None
    files.write_atomically(place, matrix_of(matrix, found))
    config.load(place)
    told = ", ".join(f"{package} {' and '.join(versions)}" for package, versions in found.items())
    is_ahead = any(Version(version).is_prerelease for versions in found.values() for version in versions)
    print(f"{place}: {told}{'' if is_ahead else '; no pre-release is newer than its release'}")  # noqa: T201
    return ExitCode.AS_EXPECTED


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _python(matrix: Matrix) -> str:
    """The newest Python of the matrix; where it has none, the first that its cells would take."""
    if matrix.pythons:
        return max(matrix.pythons, key=Version)
    return next(iter(Interpreters(files.cache_folder()).local()), ".".join(map(str, sys.version_info[:2])))
