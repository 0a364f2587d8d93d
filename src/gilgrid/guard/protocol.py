"""What gilgrid and a supervisor say to each other: JSON objects, one a line, over one socket pair.

Down goes one line, the command; the socket then stays open as the lifeline, and its end of file means
"end the tree". Up come `{"root", "since"}` once the command has started, `{"quiet"}` at each change, and
at last the report, the one with `"end"`. Any other line is the supervisor's own stderr.
"""

from __future__ import annotations

import json
from enum import StrEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Message: TypeAlias = dict[str, Any]


class End(StrEnum):
    """How a command ended."""

    EXITED = "exited"
    SIGNALLED = "signalled"  # by a signal that the guard did not send
    DEADLINE = "deadline"
    NOT_FOUND = "not-found"  # it could not be executed: no such command, not executable, no such cwd
    CANCELLED = "cancelled"
    LOST = "lost"  # the supervisor failed: gilgrid's fault, never the command's


def encode(message: Message) -> bytes:
    """Write `message` as one line."""
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"


def decode(line: bytes | bytearray) -> Message | None:
    """Return the message in `line`, or None when the line is none."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def text(raw: bytes) -> str:
    """Write bytes as JSON can carry them.

    Latin-1 maps each byte to one character, whatever the locale of either side.
    """
    return raw.decode("latin-1")


def raw(text: str) -> bytes:
    """Return the bytes that `text` stands for."""
    return text.encode("latin-1")
