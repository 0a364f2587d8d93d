"""``[[remedy]]`` and ``[[claim]]`` of ``matrix.toml`` -> data, every mistake named with its table and key."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from packaging.specifiers import SpecifierSet

from gilgrid import read
from gilgrid.matrix import TRIED, Claim, Remedy
from gilgrid.model import Stage, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from gilgrid.matrix import Axis
    from gilgrid.model import Probe
    from gilgrid.read import Table

_OF_HANGS = ("within", "but-not", "cpus-below", "cured-by")
_OF_PROBES = ("ends", "metric")
_BOUNDS = ("at-least", "at-most")


def remedy(table: Table, axes: Sequence[Axis], probes: Sequence[Probe]) -> tuple[Remedy, tuple[Probe, ...]]:
    """A remedy, and the probes that it makes of others by settings of the environment."""
    before = table.mistakes_so_far
    named = {probe.name: probe for probe in probes if probe.name}
    of_probe = read.known("probe", named)

    def by_probe(value: Any) -> Mapping[str, str]:
        if isinstance(value, dict) and value:
            return {of_probe(hangs): of_probe(instead) for hangs, instead in value.items()}
        return {hangs: hangs for hangs in read.list_of(of_probe, least=1)(value)}

    nothing: Mapping[str, str] = {}
    name = table.take("name", read.name, "", required=True)
    if name:
        table.name = f"{table.name} ('{name}')"
    instead = table.take("probes", by_probe, nothing, required=True)
    found = Remedy(
        name=name,
        text=table.take("text", read.text, "", required=True),
        probes=instead,
        build=_versions(table.table("build"), axes, Stage.BUILD),
        run=_versions(table.table("run"), axes, Stage.RUN),
    )
    env = table.take("env", read.variables, nothing)
    table.close(["name", "text", "probes", "env", "build", "run"])
    if table.mistakes_so_far > before or not named:
        # What else is said of it is not the mistake: a rule may speak of what it would have made.
        return found, tuple(_changed(named, name, instead, {}))
    for hangs, other in instead.items():
        _check(table, found, named[hangs], named[other], env)
    if not env:
        return found, ()
    return (
        replace(found, probes={hangs: f"{hangs}{TRIED}{name}" for hangs in instead}),
        tuple(_changed(named, name, instead, env)),
    )


def _changed(
    named: Mapping[str, Probe], name: str, instead: Mapping[str, str], env: Mapping[str, str]
) -> Iterable[Probe]:
    for hangs, other in instead.items():
        if other in named:
            yield replace(named[other], name=f"{hangs}{TRIED}{name}", env={**named[other].env, **env})


def _check(table: Table, found: Remedy, hangs: Probe, other: Probe, env: Mapping[str, str]) -> None:
    """That the remedy changes something, and only what both probes depend on."""
    for key, versions in (("build", found.build), ("run", found.run)):
        for axis in versions:
            for probe in dict.fromkeys([hangs.name, other.name]):
                if axis not in (hangs if probe == hangs.name else other).axes:
                    table.mistake(f"{key} {axis}", f"the probe '{probe}' does not depend on it")
    further = [axis for axis in other.axes if axis not in hangs.axes]
    if further:
        table.mistake(
            "probes",
            f"'{other.name}' depends on {further[0]}, of which the cells of '{hangs.name}' have no version",
        )
    if hangs == other and not (found.build or found.run) and {**hangs.env, **env} == hangs.env:
        table.mistake(
            "",
            f"nothing is changed for '{hangs.name}': give env, build or run, "
            f"or another probe, as in probes = {{ {hangs.name} = '...' }}",
        )


def claim(
    table: Table, axes: Sequence[Axis], probes: Sequence[Probe], remedies: Mapping[str, Remedy | None]
) -> Claim:
    """A claim; how it is tested may be left open, and then it is not. A remedy that is no good is None."""
    before = table.mistakes_so_far
    named = {probe.name: probe for probe in probes if probe.name}
    known = read.known("probe", named)
    several = read.one_or_several(known)

    keys = set(table.rest())
    tests = [key for key in (*_OF_HANGS, *_OF_PROBES) if key in keys]
    is_of_hangs = bool(tests) and tests[0] in _OF_HANGS
    found = Claim(
        text=table.take("text", read.text, "", required=True),
        source=table.take("source", read.text, "", required=True),
        hangs=table.take("hangs", several, (), required=is_of_hangs),
        probes=table.take("probe", several, (), required=bool(tests) and not is_of_hangs),
        but_not=table.take("but-not", known, ""),
        cpus_below=table.take("cpus-below", read.positive, None),
        cured_by=table.take("cured-by", read.known("remedy", remedies), ""),
        within=_specifiers(table.table("within"), [axis.name for axis in axes]),
        only=_specifiers(table.table("only"), [axis.name for axis in axes]),
        ends=table.take("ends", read.one_of(v for v in Verdict if v is not Verdict.ERROR), None),
        metric=table.take("metric", read.text, ""),
        at_least=table.take("at-least", read.number, None),
        at_most=table.take("at-most", read.number, None),
    )
    table.close(["text", "source", "hangs", "probe", "only", *_OF_HANGS, *_OF_PROBES, *_BOUNDS])
    _check_words(table, keys, tests)
    if "within" in tests and not found.within and table.mistakes_so_far == before:
        table.mistake("within", "name an axis, as in within = { cython = '>=3.0' }")
    if found.at_least is not None and found.at_most is not None and found.at_least > found.at_most:
        table.mistake("at-most", f"nothing is {found.at_least:g} at least and {found.at_most:g} at most")
    if table.mistakes_so_far == before and named:
        _check_claim(table, found, named, remedies)
    return found


def _check_words(table: Table, keys: Collection[str], tests: Sequence[str]) -> None:
    """That what it says makes one test, or none."""
    if len(tests) > 1:
        table.mistake(tests[1], f"a claim is tested in one way, and it has {tests[0]} already")
    has_bound = any(bound in keys for bound in _BOUNDS)
    if "metric" in tests and not has_bound:
        table.mistake("metric", "give at-least, at-most, or both")
    if "metric" not in tests and has_bound:
        table.mistake(
            "at-least" if "at-least" in keys else "at-most", "of which metric? name it: metric = '...'"
        )
    if tests and tests[0] in _OF_HANGS:
        astray, instead = [key for key in ("probe", "only") if key in keys], "hangs"
    else:
        astray, instead = [key for key in ("hangs",) if key in keys and tests], "probe"
    if astray:
        table.mistake(astray[0], f"does not go with {tests[0]}, which has {instead}")


def _check_claim(
    table: Table, found: Claim, named: Mapping[str, Probe], remedies: Mapping[str, Remedy | None]
) -> None:
    for probe in (named[name] for name in found.probes):
        for axis in found.only:
            if axis not in (*probe.axes, "python"):
                table.mistake(f"only {axis}", f"the probe '{probe.name}' does not depend on it")
    for probe in (named[name] for name in found.hangs):
        for axis in found.within:
            if axis not in (*probe.axes, "python"):
                table.mistake(f"within {axis}", f"the probe '{probe.name}' does not depend on it")
        if found.but_not:
            _check_other(table, probe, named[found.but_not])
        tried = remedies.get(found.cured_by)
        if tried and probe.name not in tried.probes:
            table.mistake("hangs", f"the remedy '{tried.name}' is not tried on '{probe.name}'")


def _check_other(table: Table, probe: Probe, other: Probe) -> None:
    further = [axis for axis in other.axes if axis not in probe.axes]
    if other == probe:
        table.mistake("but-not", f"'{probe.name}' is what hangs; name another probe")
    elif further:
        table.mistake(
            "but-not", f"'{other.name}' depends on {further[0]}, and '{probe.name}', which hangs, does not"
        )


def _specifiers(table: Table, axes: Sequence[str]) -> Mapping[str, SpecifierSet]:
    known = [*axes, "python"]
    found = {
        axis: table.take(axis, read.specifier, SpecifierSet()) for axis in known if axis in set(table.rest())
    }
    table.close(known)
    return found


def _versions(table: Table, axes: Sequence[Axis], stage: Stage) -> Mapping[str, str]:
    """Versions by axis; to build with, those that the axis lists: its other cells are measured anyway."""
    there = {axis.name: axis for axis in axes if stage in axis.stages}
    found = {}
    for name in list(table.rest()):
        if name in there:
            versions: Collection[str] = there[name].versions
            listed = stage is Stage.BUILD and versions
            found[name] = table.take(name, read.one_of(versions) if listed else read.version, "0")
    table.close(list(there))
    return found
