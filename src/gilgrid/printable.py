"""One printable line out of whatever a program says or calls itself, or is ended by. Pure."""

from __future__ import annotations

import signal


def line(value: object) -> str:
    """The value on one line: what would move a cursor, or turn the direction of writing, is spelled out."""
    words = " ".join(str(value).split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)


def signal_name(number: int | None) -> str:
    """As in ``SIGSEGV``; real-time signals have a number only."""
    try:
        return signal.Signals(number or 0).name
    except ValueError:
        return f"signal {number}"
