"""The matrix as a picture, for a README: the terminal's tables as SVG, with nothing to download."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from rich.console import Console
from rich.measure import Measurement
from rich.terminal_theme import TerminalTheme

from gilgrid.report import terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilgrid.expectations import Judged
    from gilgrid.matrix import Matrix

_WIDEST = 400
# Readable on the light and on the dark page of a forge.
_THEME = TerminalTheme(
    (24, 26, 31),
    (214, 218, 224),
    [
        *((90, 96, 106), (240, 98, 98), (108, 200, 120), (226, 182, 80)),
        *((98, 160, 240), (206, 130, 220), (90, 190, 200), (214, 218, 224)),
    ],
    [
        *((120, 126, 136), (255, 120, 120), (130, 220, 140), (240, 200, 110)),
        *((130, 180, 255), (226, 160, 240), (120, 210, 220), (240, 242, 246)),
    ],
)  # fmt: skip


def svg(matrix: Matrix, judged: Sequence[Judged]) -> str:
    """The tables and their legend as one SVG document."""
    console = Console(record=True, width=_WIDEST, file=io.StringIO(), force_terminal=True)
    tables = terminal.tables(matrix, judged)
    console.width = Measurement.get(console, console.options, tables).maximum
    console.print(tables)
    drawn = console.export_svg(title=f"{matrix.title}: gilgrid", theme=_THEME)
    # The fonts come from elsewhere: a page that shows the picture would have to fetch them.
    without = re.sub(r"@font-face\s*\{.*?\}\s*", "", drawn, flags=re.DOTALL)
    return without.replace("Fira Code", "ui-monospace").rstrip() + "\n"
