"""The files of commits, as asv's repository has them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from gilgrid.errors import MistakesError
from gilgrid.locks import lock

if TYPE_CHECKING:
    from pathlib import Path

_KEPT = 3


def at_commit(source: Path, folder: Path, repo: Any, commit: str) -> Path:
    """What a folder of a repository was at a commit. Raises ``MistakesError`` where it is in none."""
    here = source.resolve()
    root = next((above for above in (here, *here.parents) if (above / ".git").exists()), None)
    if root is None:
        raise MistakesError([f"{source} is in no repository, so no commit has it: git init makes one"])
    return obtain(folder, repo, commit) / here.relative_to(root)


def obtain(folder: Path, repo: Any, commit: str) -> Path:
    """The files of a commit, once for all environments; those of a few commits are kept."""
    place = folder.resolve() / "gilgrid-checkouts" / commit
    with lock(place.with_name("lock")):
        if not (place / ".whole").exists():
            repo.checkout(str(place), commit)
        (place / ".whole").touch()
        by_age = sorted(place.parent.glob("*/.whole"), key=lambda file: file.stat().st_mtime)
        for old in by_age[:-_KEPT]:
            shutil.rmtree(old.parent, ignore_errors=True)
    return place
