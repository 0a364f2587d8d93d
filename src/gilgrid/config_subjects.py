"""``[subject]`` and ``[axes]`` of ``matrix.toml`` -> data, every mistake named with its table and key."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement

from gilgrid import read
from gilgrid.errors import MistakesError
from gilgrid.matrix import Axis, Settings, Subject
from gilgrid.model import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gilgrid.read import Table


def subjects(tables: Sequence[Table], axes: Sequence[Axis], project: Path) -> tuple[Subject, ...]:
    """The subjects, each with its own of these axes; paths in them start from the project's folder."""
    found: list[Subject] = []
    for table in tables:
        one = _subject(table, axes, project)
        if one.name and one.name in {known.name for known in found}:
            table.mistake("name", f"'{one.name}' is already the name of another subject")
        found.append(one)
    unused = [axis.name for axis in axes if not any(axis.name in one.axes for one in found)]
    if unused and tables and not tables[0].mistakes_so_far:
        tables[0].mistake("axes", f"no subject has the axis '{unused[0]}'; name it here, or remove it")
    return tuple(found)


def moved(subject: Subject, folder: Path) -> Subject:
    """The same subject from another folder, say of another commit, with what that says of its needs.

    Raises ``MistakesError`` where that is no project.
    """
    try:
        return replace(subject, source=folder, **_declared(folder))
    except ValueError as error:
        raise MistakesError([str(error)]) from None


def _subject(table: Table, axes: Sequence[Axis], project: Path) -> Subject:
    def source(value: Any) -> Path | str:
        text = read.text(value)
        if _is_folder(project / text):
            if not (project / text / "pyproject.toml").is_file():
                raise ValueError(f"the folder '{text}' has no pyproject.toml")
            return (project / text).resolve()
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            raise ValueError(f"'{text}' is neither a folder beside this file nor a requirement") from None
        pins = [one for one in requirement.specifier if one.operator == "==" and "*" not in one.version]
        if not pins:
            raise ValueError(
                f"there is no folder '{text}'; a requirement needs its version, as {requirement.name}==1.0"
            )
        return text

    nowhere: Path | str = ""
    name = table.take("name", read.text, "", required=True)
    if name and table.name.startswith("[["):
        table.name = f"{table.name} ('{name}')"
    where = table.take("source", source, nowhere, required=True)
    every = tuple(axis.name for axis in axes)
    own = table.take("axes", read.some_of("axis", every), every)
    built = tuple(axis.name for axis in axes if axis.name in own and Stage.BUILD in axis.stages)
    found = Subject(
        name=name,
        source=where,
        axes=own,
        build_axes=table.take("build-axes", read.some_of("axis", built), built),
        **_needs(where, table),
        build_requires=table.take("build-requires", read.list_of(read.requirement), ()),
        run_requires=table.take("run-requires", read.list_of(read.requirement), ()),
        build_settings=_settings(table),
        price=table.take("price", read.text, ""),
    )
    table.close(
        ["name", "source", "axes", "build-axes", "build-requires", "run-requires", "build-settings", "price"]
    )
    if any("{version}" in value for _, value in found.build_settings):
        table.mistake(
            "build-settings", "{version} is that of an axis, and filled in only in its build-settings"
        )
    for one in axes:
        if one.name in own and one.name not in found.build_axes and not one.is_installed(Stage.RUN):
            table.mistake(
                "axes", f"nothing differs along '{one.name}': it is neither built with nor installed"
            )
    return found


def _settings(table: Table) -> Settings:
    nothing: Mapping[str, str] = {}
    return tuple(table.take("build-settings", read.texts, nothing).items())


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that no folder can have, as it is too long
        return False


def _needs(where: Path | str, table: Table) -> dict[str, Any]:
    try:
        return _declared(where) if isinstance(where, Path) else {}
    except ValueError as error:
        table.mistake("source", str(error))
        return {}


def _declared(folder: Path) -> dict[str, Any]:
    """What a subject's own ``pyproject.toml`` says of its needs at run time. Raises ``ValueError``."""
    try:
        declared = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        project = read.mapping(declared.get("project", {}))
        return {
            "dependencies": read.list_of(read.requirement)(project.get("dependencies", [])),
            "requires_python": read.specifier(project.get("requires-python", ">=3.8")),
        }
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder.name}/pyproject.toml cannot be used: {error}") from None


def axis(table: Table, written: str) -> Axis:
    """An axis; ``written`` is its name as it stands in the file."""

    def versions(value: Any) -> tuple[str, ...]:
        return read.distinct(read.list_of(read.version, least=1)(value))

    name = written
    try:
        name = read.axis(written)
    except ValueError as error:
        table.mistake("", str(error))
    has_settings = "build-settings" in set(table.rest())
    found = Axis(
        name=name,
        versions=table.take("versions", versions, (), required=True),
        stages=frozenset(table.take("stages", read.list_of(read.one_of(Stage), least=1), tuple(Stage))),
        build_inputs=table.take("build-inputs", read.list_of(read.pattern), ()),
        build_settings=_settings(table),
    )
    if has_settings and not found.build_settings:
        table.mistake("build-settings", "is empty; write one as { setup-args = '-Doption={version}' }")
    if found.build_inputs and Stage.BUILD not in found.stages:
        table.mistake("build-inputs", "this axis is not there at build time; see its stages")
    if found.build_settings:
        if found.stages != {Stage.BUILD}:
            table.mistake(
                "build-settings", "what a build is told is there at build time alone: stages = ['build']"
            )
        if found.build_inputs:
            table.mistake("build-inputs", "an axis with build-settings is no package, and has no files")
        if not any("{version}" in value for _, value in found.build_settings):
            table.mistake(
                "build-settings", "no value has {version} in it, so all versions are the same build"
            )
    table.close(["versions", "stages", "build-inputs", "build-settings"])
    return found
