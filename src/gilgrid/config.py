"""``matrix.toml`` -> ``Matrix``: every mistake is named with file, table and key, all at once."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from gilgrid import expectations, plan
from gilgrid.errors import MistakesError
from gilgrid.matrix import Axis, Cross, Matrix, Rule, Specifiers, Subject
from gilgrid.model import Probe, Stage, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

T = TypeVar("T")

_UNITS_S = {"ms": 0.001, "s": 1.0, "min": 60.0}
_MEASURABLE = [v.value for v in Verdict if v is not Verdict.ERROR]


def load(path: Path) -> Matrix:
    """Read and check a ``matrix.toml``. Raises ``MistakesError`` with one sentence for each mistake."""
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
    except tomllib.TOMLDecodeError as error:
        raise MistakesError([f"{shown}: not TOML: {error}"]) from None
    mistakes: list[str] = []
    matrix = _matrix(Table(document, "", mistakes), path)
    # What the tables say together is judged only once each of them can be read.
    if not mistakes:
        mistakes += plan.mistakes(matrix) + expectations.mistakes(matrix)
    if mistakes:
        raise MistakesError([f"{shown}: {mistake}" for mistake in mistakes])
    return matrix


class Table:
    """One table of the file: hands out checked values and notes a mistake for each that is not one.

    A value that fails its check is replaced by its default, so that reading goes on to the next mistake.
    """

    def __init__(self, content: Mapping[str, Any], name: str, mistakes: list[str]) -> None:
        self._left = dict(content)
        self.name = name
        self._mistakes = mistakes

    def mistake(self, key: str, sentence: str) -> None:
        """Note what is wrong with a key of this table."""
        self._mistakes.append(" ".join(filter(None, [self.name, f"{key}: {sentence}" if key else sentence])))

    def take(self, key: str, check: Callable[[Any], T], default: T, *, required: bool = False) -> T:
        """The checked value of a key; ``check`` raises ``ValueError`` with the sentence to show."""
        if key not in self._left:
            if required:
                self.mistake(key, "is missing")
            return default
        try:
            return check(self._left.pop(key))
        except ValueError as error:
            self.mistake(key, str(error))
            return default

    def table(self, key: str, *, required: bool = False) -> Table:
        """A table below this one."""
        name = f"[{self.name.strip('[]')}.{key}]" if self.name else f"[{key}]"
        return Table(self.take(key, _mapping, {}, required=required), name, self._mistakes)

    def tables(self, key: str) -> list[Table]:
        """An array of tables below this one."""
        entries = self.take(key, _list(_mapping), ())
        return [Table(entry, f"[[{key}]] {n}", self._mistakes) for n, entry in enumerate(entries, 1)]

    def rest(self) -> Iterator[str]:
        """The keys that nobody took, each to be taken by the caller."""
        yield from list(self._left)

    def close(self, known: Collection[str]) -> None:
        """Name every key that is left, with the known one that it resembles."""
        for key in self._left:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(sorted(known))}"
            self.mistake(key, f"unknown key; {hint}")


def _matrix(root: Table, path: Path) -> Matrix:
    subject = _subject(root.table("subject", required=True), path.parent)
    axes_table = root.table("axes", required=True)
    pythons: tuple[str, ...] = ()
    axes: list[Axis] = []
    for name in axes_table.rest():
        table = axes_table.table(name)
        if name == "python":
            pythons = table.take("versions", _list(_python), (), required=True)
            table.close(["versions"])
        else:
            axes.append(_axis(table, str(canonicalize_name(name))))
    if not axes:
        axes_table.mistake("", "at least one axis is needed, as in [axes.cython] versions = ['3.0.12']")
    names = tuple(axis.name for axis in axes)
    selectable = (*names, "python")
    probes: list[Probe] = []
    only: dict[str, Specifiers] = {}
    for table in root.tables("probe"):
        probe, limits = _probe(table, names, selectable)
        if probe.name in {known.name for known in probes}:
            table.mistake("name", f"'{probe.name}' is already the name of another probe")
        probes.append(probe)
        only[probe.name] = limits
    if not probes:
        root.mistake("[[probe]]", "at least one probe is needed")
    crosses = tuple(_cross(table, axes) for table in root.tables("cross"))
    rules = tuple(
        _rule(table, [probe.name for probe in probes], names, selectable) for table in root.tables("expect")
    )
    root.close(["subject", "axes", "probe", "cross", "expect"])
    return Matrix(
        path=path,
        subject=subject,
        axes=tuple(axes),
        pythons=pythons,
        probes=tuple(probes),
        crosses=crosses,
        rules=rules,
        only={name: limits for name, limits in only.items() if limits},
    )


def _subject(table: Table, project: Path) -> Subject:
    def source(value: Any) -> Path | str:
        text = _text(value)
        if (project / text).is_dir():
            if not (project / text / "pyproject.toml").is_file():
                raise ValueError(f"the folder '{text}' has no pyproject.toml")
            return (project / text).resolve()
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            raise ValueError(f"'{text}' is neither a folder beside this file nor a requirement") from None
        if not requirement.specifier:
            raise ValueError(f"there is no folder '{text}'; a requirement needs its version, as {text}==1.0")
        return text

    where = table.take("source", source, "", required=True)
    subject = Subject(
        name=table.take("name", _text, "", required=True),
        source=where,
        **(_declared(where, table) if isinstance(where, Path) else {}),
        build_requires=table.take("build-requires", _list(_requirement), ()),
        run_requires=table.take("run-requires", _list(_requirement), ()),
        build_settings=table.take("build-settings", _text_mapping, {}),
    )
    table.close(["name", "source", "build-requires", "run-requires", "build-settings"])
    return subject


def _declared(folder: Path, table: Table) -> dict[str, Any]:
    """What the subject's own ``pyproject.toml`` says of its needs at run time."""
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
        return {
            "dependencies": _list(_requirement)(project.get("dependencies", [])),
            "requires_python": _specifier(project.get("requires-python", ">=3.8")),
        }
    except (OSError, ValueError) as error:
        table.mistake("source", f"{folder.name}/pyproject.toml cannot be used: {error}")
        return {}


def _axis(table: Table, name: str) -> Axis:
    axis = Axis(
        name=name,
        versions=table.take("versions", _list(_version, least=1), (), required=True),
        stages=frozenset(table.take("stages", _list(_one_of(Stage), least=1), tuple(Stage))),
        build_inputs=table.take("build-inputs", _list(_text), ()),
    )
    if name == "run":
        table.mistake("", "'run' cannot name an axis: cells use it for the version at run time")
    if axis.build_inputs and Stage.BUILD not in axis.stages:
        table.mistake("build-inputs", "this axis is not there at build time; see its stages")
    table.close(["versions", "stages", "build-inputs"])
    return axis


def _probe(table: Table, axes: tuple[str, ...], selectable: tuple[str, ...]) -> tuple[Probe, Specifiers]:
    name = table.take("name", _name, "", required=True)
    if name:
        table.name = f"{table.name} ('{name}')"
    probe = Probe(
        name=name,
        command=table.take("command", _list(_text, least=1), ("true",), required=True),
        axes=table.take("axes", _list(_known("axis", axes), least=1), axes),
        threads=table.take("threads", _integer, 1),
        deadline_s=table.take("deadline", _seconds, 20.0),
        repeats=table.take("repeats", _integer, 1),
        env=table.take("env", _text_mapping, {}),
        files=table.take("files", _list(_text), ()),
    )
    limits = _specifiers(table.table("only"), selectable)
    table.close(["name", "command", "axes", "threads", "deadline", "repeats", "env", "files", "only"])
    return probe, limits


def _cross(table: Table, axes: list[Axis]) -> Cross:
    build = _specifiers(table.table("build", required=True), [*(axis.name for axis in axes), "python"])
    at_run = [axis.name for axis in axes if Stage.RUN in axis.stages]
    versions = table.table("run", required=True)
    run = {name: versions.take(name, _version, "0") for name in at_run if name in set(versions.rest())}
    if not run:
        versions.mistake("", f"name an axis that is there at run time: {', '.join(at_run)}")
    versions.close(at_run)
    table.close(["build", "run"])
    return Cross(build=build, run=run)


def _rule(table: Table, probes: list[str], axes: tuple[str, ...], selectable: tuple[str, ...]) -> Rule:
    def named(value: Any) -> tuple[str, ...]:
        check = _known("probe", probes)
        return _list(check, least=1)(value) if isinstance(value, list) else (check(value),)

    where = table.name
    rule = Rule(
        where=where,
        probes=table.take("probe", named, (), required=True),
        verdict=Verdict(table.take("verdict", _one_of(_MEASURABLE), "ok", required=True)),
        because=table.take("because", _text, "", required=True),
        run=_specifiers(table.table("run"), axes),
        build=_specifiers(table, selectable, ["probe", "verdict", "because", "run"]),
    )
    return rule


def _specifiers(table: Table, axes: Collection[str], known: Collection[str] = ()) -> Specifiers:
    found = {axis: table.take(axis, _specifier, SpecifierSet()) for axis in axes if axis in set(table.rest())}
    table.close([*axes, *known])
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} should be a text in quotes")
    return value


def _name(value: Any) -> str:
    # The name of a probe is also the name of its record's file.
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
        raise ValueError(f"{value!r} should be a name of letters, digits, '-', '_' and '.'")
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{value!r} should be a whole number of 1 or more")
    return value


def _seconds(value: Any) -> float:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min)\s*", value) if isinstance(value, str) else None
    if match is None or float(match[1]) == 0:
        raise ValueError(f"{value!r} should be a time with its unit, as '20 s', '500 ms' or '2 min'")
    return float(match[1]) * _UNITS_S[match[2]]


def _version(value: Any) -> str:
    try:
        return str(Version(_text(value)))
    except InvalidVersion:
        raise ValueError(f"'{value}' is not a version; write one as '1.10.1'") from None


def _python(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"3\.\d+", value):
        raise ValueError(f"{value!r} should be a Python without its patch level, as '3.11'")
    return value


def _specifier(value: Any) -> SpecifierSet:
    try:
        return SpecifierSet(_text(value))
    except InvalidSpecifier:
        raise ValueError(f"'{value}' is not a version specifier; write one as '>=3.0,<3.2'") from None


def _requirement(value: Any) -> str:
    try:
        return str(Requirement(_text(value)))
    except InvalidRequirement:
        raise ValueError(f"'{value}' is not a requirement; write one as 'ninja>=1.10'") from None


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} should be a table")  # noqa: TRY004 - one kind of mistake, one exception
    return value


def _text_mapping(value: Any) -> Mapping[str, str]:
    return {key: _text(item) for key, item in _mapping(value).items()}


def _list(check: Callable[[Any], T], *, least: int = 0) -> Callable[[Any], tuple[T, ...]]:
    def checked(value: Any) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise ValueError(f"{value!r} should be a list in brackets")  # noqa: TRY004 - as in _mapping
        if len(value) < least:
            raise ValueError("the list is empty")
        items = tuple(check(item) for item in value)
        twice = [item for n, item in enumerate(items) if item in items[:n]]
        if twice and isinstance(twice[0], str):
            raise ValueError(f"'{twice[0]}' stands there twice")
        return items

    return checked


def _one_of(words: Collection[str]) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        for word in words:
            if value == word:
                return word
        raise ValueError(f"{value!r} is none of {', '.join(words)}")

    return checked


def _known(kind: str, names: Collection[str]) -> Callable[[Any], str]:
    def checked(value: Any) -> str:
        if value in names:
            return str(value)
        near = difflib.get_close_matches(str(value), names, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(names)}"
        raise ValueError(f"there is no {kind} {value!r}; {hint}")

    return checked
