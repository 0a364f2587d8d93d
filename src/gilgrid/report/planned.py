"""What a run would do: cells, environments, builds and probes, what stands and what is to be made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from gilgrid.pins import build_pins, input_pins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilgrid.matrix import Matrix
    from gilgrid.model import Cell
    from gilgrid.pins import Pins
    from gilgrid.plan import Plan
    from gilgrid.workshop import Prospect

_INPUTS_UNREAD = "not known yet: its inputs are read when the environment stands"


def tables(matrix: Matrix, plan: Plan, found: Sequence[Prospect]) -> RenderableType:
    """For people: one table of environments, one of builds, one of cells and probes, then the counts."""
    environments = _table("environments", "environment", "state")
    for pins, stands in _environments(matrix, found).items():
        environments.add_row(Text(_named(pins)), _state(stands))
    builds = _table("builds", _name("build"), "cells", "state")
    for key, entries in _builds(found).items():
        cells = dict.fromkeys(" ".join(_built(matrix, entry)) for entry in entries)
        state = _state(any(e.build for e in entries))
        builds.add_row(Text(key or _INPUTS_UNREAD), Text("\n".join(cells)), state)
    probes = _table("cells and probes", _name("cell"), "recorded", "to run")
    for cell, here in _cells(found).items():
        recorded = ", ".join(f"{e.job.probe}: {e.record.verdict}" for e in here if e.record)
        to_run = ", ".join(e.job.probe for e in here if not e.record)
        probes.add_row(Text(str(cell)), Text(recorded), Text(to_run))
    return Group(
        environments, Text(""), builds, Text(""), probes, Text(""), Text(_counts(matrix, plan, found))
    )


def to_json(matrix: Matrix, plan: Plan, found: Sequence[Prospect]) -> dict[str, Any]:
    """For machines."""
    return {
        "schema": 2,
        "subjects": [subject.name for subject in matrix.subjects],
        "cells": [str(cell) for cell in plan.cells],
        "environments": [
            {"python": pins.python, "requirements": list(pins.requirements), "cached": stands}
            for pins, stands in _environments(matrix, found).items()
        ],
        "builds": [
            {
                "key": key,
                "subjects": list(dict.fromkeys(matrix.probe(e.job.probe).subject for e in entries)),
                "cells": list(dict.fromkeys(str(entry.job.cell) for entry in entries)),
                "cached": any(entry.build for entry in entries),
            }
            for key, entries in _builds(found).items()
        ],
        "probes": [
            {
                "cell": str(entry.job.cell),
                "probe": entry.job.probe,
                "subject": matrix.probe(entry.job.probe).subject,
                "build": entry.build_key,
                "verdict": entry.record.verdict if entry.record else None,
            }
            for entry in found
        ],
    }


def _name(header: str) -> Column:
    """A column of names, which a narrow terminal does not break."""
    return Column(header, no_wrap=True)


def _table(title: str, *columns: Column | str) -> Table:
    return Table(
        *columns,
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )


def _environments(matrix: Matrix, found: Sequence[Prospect]) -> dict[Pins, bool]:
    """What probes run in, and, where a build is to be made, what it is built in."""
    pins = {entry.pins: bool(entry.environment) for entry in found}
    for key, entries in _builds(found).items():
        # The builds whose keys are not known yet are several.
        for entry in entries[:1] if key else entries:
            subject = matrix.subject_of(entry.job.probe)
            inputs = input_pins(matrix, subject, entry.job.cell)
            if inputs:
                pins.setdefault(inputs, key is not None)
            if key and not entry.build:
                pins.setdefault(build_pins(matrix, subject, entry.job.cell), False)
    return pins


def _builds(found: Sequence[Prospect]) -> dict[str | None, list[Prospect]]:
    builds: dict[str | None, list[Prospect]] = {}
    for entry in found:
        if entry.job.with_subject:
            builds.setdefault(entry.build_key, []).append(entry)
    return builds


def _cells(found: Sequence[Prospect]) -> dict[Cell, list[Prospect]]:
    cells: dict[Cell, list[Prospect]] = {}
    for entry in found:
        cells.setdefault(entry.job.cell, []).append(entry)
    return cells


def _counts(matrix: Matrix, plan: Plan, found: Sequence[Prospect]) -> str:
    environments = _environments(matrix, found)
    builds = _builds(found)
    unread = len({_built(matrix, entry) for entry in builds.pop(None, [])})
    new_builds = sum(not any(entry.build for entry in entries) for entries in builds.values())
    return (
        f"{len(plan.cells)} cells; {len(environments)} environments, "
        f"{sum(not stands for stands in environments.values())} to make; {len(builds)} builds, "
        f"{new_builds} to make{f', and those of {unread} cells' if unread else ''}; "
        f"{len(found)} probes, {sum(not entry.record for entry in found)} to run"
    )


def _built(matrix: Matrix, entry: Prospect) -> tuple[str, ...]:
    """What is built for it: the cell, and of several subjects which."""
    subject = matrix.probe(entry.job.probe).subject
    return (*([subject] if len(matrix.subjects) > 1 else []), str(entry.job.cell))


def _named(pins: Pins) -> str:
    return f"Python {pins.python}: {', '.join(pins.requirements)}"


def _state(stands: bool) -> str:  # noqa: FBT001 - a word for a fact
    return "cached" if stands else "to make"
