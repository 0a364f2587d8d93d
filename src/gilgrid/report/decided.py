"""Remedies and claims as sheets of text, and these for a terminal and as Markdown."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gilgrid.claims import Outcome, median
from gilgrid.printable import line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilgrid.claims import Decided, Judgement, Trial
    from gilgrid.matrix import Matrix

_STYLES: dict[str, str] = {
    Outcome.CONFIRMED: "green",
    Outcome.REFUTED: "red",
    Outcome.NOT_TESTED: "bright_black",
}
_FEW = 2
"""So many cells are named where a sentence shall fit its table."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A table of plain text."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def sheets(matrix: Matrix, judgement: Judgement, *, in_full: bool = False) -> list[Sheet]:
    """What the remedies came to, and the claims; ``in_full`` names every cell that speaks for or against."""
    found = []
    if judgement.trials:
        found.append(_remedies(matrix, judgement.trials))
    if judgement.claims:
        rows = tuple(
            (str(one.outcome), "\n".join([line(one.claim.text), *_because(one, in_full=in_full)]))
            for one in judgement.claims
        )
        found.append(Sheet(title="claims", header=("", "claim, and what decides it"), rows=rows))
    return found


def to_json(judgement: Judgement) -> dict[str, Any]:
    """The same for machines."""
    return {
        "schema": 1,
        "remedies": [
            {
                "remedy": trial.remedy.name,
                "cell": str(trial.hangs.cell),
                "probe": trial.hangs.probe,
                "tried_in": str(trial.record.cell),
                "tried_by": trial.record.probe,
                "cures": trial.cures,
                "price": trial.price,
            }
            for trial in judgement.trials
        ],
        "claims": [
            {
                "claim": one.claim.text,
                "source": one.claim.source,
                "outcome": one.outcome,
                "supporting": [f"{record.cell} {record.probe}" for record in one.supporting],
                "against": [f"{record.cell} {record.probe}" for record in one.against],
            }
            for one in judgement.claims
        ],
    }


def tables(found: Sequence[Sheet]) -> RenderableType:
    """For a terminal."""
    return Group(*(part for sheet in found for part in (Text(""), _table(sheet))))


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
                line(remedy.text),
                *(_cured([trial for trial in own if trial.hangs.probe == name]) for name in hanging),
                f"{statistics.median(prices):.2f}" if prices else "",
            )
        )
    metrics = dict.fromkeys(filter(None, (matrix.subject_of(name).price for name in hanging)))
    header = ("remedy", *(f"{name}, cured" for name in hanging), "price" if metrics else "")
    title = "remedies, in the cells that hang"
    if metrics:
        title += f"; price: {', '.join(metrics)} over that of the cheapest cure, median"
    return Sheet(title=title, header=header, rows=tuple(rows))


def _cured(tried: Sequence[Trial]) -> str:
    return f"{sum(trial.cures for trial in tried)} of {len(tried)}" if tried else ""


def _because(decided: Decided, *, in_full: bool) -> list[str]:
    records = decided.against or decided.supporting
    metric = decided.claim.metric
    named = list(
        dict.fromkeys(
            f"{record.cell} {record.probe}: "
            + (f"{metric} {median(record, metric):.3g}" if metric else record.verdict)
            for record in records
        )
    )
    shown = named if in_full else named[:_FEW]
    left = len(named) - len(shown)
    return [
        *(f"  {name}" for name in shown),
        *([f"  and {left} more"] if left else []),
        f"  source: {line(decided.claim.source)}",
    ]


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
    for first, *rest in sheet.rows:
        table.add_row(Text(first, style=_STYLES.get(first, "")), *map(Text, rest))
    return table


def _cell(text: str) -> str:
    escaped = text.replace("|", "\\|").replace("<", "&lt;")
    return "<br>".join(" ".join(line.split()) for line in escaped.splitlines())
