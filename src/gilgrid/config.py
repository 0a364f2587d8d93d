"""``matrix.toml`` -> ``Matrix``: every mistake is named with file, table and key, all at once."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, TypeVar

from packaging.specifiers import SpecifierSet

from gilgrid import config_claims, config_subjects, expectations, plan, read
from gilgrid.errors import MistakesError
from gilgrid.evidence import Cause
from gilgrid.matrix import Axis, Cross, Matrix, Remedy, Rule, Specifiers, Subject
from gilgrid.model import Probe, Stage, Verdict
from gilgrid.read import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

T = TypeVar("T")

_PLACEHOLDERS = ("threads", "project")
_MEASURABLE = [v.value for v in Verdict if v is not Verdict.ERROR]


def load(path: Path) -> Matrix:
    """Read and check a ``matrix.toml``. Raises ``MistakesError`` with one sentence for each mistake."""
    if path.is_dir():
        path /= "matrix.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise MistakesError(
            [f"{path}: {error.strerror}; say where the file is with --matrix FILE, or write one"],
        ) from None
    except UnicodeDecodeError as error:
        raise MistakesError([f"{path}: not UTF-8 at byte {error.start}"]) from None
    return parse(text, path.resolve(), shown=str(path))


def parse(text: str, path: Path, *, shown: str) -> Matrix:
    """Check the text of the file at ``path``, named ``shown`` in every sentence."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is no TOMLDecodeError
        raise MistakesError([f"{shown}: not TOML: {error}"]) from None
    mistakes: list[str] = []
    matrix = _matrix(Table(document, "", mistakes), path)
    if matrix.axes:
        mistakes += plan.mistakes(matrix) + expectations.mistakes(matrix)
    if not mistakes:  # as a rule that cannot be read may be the one
        mistakes += expectations.untried(matrix)
    if mistakes:
        raise MistakesError([f"{shown}: {mistake}" for mistake in mistakes])
    return matrix


def _matrix(root: Table, path: Path) -> Matrix:
    subject_tables = root.one_or_several("subject")
    axes_table = root.table("axes", required=True)
    pythons: tuple[str, ...] = ()
    axes: list[Axis] = []
    for name in axes_table.rest():
        table = axes_table.table(name)
        if name == "python":
            pythons = table.take("versions", read.list_of(read.python, least=1), (), required=True)
            table.close(["versions"])
        else:
            axes.append(config_subjects.axis(table, name))
            if axes[-1].name in {axis.name for axis in axes[:-1]}:
                table.mistake("", f"'{axes[-1].name}' is already an axis; case, '-', '_' and '.' are all one")
    if not axes:
        axes_table.mistake("", "at least one axis is needed, as in [axes.cython] versions = ['3.0.12']")
    subjects = config_subjects.subjects(subject_tables, axes, path.parent)
    are_axes_sound = not root.mistakes_so_far
    names = tuple(axis.name for axis in axes)
    selectable = (*names, "python")
    probes: list[Probe] = []
    only: dict[str, Specifiers] = {}
    for table in root.tables("probe", least=1):
        before = root.mistakes_so_far
        probe, limits = _probe(table, subjects, selectable, path.parent)
        if probe.name and probe.name in {known.name for known in probes}:
            table.mistake("name", f"'{probe.name}' is already the name of another probe")
        probes.append(probe)
        if root.mistakes_so_far == before:
            only[probe.name] = limits
    at_run = [axis.name for axis in axes if Stage.RUN in axis.stages]
    crosses = _sound(root.tables("cross"), lambda table: _cross(table, at_run, selectable))
    written = list(probes)
    remedies = _remedies(root, axes, probes)
    claims = _sound(root.tables("claim"), lambda table: config_claims.claim(table, axes, written, remedies))
    named = [probe.name for probe in probes if probe.name]
    rules = _sound(root.tables("expect"), lambda table: _rule(table, named, at_run, selectable))
    root.close(["subject", "axes", "probe", "cross", "expect", "remedy", "claim"])
    return Matrix(
        path=path,
        subjects=subjects,
        # Without axes nothing is judged that the tables only say together.
        axes=tuple(axes) if are_axes_sound else (),
        pythons=pythons,
        probes=tuple(probes),
        crosses=crosses,
        rules=rules,
        only={name: limits for name, limits in only.items() if limits},
        remedies=tuple(remedy for remedy in remedies.values() if remedy),
        claims=claims,
    )


def _remedies(root: Table, axes: list[Axis], probes: list[Probe]) -> dict[str, Remedy | None]:
    """The remedies by name, None where one is no good; what they make of the probes is added to these."""
    written = list(probes)
    remedies: dict[str, Remedy | None] = {}
    for table in root.tables("remedy"):
        before = root.mistakes_so_far
        remedy, changed = config_claims.remedy(table, axes, written)
        if remedy.name in remedies:
            table.mistake("name", f"'{remedy.name}' is already the name of another remedy")
        if remedy.name:
            remedies[remedy.name] = remedy if root.mistakes_so_far == before else None
        probes += [probe for probe in changed if probe not in probes]
    return remedies


def _sound(tables: list[Table], entry: Callable[[Table], T]) -> tuple[T, ...]:
    """The entries that could be read without a mistake: what they say together with others is judged too."""
    found = []
    for table in tables:
        before = table.mistakes_so_far
        one = entry(table)
        if table.mistakes_so_far == before:
            found.append(one)
    return tuple(found)


def _probe(
    table: Table, subjects: tuple[Subject, ...], selectable: tuple[str, ...], project: Path
) -> tuple[Probe, Specifiers]:
    def file(value: Any) -> str:
        if not (project / read.text(value)).exists():
            raise ValueError(f"there is no '{value}' beside this file")
        return str(value)

    name = table.take("name", read.name, "", required=True)
    if name:
        table.name = f"{table.name} ('{name}')"
    names = [subject.name for subject in subjects if subject.name]
    own = table.take(
        "subject", read.known("subject", names), names[0] if names else "", required=len(names) > 1
    )
    axes = next((subject.axes for subject in subjects if subject.name == own), ())
    probe = Probe(
        name=name,
        # A command may well say something twice: --size 16 --batch 16.
        command=table.take(
            "command", read.list_of(_argument, least=1, distinct=False), ("true",), required=True
        ),
        axes=table.take("axes", read.some_of("axis", axes, least=bool(axes)), axes),
        subject=own,
        threads=table.take("threads", read.count, 1),
        deadline_s=table.take("deadline", read.seconds, 20.0),
        repeats=table.take("repeats", read.count, 1),
        env=table.take("env", read.variables, {}),
        files=table.take("files", read.list_of(file), ()),
    )
    limits = _specifiers(table.table("only"), selectable)
    table.close(
        ["name", "command", "subject", "axes", "threads", "deadline", "repeats", "env", "files", "only"]
    )
    return probe, limits


def _argument(value: Any) -> str:
    argument = read.text(value)
    # ${NAME} is a shell's, and {"key": 1} some JSON: neither is meant for gilgrid.
    for name in re.findall(r"(?<!\$)\{([A-Za-z_]+)\}", argument):
        if name not in _PLACEHOLDERS:
            known = " and ".join(f"{{{placeholder}}}" for placeholder in _PLACEHOLDERS)
            raise ValueError(f"nothing is filled in for '{{{name}}}'; known here: {known}")
    return argument


def _cross(table: Table, at_run: list[str], selectable: tuple[str, ...]) -> Cross:
    build = _specifiers(table.table("build", required=True), selectable)
    versions = table.table("run", required=True)
    run = {name: versions.take(name, read.version, "0") for name in at_run if name in set(versions.rest())}
    if not run and not list(versions.rest()):
        versions.mistake("", f"name an axis that is there at run time: {', '.join(at_run)}")
    versions.close(at_run)
    table.close(["build", "run"])
    return Cross(where=table.name, build=build, run=run)


def _rule(table: Table, probes: list[str], at_run: list[str], selectable: tuple[str, ...]) -> Rule:
    rule = Rule(
        where=table.name,
        probes=table.take("probe", read.one_or_several(read.known("probe", probes)), (), required=True),
        verdict=Verdict(table.take("verdict", read.one_of(_MEASURABLE), "ok", required=True)),
        cause=table.take("cause", read.one_of(Cause), None),
        because=table.take("because", read.text, "", required=True),
        run=_specifiers(table.table("run"), at_run),
        build=_specifiers(table, selectable, ["probe", "verdict", "cause", "because", "run"]),
    )
    of_cause = Verdict.TIMEOUT if rule.cause is Cause.SPINNING else Verdict.DEADLOCK
    if rule.cause and rule.verdict not in {of_cause, Verdict.FLAKY}:
        table.mistake("cause", f"'{rule.cause}' is of a {of_cause}, not of '{rule.verdict}'")
    return rule


def _specifiers(table: Table, axes: Collection[str], known: Collection[str] = ()) -> Specifiers:
    found = {
        axis: table.take(axis, read.specifier, SpecifierSet()) for axis in axes if axis in set(table.rest())
    }
    table.close([*axes, *known])
    return found
