"""The matrix as Markdown, for a CI job's summary or a pull request."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from gilgrid.model import Verdict
from gilgrid.report import decided
from gilgrid.report.grid import Grid, grids
from gilgrid.report.hangs import Hang, hangs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilgrid.expectations import Judged
    from gilgrid.matrix import Matrix
    from gilgrid.report.decided import Sheet


def markdown(
    matrix: Matrix, judged: Sequence[Judged], sheets: Sequence[Sheet] = (), *, missing: int = 0
) -> str:
    """What differs first, then a table for each probe, these sheets, the hangs, and the legend.

    ``missing`` is how many verdicts there could be more.
    """
    differing = [entry for entry in judged if not entry.as_expected]
    outcome = (
        f"{len(differing)} of {len(judged)} verdicts are not as expected"
        if differing
        else f"All {len(judged)} verdicts are as expected"
    )
    further = f"; {missing} more are not recorded" if missing else ""
    lines = [f"## {matrix.title}: {outcome}{further}.", ""]
    lines += [f"- {escaped(entry.difference)}" for entry in differing]
    for grid in grids(matrix, judged):
        lines += ["", f"### {escaped(grid.title)}", "", *_table(grid)]
    lines += decided.markdown(sheets)
    for one in hangs(judged):
        lines += ["", *_report(one)]
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


def _report(one: Hang) -> list[str]:
    """Folded away, unless it is news; as code, since its lines are drawn."""
    # A fence that is longer than what a hung program called itself cannot be closed by it.
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", one.text)), default=0))
    return [
        "<details>" if one.entry.as_expected else "<details open>",
        f"<summary>{html.escape(one.heading)}</summary>",
        *("", f"{fence}text", one.text.rstrip("\n"), fence, ""),
        "</details>",
    ]


def escaped(text: str) -> str:
    """Words of a program or a file, which are no markup."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
