"""One printable line out of whatever a program says or calls itself. Pure."""

from __future__ import annotations


def line(value: object) -> str:
    """The value on one line: what would move a cursor, or turn the direction of writing, is spelled out."""
    words = " ".join(str(value).split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)
