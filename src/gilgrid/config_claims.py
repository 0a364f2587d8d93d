"""``[[remedy]]`` and ``[[claim]]`` of ``matrix.toml`` -> data, every mistake named with its table and key."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from packaging.specifiers import SpecifierSet

from gilgrid import read
from gilgrid.matrix import TRIED, Claim, Remedy
from gilgrid.model import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gilgrid.matrix import Axis
    from gilgrid.model import Probe
    from gilgrid.read import Table

_TESTS = ("within", "but-not", "cpus-below", "cured-by")


def remedy(table: Table, axes: Sequence[Axis], probes: Sequence[Probe]) -> tuple[Remedy, tuple[Probe, ...]]:
    """A remedy, and the probes that it makes of others by settings of the environment."""
    named = {probe.name: probe for probe in probes}
    name = table.take("name", read.name, "", required=True)
    if name:
        table.name = f"{table.name} ('{name}')"
    of_probe = read.known("probe", named)

    def cures(value: Any) -> Mapping[str, str]:
        if isinstance(value, dict):
            return {of_probe(hangs): of_probe(instead) for hangs, instead in value.items()}
        return {hangs: hangs for hangs in read.list_of(of_probe, least=1)(value)}

    nothing: Mapping[str, str] = {}
    instead = table.take("probes", cures, nothing, required=True)
    env = table.take("env", read.variables, nothing)
    build = _versions(table.table("build"), axes, Stage.BUILD)
    run = _versions(table.table("run"), axes, Stage.RUN)
    text = table.take("text", read.text, "", required=True)
    table.close(["name", "text", "probes", "env", "build", "run"])
    changed: tuple[Probe, ...] = ()
    if env:
        changed = tuple(
            replace(named[old], name=f"{hangs}{TRIED}{name}", env={**named[old].env, **env})
            for hangs, old in instead.items()
        )
        instead = {hangs: f"{hangs}{TRIED}{name}" for hangs in instead}
    unchanged = [hangs for hangs, other in instead.items() if hangs == other]
    if unchanged and not build and not run:
        table.mistake(
            "",
            f"nothing is changed for '{unchanged[0]}': give env, build or run, "
            f"or another probe, as in probes = {{ {unchanged[0]} = '...' }}",
        )
    return Remedy(name=name, text=text, probes=instead, build=build, run=run), changed


def claim(
    table: Table, axes: Sequence[Axis], probes: Sequence[Probe], remedies: Mapping[str, Remedy]
) -> Claim:
    """A claim; how it is tested may be left open, and then it is not."""
    known = read.known("probe", [probe.name for probe in probes])

    def one_or_several(value: Any) -> tuple[str, ...]:
        return read.list_of(known, least=1)(value) if isinstance(value, list) else (known(value),)

    tests = [key for key in table.rest() if key in _TESTS]
    found = Claim(
        text=table.take("text", read.text, "", required=True),
        source=table.take("source", read.text, "", required=True),
        hangs=table.take("hangs", one_or_several, (), required=bool(tests)),
        but_not=table.take("but-not", known, ""),
        cpus_below=table.take("cpus-below", read.positive, None),
        cured_by=table.take("cured-by", read.known("remedy", remedies), ""),
        within=_within(table.table("within"), [axis.name for axis in axes]),
    )
    table.close(["text", "source", "hangs", *_TESTS])
    if len(tests) > 1:
        table.mistake(tests[1], f"a claim is tested in one way, and it has {tests[0]} already")
    if found.cured_by:
        untried = [name for name in found.hangs if name not in remedies[found.cured_by].probes]
        if untried:
            table.mistake("hangs", f"the remedy '{found.cured_by}' is not tried on '{untried[0]}'")
    return found


def _within(table: Table, axes: Sequence[str]) -> Mapping[str, SpecifierSet]:
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
            check = read.one_of(there[name].versions) if stage is Stage.BUILD else read.version
            found[name] = table.take(name, check, "0")
    table.close(list(there))
    return found
