"""What differs, as an issue on GitHub, and what changed, as a comment on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gilgrid.report.markdown import escaped
from gilgrid.report.terminal import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gilgrid.news import Difference, News

_CELLS = 6
_HOW_IT_ENDS = (
    "This is kept up to date, and closed once all is as expected. What is to stay so is written down as an "
    "`[[expect]]` in `matrix.toml`."
)


def title(title_of_matrix: str, differing: Sequence[Difference]) -> str:
    """One line; empty where nothing differs."""
    if not differing:
        return ""
    first = differing[0]
    more = f", and {counted(len(differing) - 1, 'other change')}" if len(differing) > 1 else ""
    return f"{title_of_matrix}: {first.probe} is {first.seen} with the newest versions{more}"


def body(differing: Sequence[Difference]) -> str:
    """All that differs; empty where nothing does."""
    if not differing:
        return ""
    return "\n".join(
        [
            "With the newest releases and pre-releases:",
            "",
            *map(_item, differing),
            "",
            _HOW_IT_ENDS,
            "",
        ]
    )


def comment(news: News) -> str:
    """What is new, and what is as expected again; empty where neither is."""
    lines = []
    if news.new:
        lines += ["New:", "", *map(_item, news.new), ""]
    if news.gone:
        lines += ["As expected again:", ""]
        lines += [_gone(one, cells) for one, cells in news.gone]
        lines += [""]
    return "\n".join(lines)


def _item(one: Difference) -> str:
    because = f" because {escaped(one.because)}" if one.because else ""
    fixed = " It is fixed there: a rule may say until when it is expected." if one.is_better else ""
    well = f" As expected in {_cells(one.well_in)}." if one.well_in else ""
    reason = f": {escaped(one.reason)}" if one.reason else ""
    return (
        f"- **{escaped(one.probe)}** is {one.seen}, expected {one.expected}{because}, "
        f"in {_cells(one.cells)}{reason}.{well}{fixed}"
    )


def _gone(one: Difference, cells: Sequence[str]) -> str:
    now = f"in {_cells(cells)}" if cells else "no cell has it any more"
    return f"- **{escaped(one.probe)}** was {one.seen} in {_cells(one.cells)}; as expected {now}."


def _cells(cells: Iterable[str]) -> str:
    several = [f"`{cell}`" for cell in cells]
    further = f" and {len(several) - _CELLS} more" if len(several) > _CELLS else ""
    return ", ".join(several[:_CELLS]) + further
