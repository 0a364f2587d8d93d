"""The frames of a thread as lines of a report: innermost first, functions and their places."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from gilgrid.printable import line
from gilgrid.telling import name, telling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilgrid.evidence import Frame, Waiter

_SHOWN = 5
_LEAST_PLACE = 24
_INSTALLED = re.compile(r"^.*/(?:(?:site|dist)-packages|lib(?:64)?/python3\.\d+)/(?=.)")
_CUT = "..."


def frames(waiter: Waiter, width: int, indent: int) -> Iterator[Text]:
    """The last Python frames, then the native ones that tell."""
    shown = [("Python", waiter.python), ("native", waiter.native)]
    names = [name(frame.function) for _, stack in shown for frame in stack[:_SHOWN]]
    room = width - indent - len("Python  ")
    column = min(max(map(cell_len, names), default=0), room - _LEAST_PLACE)
    most = telling(waiter)
    for kind, stack in shown:
        for label, frame in zip(_labels(kind), stack[:_SHOWN], strict=False):
            function = _fitting(name(frame.function), column)
            row = Text(" " * indent).append(f"{label}  ", "dim")
            row.append(function, "bold" if frame is most else "")
            row.append(" " * (column - cell_len(function) + 2))
            yield row.append(_place(frame, room - column - 2), "dim")
        if len(stack) > _SHOWN:
            yield Text(f"{' ' * (indent + len(kind) + 2)}and {len(stack) - _SHOWN} more", "dim")


def _labels(kind: str) -> Sequence[str]:
    return [kind, *[" " * len(kind)] * (_SHOWN - 1)]


def _place(frame: Frame, width: int) -> str:
    file = _INSTALLED.sub("", line(frame.file)) or line(frame.library).rpartition("/")[2]
    return _fitting(f"{file}:{frame.line}" if frame.file and frame.line else file, width)


def _fitting(text: str, width: int) -> str:
    """The end of a path or of a qualified name tells most: cut in front, between two parts if possible."""
    if cell_len(text) <= width:
        return text
    while text and cell_len(text) > width - len(_CUT):
        text = text[1:]
    parts = re.search(r"(/|::)(?=.)", text)
    return _CUT + (text[parts.start() :] if parts else text)
