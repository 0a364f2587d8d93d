"""All that another machine needs of a project: what is built and read, and what is to be done with it."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from gilgrid import files
from gilgrid.errors import GilgridError
from gilgrid.locks import lock
from gilgrid.plan import files_read
from gilgrid.records import Records
from gilgrid.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gilgrid.matrix import Matrix


@dataclass(frozen=True, kw_only=True)
class Kit:
    """A project in a message; whoever opens it has a workshop of its own."""

    matrix: Matrix
    archive: bytes
    gilgrid: str

    def open(self) -> Workshop:
        """Unpack it beside the cache of this machine, once. Raises ``GilgridError`` where gilgrid differs."""
        if self.gilgrid != (here := version("gilgrid")):
            raise GilgridError(
                f"a worker has gilgrid {here}, and {self.gilgrid} asks it: install the same there"
            )
        return _opened(self)

    def __hash__(self) -> int:
        return hash(self.archive)


def pack(matrix: Matrix) -> Kit:
    """Take along the subjects' sources, and what probes read of the project."""
    written = io.BytesIO()
    # Without what differs from one packing to another: the same project is unpacked once.
    with tarfile.open(fileobj=written, mode="w:gz", format=tarfile.PAX_FORMAT, compresslevel=6) as archive:
        for name, file in _entries(matrix):
            entry = archive.gettarinfo(file, name)
            entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, 0, "", ""
            with file.open("rb") as read:
                archive.addfile(entry, read)
    content = written.getvalue()
    return Kit(matrix=matrix, archive=content[:4] + bytes(4) + content[8:], gilgrid=version("gilgrid"))


def _entries(matrix: Matrix) -> Iterator[tuple[str, Path]]:
    project = matrix.project.resolve()
    yield f"project/{matrix.path.name}", matrix.path.resolve()
    for number, subject in enumerate(matrix.subjects):
        if subject.folder:
            yield from _below(f"subjects/{number}", subject.folder, files.source_files(subject.folder))
    named = dict.fromkeys(name for probe in matrix.probes for name in files_read(probe))
    for name in named:
        path = project / name
        if path.exists():
            yield from _below("project", project, files.source_files(path))


def _below(place: str, folder: Path, found: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    for file in sorted(found):
        yield f"{place}/{file.relative_to(folder)}", file.resolve()


@cache
def _opened(kit: Kit) -> Workshop:
    """Once a process: a workshop remembers what it has read of sources and compilers."""
    cache_folder = files.cache_folder()
    place = cache_folder / "projects" / hashlib.sha256(kit.archive).hexdigest()[:20]
    with lock(place.with_name(f"{place.name}.lock")):
        if not place.exists():
            draft = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}-"))
            try:
                with tarfile.open(fileobj=io.BytesIO(kit.archive)) as archive:
                    archive.extractall(draft, filter="data")
                draft.replace(place)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
    subjects = tuple(
        replace(subject, source=place / "subjects" / str(number)) if subject.folder else subject
        for number, subject in enumerate(kit.matrix.subjects)
    )
    matrix = replace(kit.matrix, path=place / "project" / kit.matrix.path.name, subjects=subjects)
    return Workshop.of(matrix, Records(folder=place / "records"), cache_folder)
