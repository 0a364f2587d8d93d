"""What a process maps into its memory (proc_pid_maps(5))."""

from __future__ import annotations

import mmap
import os
import re
from bisect import bisect_right
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from gilgrid.guard.proof.stack import is_openmp_library
from gilgrid.guard.tree import folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (....) ([0-9a-f]+) ([0-9a-f:]+) (\d+) *(.*)")
_PYTHON = re.compile(r"(lib)?python\d")  # and no extension.cpython-311-x86_64-linux-gnu.so
_ANONYMOUS = "/dev/zero (deleted)"  # MAP_SHARED | MAP_ANONYMOUS
_NAMED_ONCE, _DELETED = "/dev/shm/", " (deleted)"  # noqa: S108 - what is mapped there, not made


class Mappings:
    """The mappings of one process, as they are now. OSError where they may not be read."""

    def __init__(self, pid: int) -> None:
        with open(f"{folder(pid)}/maps", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123
            found = [match.groups() for line in file if (match := _LINE.match(line))]
        self._pid = pid
        self._starts = [int(start, 16) for start, *_ in found]
        self._found = found
        files = {path for *_, path in found}
        self.has_openmp = any(map(is_openmp_library, files))
        self.has_python = any("python" in path.rpartition("/")[2] for path in files)

    @property
    def shared(self) -> frozenset[str]:
        """The identities of the shared memory that no other process can come to map."""
        return frozenset(
            f"{found[4]}:{found[5]}"
            for found in self._found
            if found[2].endswith("s") and self._is_ours(found)
        )

    @property
    def has_stacks(self) -> bool:
        """Whether there is room for a thread's stack; that stays when it ends, and in a fork without it."""
        return any(
            guard[1] == stack[0]
            and guard[2] == "---p"
            and stack[2] == "rw-p"
            and _size(guard) == mmap.PAGESIZE
            for guard, stack in zip(self._found, self._found[1:])  # noqa: B905 - each with the one behind it
            if not guard[-1] and not stack[-1]
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
        return f"{found[4]}:{found[5]}" if self._is_ours(found) else "?"

    def _is_ours(self, found: tuple[str, ...]) -> bool:
        """Whether that shared memory can only be inherited: it has no name, and never had an id."""
        path = found[-1]
        return path == _ANONYMOUS or (
            path.startswith(_NAMED_ONCE) and path.endswith(_DELETED) and int(found[5]) not in self._names
        )

    @cached_property
    def _names(self) -> frozenset[int]:
        # sem_open(3) maps what it then links to its name: /proc shows the first name, which is gone.
        with suppress(OSError), os.scandir(f"{folder(self._pid)}/root{_NAMED_ONCE}") as entries:
            return frozenset(entry.inode() for entry in entries)
        return frozenset()

    def writable_of_python(self) -> Iterator[tuple[int, int]]:
        """Start and end of the private writable memory, with .bss, of the interpreter itself."""
        before = ""
        for start, end, rights, _, _, _, path in self._found:
            owner = path or before  # what has no name and follows is the .bss
            if rights == "rw-p" and _PYTHON.match(owner.rpartition("/")[2]):
                yield int(start, 16), int(end, 16)
            before = path

    def _at(self, address: int) -> tuple[str, ...] | None:
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= int(self._found[index][1], 16):
            return None
        return self._found[index]


def _size(found: tuple[str, ...]) -> int:
    return int(found[1], 16) - int(found[0], 16)
