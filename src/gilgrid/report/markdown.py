"""The matrix as Markdown, for a CI job's summary or a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilgrid.model import Verdict
from gilgrid.report.grid import Grid, grids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilgrid.expectations import Judged
    from gilgrid.matrix import Matrix


def markdown(matrix: Matrix, judged: Sequence[Judged]) -> str:
    """What differs first, then a table for each probe, then the legend."""
    differing = [entry for entry in judged if not entry.as_expected]
    outcome = (
        f"{len(differing)} of {len(judged)} verdicts are not as expected."
        if differing
        else f"All {len(judged)} verdicts are as expected."
    )
    lines = [f"## {matrix.subject.name}: {outcome}", ""]
    lines += [f"- {_escaped(entry.difference)}" for entry in differing]
    for grid in grids(matrix, judged):
        lines += ["", f"### {_escaped(grid.title)}", "", *_table(grid)]
    seen = {entry.record.verdict for entry in judged}
    lines += ["", *(f"- **{verdict}**: {verdict.meaning}" for verdict in Verdict if verdict in seen)]
    return "\n".join(lines) + "\n"


def _table(grid: Grid) -> list[str]:
    rows = [
        [grid.corner, *grid.columns],
        ["---"] * (len(grid.columns) + 1),
        *(
            [row, *(_verdict(grid.entries.get((row, column))) for column in grid.columns)]
            for row in grid.rows
        ),
    ]
    return [f"| {' | '.join(row)} |" for row in rows]


def _verdict(entry: Judged | None) -> str:
    if entry is None:
        return ""
    verdict = entry.record.verdict
    return str(verdict) if entry.as_expected else f"**{verdict} (expected {entry.expectation})**"


def _escaped(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
