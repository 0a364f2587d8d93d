"""Checked values out of TOML tables: each mistake is noted with its table and key, and reading goes on."""

from __future__ import annotations

import difflib
import math
import re
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeVar

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from gilgrid import durations

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

T = TypeVar("T")


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
        key = key if key.isprintable() else repr(key)
        self._mistakes.append(f"{' '.join(filter(None, [self.name, key]))}: {sentence}")

    @property
    def mistakes_so_far(self) -> int:
        """How many mistakes the whole file has so far: none added since means that what was read is sound."""
        return len(self._mistakes)

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
        if self.name.startswith("[["):
            name = f"{self.name} {key}"
        else:
            name = f"[{self.name.strip('[]')}.{key}]" if self.name else f"[{key}]"
        before = len(self._mistakes)
        content: Mapping[str, Any] = self.take(key, mapping, {}, required=required)
        # One mistake, one sentence: all that a missing table should have had is missing with it.
        return Table(content, name, self._mistakes if len(self._mistakes) == before else [])

    def tables(self, key: str, *, least: int = 0) -> list[Table]:
        """An array of tables below this one."""
        hint = f"write each as [[{key}]], with two brackets"

        def in_two_brackets(value: Any) -> tuple[Mapping[str, Any], ...]:
            if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
                raise ValueError(f"there may be several: {hint}")
            if len(value) < least:
                raise ValueError(f"at least one is needed: {hint}")
            return tuple(value)

        none: tuple[Mapping[str, Any], ...] = ()
        if least and key not in self._left:
            self.mistake(key, f"at least one is needed: {hint}")
        entries = self.take(key, in_two_brackets, none)
        return [Table(entry, f"[[{key}]] {n}", self._mistakes) for n, entry in enumerate(entries, 1)]

    def one_or_several(self, key: str) -> list[Table]:
        """A table, or an array of tables, below this one: one at least."""
        if isinstance(self._left.get(key), list):
            return self.tables(key, least=1)
        return [self.table(key, required=True)]

    def rest(self) -> Iterator[str]:
        """The keys that nobody took, each to be taken by the caller."""
        yield from list(self._left)

    def close(self, known: Collection[str]) -> None:
        """Name every key that is left, with the known one that it resembles."""
        for key in self._left:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(sorted(known))}"
            self.mistake(key, f"unknown key; {hint}")


def text(value: Any) -> str:
    """A text that is not empty and that can be given to a process."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r} should be a text in quotes")
    if "\0" in value:
        raise ValueError(f"{value!r} has a NUL in it, which no command can be given")
    return value


def name(value: Any) -> str:
    """A name that can also be a file's."""
    # The name of a probe is also the name of its record's file.
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
        raise ValueError(f"{value!r} should be a name of letters, digits, '-', '_' and '.'")
    return value


def count(value: Any) -> int:
    """A whole number of 1 or more."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{value!r} should be a whole number of 1 or more")
    return value


def positive(value: Any) -> float:
    """A number over 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"{value!r} should be a number over 0")
    return float(value)


def number(value: Any) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} should be a number")
    return float(value)


def seconds(value: Any) -> float:
    """A time with its unit, in seconds."""
    return durations.seconds(value)


def version(value: Any) -> str:
    """A version, in its normal form."""
    try:
        return str(Version(text(value)))
    except InvalidVersion:
        raise ValueError(f"'{value}' is not a version; write one as '1.10.1'") from None


def python(value: Any) -> str:
    """A Python without its patch level."""
    if not isinstance(value, str) or not re.fullmatch(r"3\.(0|[1-9]\d*)", value):
        raise ValueError(f"{value!r} should be a Python without its patch level, as '3.11'")
    return value


def is_version(value: str) -> bool:
    """Whether that is one version, as ``1.10.1`` is."""
    try:
        Version(value)
    except InvalidVersion:
        return False
    return True


def specifier(value: Any) -> SpecifierSet:
    """A version specifier."""
    try:
        return SpecifierSet(text(value))
    except InvalidSpecifier:
        example = f"=={value}" if is_version(value) else ">=3.0,<3.2"
        raise ValueError(f"'{value}' is not a version specifier; write one as '{example}'") from None


def requirement(value: Any) -> str:
    """A requirement, with or without a specifier."""
    try:
        return str(Requirement(text(value)))
    except InvalidRequirement:
        raise ValueError(f"'{value}' is not a requirement; write one as 'ninja>=1.10'") from None


def axis(value: Any) -> str:
    """The name of a package (PEP 508), in its normal form."""
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", value):
        raise ValueError("an axis is named for a package: letters, digits, '-', '_' and '.'")
    if (name := str(canonicalize_name(value))) == "run":
        raise ValueError("'run' cannot name an axis: cells use it for the version at run time")
    return name


def pattern(value: Any) -> str:
    """A pattern of files below a folder."""
    try:
        next(Path("/dev/null").glob(text(value)), None)  # pathlib says on use only what it does not take
    except (ValueError, NotImplementedError, IndexError):
        value = ".."
    if ".." in PurePath(value).parts:
        raise ValueError("each should be a pattern of files in site-packages, as 'scipy/linalg/*.pxd'")
    return str(value)


def mapping(value: Any) -> Mapping[str, Any]:
    """A table."""
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} should be a table")  # noqa: TRY004 - one kind of mistake, one exception
    return value


def texts(value: Any) -> Mapping[str, str]:
    """A table of texts."""
    return {key: _of_key(key, text, item) for key, item in mapping(value).items()}


def variables(value: Any) -> Mapping[str, str]:
    """A table of environment variables, of which each may be empty."""
    for key in mapping(value):
        if not re.fullmatch(r"[^=\0]+", key):
            raise ValueError(f"{key!r} cannot name an environment variable")
    return {key: item if item == "" else _of_key(key, text, item) for key, item in mapping(value).items()}


def one_or_several(check: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    """A value that passes a check, or a list of such."""
    several = list_of(check, least=1)
    return lambda value: several(value) if isinstance(value, list) else (check(value),)


def list_of(
    check: Callable[[Any], T], *, least: int = 0, distinct: bool = True
) -> Callable[[Any], tuple[T, ...]]:
    """A list whose items pass a check, none of them twice unless they need not be distinct."""

    def checked(value: Any) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise ValueError(f"{value!r} should be a list in brackets")  # noqa: TRY004 - as in mapping
        if len(value) < least:
            raise ValueError("the list is empty")
        items = tuple(check(item) for item in value)
        twice = [item for n, item in enumerate(items) if item in items[:n]]
        if distinct and twice and isinstance(twice[0], str):
            raise ValueError(f"'{twice[0]}' stands there twice")
        return items

    return checked


def distinct(versions: tuple[str, ...]) -> tuple[str, ...]:
    """Versions of which no two are the same, however they are written: 1.10 is 1.10.0."""
    seen: dict[Version, str] = {}
    for text in versions:
        if (first := seen.setdefault(Version(text), text)) != text:
            raise ValueError(f"'{first}' and '{text}' are the same version")
    return versions


def one_of(words: Iterable[Any]) -> Callable[[Any], Any]:
    """One of these words, as the member of the enum that it is."""
    known = tuple(words)

    def checked(value: Any) -> Any:
        for word in known:
            if value == word:
                return word
        raise ValueError(f"{value!r} is none of {', '.join(map(str, known))}")

    return checked


def known(kind: str, names: Collection[str]) -> Callable[[Any], str]:
    """One of these names; a mistake is answered with the one that it resembles."""

    def checked(value: Any) -> str:
        # Where there are no names at all, that is the mistake, and it has its sentence.
        if isinstance(value, str) and (value in names or not names):
            return value
        near = difflib.get_close_matches(str(value), names, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(names)}"
        raise ValueError(f"there is no {kind} {value!r}; {hint}")

    return checked


def some_of(kind: str, names: Sequence[str], *, least: int = 0) -> Callable[[Any], tuple[str, ...]]:
    """A list of some of these names, in their order."""
    listed = list_of(known(kind, names), least=least)

    def checked(value: Any) -> tuple[str, ...]:
        found = listed(value)
        if found and not names:
            raise ValueError(f"there is no {kind} that could be named here")
        return tuple(name for name in names if name in found)

    return checked


def _of_key(key: str, check: Callable[[Any], T], value: Any) -> T:
    try:
        return check(value)
    except ValueError as error:
        raise ValueError(f"of '{key}', {error}") from None
