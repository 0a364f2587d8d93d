"""What differs between two sides, as a table and a conclusion. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from gilgrid.printable import line
from gilgrid.report.terminal import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gilgrid.comparison import Change

_OFTEN = 0.95


def table(changes: Sequence[Change], names: tuple[str, str], human: Callable[[float, str], str]) -> Table:
    """A row for each change; ``human`` writes a value with its unit."""
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for header in ("", "cell", "what", names[0], names[1], "ratio", "noise"):
        made.add_column(Text(header), no_wrap=header not in {"what", *names})
    for change in changes:
        made.add_row(
            Text(change.outcome, style="red" if change.outcome.is_regression else "green"),
            Text(change.case.cell),
            Text(f"{change.case.benchmark}({change.case.parameters})".removesuffix("()")),
            *(
                human(value, change.unit) if isinstance(value, float) else Text(value)
                for value in (change.before, change.after)
            ),
            f"{change.ratio:.2f}" if change.ratio else "",
            _share(change.noise) if change.noise else "",
        )
        if change.reason:
            made.add_row("", "", Text(line(change.reason), style="dim"))
    return made


def conclusion(
    changes: Sequence[Change], measured: int, verdicts: int, noise: Sequence[float], without_ratio: int = 0
) -> list[str]:
    """What it comes to."""
    worse = [change for change in changes if change.outcome.is_regression]
    looked_at = [counted(measured, "benchmark")] * bool(measured) + [counted(verdicts, "verdict")] * bool(
        verdicts
    )
    lines = []
    if noise:
        often = noise[min(int(len(noise) * _OFTEN), len(noise) - 1)]
        lines.append(
            f"noise: two processes of the same side differed by {_share(noise[len(noise) // 2])} "
            f"in the median, by {_share(often)} at most in 19 of 20 cases"
        )
    if without_ratio:
        had = counted(without_ratio, "benchmark has", "benchmarks have")
        lines.append(f"{had} a value of 0 or below, of which there is no ratio: not compared")
    if not (looked_at or changes or lines):
        return ["no regression: nothing differs that could be measured"]
    outcome = counted(len(worse), "regression") if worse else "no regression"
    others = counted(len(changes) - len(worse), "other change")
    return [*lines, f"{outcome}, {others}, of {' and '.join(looked_at) or 'nothing'}"]


def _share(factor: float) -> str:
    return f"{(factor - 1) * 100:.1f} %"
