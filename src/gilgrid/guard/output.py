"""Keeps the beginning and the end of a stream of any length in bounded memory."""

from __future__ import annotations


class Output:
    """The beginning and the end of what was taken, half of `limit_bytes` each.

    What lay between is counted only.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._head_limit = limit_bytes // 2
        self._tail_limit = limit_bytes - self._head_limit
        self._head = bytearray()
        self._tail = bytearray()
        self.total_bytes = 0

    @property
    def head(self) -> bytes:
        """The first bytes taken; with `tail` the whole when nothing was cut."""
        return bytes(self._head)

    @property
    def tail(self) -> bytes:
        """The last bytes taken, without those in `head`."""
        return bytes(self._tail[max(0, len(self._tail) - self._tail_limit) :])

    def take(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append `chunk`, which may be overwritten once this returns."""
        with memoryview(chunk) as view:
            self.total_bytes += len(view)
            room = self._head_limit - len(self._head)
            if room > 0:
                self._head += view[:room]
            self._tail += view[max(room, 0, len(view) - self._tail_limit) :]
        # Twice the limit before a trim: each byte is then moved once at most, however small the chunks.
        if len(self._tail) > 2 * self._tail_limit:
            del self._tail[: -self._tail_limit or None]
