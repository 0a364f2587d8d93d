"""What lies in a folder of packages, whether it is all there, and what it lacks.

A cache is cleared by hand, and by tools that go by age: what lacks a part would look like a cell that fails.
"""

from __future__ import annotations

from importlib.metadata import distributions
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from pathlib import Path

    from gilgrid.environments import Environment


def installed(site: Path) -> dict[str, str]:
    """Version by distribution."""
    return {
        str(canonicalize_name(distribution.name)): distribution.version
        for distribution in distributions(path=[str(site)])
    }


def recorded(site: Path) -> dict[str, str]:
    """Version by distribution with a list of its files, as each has; a look that costs next to nothing."""
    # https://packaging.python.org/en/latest/specifications/recording-installed-packages/
    folders = (record.parent.name.removesuffix(".dist-info") for record in site.glob("*.dist-info/RECORD"))
    parts = (folder.partition("-") for folder in folders)
    return {str(canonicalize_name(name)): version for name, _, version in parts}


def is_whole(site: Path) -> bool:
    """Whether there is a distribution, and every file of each."""
    lists = [distribution.files for distribution in distributions(path=[str(site)])]
    return bool(lists) and all(files and all((site / file).exists() for file in files) for files in lists)


def unmet(requires: tuple[str, ...], environment: Environment) -> list[str]:
    """The requirements of a wheel that an environment does not meet."""
    missing = []
    for line in requires:
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        version = environment.versions.get(str(canonicalize_name(requirement.name)))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            missing.append(line)
    return missing
