"""What gilgrid, a supervisor and its keeper say to each other: JSON objects, one a line.

Between gilgrid and the supervisor, over one socket pair: down goes one line, the command; the socket then
stays open as the lifeline, and its end of file means "end the tree". Up come `{"root", "since"}` once the
command has started, `{"quiet"}` at each change, and at last the report, the one with `"end"`. Any other line
is stderr of one of the two. Where the command is in gilgrid's place, down go `{"signal", "sender", "stop"}`
for each signal that gilgrid gets, and up comes `{"stopped"}` with the number of a stop of it; gilgrid
answers `{"ready"}`, is stopped by the supervisor, and continued by it when the command goes on.

Between the supervisor and its keeper, over a `Channel`: the supervisor says `{"root"}` as well, `{"why"}` at
the deadline, and `{"keep"}` when the tree shall live on; the keeper says `{"quiet"}`, `{"looks", "stops"}`
when it has looked, `{"deadlock"}` with its evidence when one is proven, and answers `{"why"}` with what it
has seen.
"""

from __future__ import annotations

import json
import os

from gilgrid.since.enum import StrEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Message: TypeAlias = dict[str, Any]


CLIENT = 0  # stdin of the supervisor and of its keeper: one end of the socket pair


class End(StrEnum):
    """How a command ended."""

    EXITED = "exited"
    SIGNALLED = "signalled"  # by a signal that the guard did not send
    DEADLOCK = "deadlock"  # proven, and ended by the guard
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


class Channel:
    """One side of the two pipes between a supervisor and its keeper."""

    def __init__(self, inward: int, outward: int) -> None:
        self.inward = inward
        self.ended = False
        self._outward = outward
        self._heard = bytearray()

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        """Both sides; each process closes the other's."""
        (in_1, out_2), (in_2, out_1) = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
        return cls(in_1, out_1), cls(in_2, out_2)

    def close(self) -> None:
        """Close this side in this process."""
        os.close(self.inward)
        os.close(self._outward)

    def say(self, message: Message) -> None:
        """Write `message`; nothing is said to a side that has gone."""
        line = memoryview(encode(message))
        try:
            while line:
                line = line[os.write(self._outward, line) :]
        except BrokenPipeError:
            self.ended = True

    def hear(self) -> list[Message]:
        """Once `inward` is readable: the messages that have come. `ended` when the other side has gone."""
        chunk = os.read(self.inward, 1 << 18)
        self.ended = not chunk
        self._heard += chunk
        *lines, self._heard = self._heard.split(b"\n")
        return [message for line in lines if (message := decode(line)) is not None]


def text(raw: bytes) -> str:
    """Write bytes as JSON can carry them.

    Latin-1 maps each byte to one character, whatever the locale of either side.
    """
    return raw.decode("latin-1")


def raw(text: str) -> bytes:
    """Return the bytes that `text` stands for."""
    return text.encode("latin-1")
