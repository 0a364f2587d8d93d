"""Remedies and claims as sheets of text, and these for a terminal and as Markdown."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gilgrid.claims import Outcome, decide, trials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilgrid.claims import Decided, Trial
    from gilgrid.matrix import Matrix
    from gilgrid.model import Record

_STYLES = {Outcome.CONFIRMED: "green", Outcome.REFUTED: "red", Outcome.NOT_TESTED: "bright_black"}
_FEW = 2
"""So many cells are named where a sentence shall fit its table."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A table of plain text."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def sheets(matrix: Matrix, records: Sequence[Record], *, in_full: bool = False) -> list[Sheet]:
    """What the remedies came to, and the claims; ``in_full`` names every cell that speaks for or against."""
    tried = trials(matrix, records)
    decided = decide(matrix, records)
    found = []
    if tried:
        found.append(_remedies(matrix, tried))
    if decided:
        rows = tuple(
            (one.claim.text, str(one.outcome), _because(one, in_full=in_full), one.claim.source)
            for one in decided
        )
        found.append(Sheet(title="claims", header=("claim", "", "by", "source"), rows=rows))
    return found


def tables(found: Sequence[Sheet]) -> RenderableType:
    """For a terminal."""
    return Group(*(part for sheet in found for part in (_table(sheet), Text(""))))


def markdown(found: Sequence[Sheet]) -> list[str]:
    """The lines of a Markdown table each."""
    lines: list[str] = []
    for sheet in found:
        body = [sheet.header, ("---",) * len(sheet.header), *sheet.rows]
        lines += ["", f"### {sheet.title}", "", *(f"| {' | '.join(map(_cell, row))} |" for row in body)]
    return lines


def _remedies(matrix: Matrix, tried: Sequence[Trial]) -> Sheet:
    hanging = [probe.name for probe in matrix.probes if any(t.hangs.probe == probe.name for t in tried)]
    rows = []
    for remedy in matrix.remedies:
        own = [trial for trial in tried if trial.remedy == remedy]
        prices = [trial.price for trial in own if trial.price]
        rows.append(
            (
                remedy.text,
                *(_cured([trial for trial in own if trial.hangs.probe == name]) for name in hanging),
                f"{statistics.median(prices):.2f}" if prices else "",
            )
        )
    header = ("remedy", *(f"{name}, cured" for name in hanging), "time")
    title = "remedies, in the cells that hang; time: of what it cures, over the fastest cure there"
    return Sheet(title=title, header=header, rows=tuple(rows))


def _cured(tried: Sequence[Trial]) -> str:
    return f"{sum(trial.cures for trial in tried)} of {len(tried)}" if tried else ""


def _because(decided: Decided, *, in_full: bool) -> str:
    records = decided.against or decided.supporting
    named = [f"{record.cell} {record.probe} {record.verdict}" for record in records]
    shown = named if in_full else named[:_FEW]
    left = len(named) - len(shown)
    return "\n".join([*shown, *([f"and {left} more"] if left else [])])


def _table(sheet: Sheet) -> Table:
    table = Table(
        title=sheet.title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    for name in sheet.header:
        table.add_column(name, overflow="fold")
    styles = {str(outcome): style for outcome, style in _STYLES.items()}
    for row in sheet.rows:
        table.add_row(*(Text(cell, style=styles.get(cell, "")) for cell in row))
    return table


def _cell(text: str) -> str:
    escaped = text.replace("|", "\\|").replace("<", "&lt;")
    return "<br>".join(" ".join(line.split()) for line in escaped.splitlines())
