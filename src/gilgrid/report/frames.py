"""The frames of a thread as lines of a report: innermost first, functions and their places."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from gilgrid.printable import line
from gilgrid.telling import name, source, telling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gilgrid.evidence import Frame, Waiter

_SHOWN = 5
_LEAST_PLACE = 0.45  # of a line
_INSTALLED = re.compile(r"^.*/(?:(?:site|dist)-packages|lib(?:64)?/python3\.\d+)/(?=.)")
_ABI = re.compile(r"\.(cpython-|abi3)[\w-]*(?=\.so$)")
_CUT = "..."


def frames(waiter: Waiter, width: int, indent: int) -> Iterator[Text]:
    """The last Python frames, then the native ones that tell."""
    most = telling(waiter)
    stacks = [(kind, stack, _shown(stack, most)) for kind, stack in _stacks(waiter)]
    room = width - indent - len("Python  ")
    names = [cell_len(name(stack[n].function)) for _, stack, shown in stacks for n in shown]
    column = min(max(names, default=0), room - int(_LEAST_PLACE * room))
    for kind, stack, shown in stacks:
        for above, n in zip([-1, *shown], shown):  # noqa: B905 - strict is of 3.10
            if n > above + 1:
                yield _left_out(n - above - 1, room, width)
            frame = stack[n]
            function = _fitting(name(frame.function), column)
            row = Text(" " * indent).append(f"{kind if n == 0 else ' ' * len(kind)}  ", "dim")
            row.append(function, "bold" if frame is most else "")
            row.append(" " * (column - cell_len(function) + 2))
            yield row.append(_place(frame, room - column - 2), "dim")
        if shown and shown[-1] + 1 < len(stack):
            yield _left_out(len(stack) - shown[-1] - 1, room, width)


def _stacks(waiter: Waiter) -> Iterator[tuple[str, Sequence[Frame]]]:
    yield "Python", waiter.python
    yield "native", waiter.native


def _shown(stack: Sequence[Frame], most: Frame | None) -> list[int]:
    """The innermost ones, and the one that tells most, however far out it is."""
    telling_one = next((n for n, frame in enumerate(stack) if frame is most), 0)
    if telling_one < _SHOWN:
        return list(range(min(_SHOWN, len(stack))))
    return [*range(_SHOWN - 1), telling_one]


def _left_out(frames: int, room: int, width: int) -> Text:
    return Text(f"{' ' * (width - room)}and {frames} more", "dim")


def _place(frame: Frame, width: int) -> str:
    file = _INSTALLED.sub("", source(frame))
    where = f"{file}:{frame.line}" if frame.line else file
    library = _ABI.sub("", line(frame.library).rpartition("/")[2])
    return _fitting(where if file else library, width)


def _fitting(text: str, width: int) -> str:
    """The end of a path or of a qualified name tells most: cut in front, between two parts if possible."""
    if cell_len(text) <= width:
        return text
    while text and cell_len(text) > width - len(_CUT):
        text = text[1:]
    parts = re.search(r"(/|::)(?=.)", text)
    return _CUT + (text[parts.start() :] if parts else text)
