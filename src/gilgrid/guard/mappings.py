"""What a process maps into its memory (proc_pid_maps(5))."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (....) ([0-9a-f]+) ([0-9a-f:]+) (\d+) *(.*)")
_OPENMP = re.compile(r"/lib(?:g|i)?omp[^/]*\.so[^/]*$")
_DELETED = " (deleted)"


class Mappings:
    """The mappings of one process, as they are now. OSError where they may not be read."""

    def __init__(self, pid: int) -> None:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123
            found = [match.groups() for line in file if (match := _LINE.match(line))]
        self._starts = [int(start, 16) for start, *_ in found]
        self._found = found
        files = {path for *_, path in found}
        self.has_openmp = any(_OPENMP.search(path) for path in files)
        self.has_python = any("python" in path.rpartition("/")[2] for path in files)

    @property
    def shared(self) -> frozenset[str]:
        """The identities of the shared memory that no other process can come to map: what has no name."""
        return frozenset(
            f"{device}:{inode}"
            for _, _, rights, _, device, inode, path in self._found
            if rights.endswith("s") and path.endswith(_DELETED)
        )

    def library(self, address: int) -> str:
        """The file that is mapped at `address`; "" where none is."""
        found = self._at(address)
        return found[-1] if found else ""

    def shared_at(self, address: int) -> str:
        """The identity of the shared memory at `address`: "" for private, "?" for what others may map."""
        found = self._at(address)
        if found is None or not found[2].endswith("s"):
            return "" if found else "?"
        identity = f"{found[4]}:{found[5]}"
        return identity if found[-1].endswith(_DELETED) else "?"

    def writable(self, name: str) -> Iterator[tuple[int, int]]:
        """Start and end of the private writable memory, with .bss, of the program or library named so."""
        before = ""
        for start, end, rights, _, _, _, path in self._found:
            owner = path or before  # what has no name and follows is the .bss
            if rights == "rw-p" and name in owner.rpartition("/")[2]:
                yield int(start, 16), int(end, 16)
            before = path

    def _at(self, address: int) -> tuple[str, ...] | None:
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= int(self._found[index][1], 16):
            return None
        return self._found[index]
