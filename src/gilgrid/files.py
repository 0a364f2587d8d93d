"""Files that survive a kill at any moment: atomic writes, digests of content."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Iterable

_CANONICAL = json.JSONEncoder(sort_keys=True, default=str)

# Neither part of a subject nor of a test: what tools leave behind in a project's own folder.
_LEFT_BEHIND = {"build", "dist", "node_modules"}


def cache_folder() -> Path:
    """Where environments and builds are kept: ``$GILGRID_CACHE_DIR``, else the user's cache folder."""
    named = os.environ.get("GILGRID_CACHE_DIR")
    # Absolute: what runs in a cell has another working directory.
    return (Path(named) if named else platformdirs.user_cache_path("gilgrid")).absolute()


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader, or a kill, finds the old content or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        # What is no Unicode (a path's odd byte, say) is escaped as JSON would: a record is never lost to it.
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, readable by people."""
    write_atomically(path, json_text(value))


def json_text(value: Any) -> str:
    """JSON as it is written to files."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def read_json(path: Path) -> Any:
    """The content of a JSON file of the cache; ``None`` where there is none or it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def digest(*values: Any) -> str:
    """A digest of JSON values: equal values, equal digest, in every process."""
    return hashlib.sha256(_CANONICAL.encode(values).encode()).hexdigest()[:20]


def digest_of_files(root: Path, files: Iterable[Path]) -> str:
    """A digest of names below ``root`` and contents."""
    total = hashlib.sha256()
    for file in sorted(files):
        content = file.read_bytes()
        total.update(os.fsencode(file.relative_to(root)) + f"\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()[:20]


def source_files(folder: Path) -> list[Path]:
    """The files of a source folder, without what tools leave behind there."""
    if folder.is_file():
        return [folder]
    found = []
    for place, folders, names in os.walk(folder, followlinks=True):
        left_behind = _LEFT_BEHIND if Path(place) == folder else set()
        folders[:] = [
            name
            for name in folders
            if name not in left_behind
            and name != "__pycache__"
            and not name.startswith(".")
            and not name.endswith(".egg-info")
            and not _leads_back(Path(place, name))
        ]
        found += [Path(place, name) for name in names if Path(place, name).is_file()]
    return found


def _leads_back(folder: Path) -> bool:
    """Whether a folder is a link to one that it lies in: to follow it would never end."""
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())
