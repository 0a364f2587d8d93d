"""``gilgrid merge``: the records of several machines, joined beside one ``matrix.toml``."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gilgrid import config, splits
from gilgrid.errors import ExitCode, MistakesError
from gilgrid.merging import merged
from gilgrid.records import Records
from gilgrid.report.terminal import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from gilgrid.matrix import Matrix
    from gilgrid.model import Record

_NAMED = 3
_say = partial(print, file=sys.stderr)


def command(options: argparse.Namespace) -> ExitCode:
    """Join them, say what was to be decided, and fail where a part of the plan has left no record."""
    matrix = config.load(options.matrix)
    kept = Records.of(matrix.project)
    kept.check_writable()
    folders = [found for folder in options.folders for found in _record_folders(folder)]
    others = [folder for folder in folders if folder.resolve() != kept.folder.resolve()]
    before = kept.read_all()
    after = merged([before, *(_read(kept, folder) for folder in others)])
    known = {(record.cell, record.probe): record for record in before}
    for record in after.records:
        if known.get((record.cell, record.probe)) != record:
            kept.write(record)
    for warning in kept.warnings:
        _say(warning)
    for note in after.notes:
        _say(note)
    twice = f", {after.twice} of which were there more than once" if after.twice else ""
    _say(
        f"{counted(len(after.records), 'record')} of {counted(len(folders), 'folder')}{twice}: {kept.folder}"
    )
    if len(after.machines) > 1:
        counts = "; ".join(f"{name}: {count}" for name, count in after.machines.items())
        _say(f"measured on {len(after.machines)} machines, whose times are not compared: {counts}")
    return _tell_missing(matrix, {(str(record.cell), record.probe) for record in after.records})


def _record_folders(folder: Path) -> list[Path]:
    """Every folder of records at or below one. Raises ``MistakesError`` where there is none."""
    found = [folder] if folder.name == "records" and folder.is_dir() else []
    found += sorted(below for below in folder.rglob("records") if below.is_dir())
    if not found:
        reason = "has no folder named records in it" if folder.is_dir() else "is no folder"
        raise MistakesError([f"{folder} {reason}; name a .gilgrid, or what such were copied to"])
    return found


def _read(kept: Records, folder: Path) -> list[Record]:
    """The records of a folder, with the logs of their builds beside those that are kept.

    What a record of another machine names there may be another file here: of that nothing is kept.
    """
    source = Records(folder=folder, sets_aside=False)
    found = []
    for record in source.read_all():
        log = folder.parent / "builds" / Path(record.build_log).name
        has_log = record.build_log and log.is_file() and not log.is_symlink()
        text = log.read_text(encoding="utf-8", errors="replace") if has_log else ""
        found.append(replace(record, build_log=str(kept.keep_log(log.stem, text)) if has_log else ""))
    kept.warnings += source.warnings
    return found


def _tell_missing(matrix: Matrix, recorded: set[tuple[str, str]]) -> ExitCode:
    kept = splits.last(matrix)
    parts = kept.parts if kept else ()
    is_whole = True
    for number, part in enumerate(parts, 1):
        missing = [str(job) for job in part.jobs if (str(job.cell), job.probe) not in recorded]
        if missing:
            is_whole = False
            _say(f"shard {number}/{len(parts)}: {_named(missing)} of {len(part.jobs)} without a record")
    return ExitCode.AS_EXPECTED if is_whole else ExitCode.GILGRID_FAILED


def _named(jobs: Sequence[str]) -> str:
    further = f" and {len(jobs) - _NAMED} more" if len(jobs) > _NAMED else ""
    return f"{', '.join(jobs[:_NAMED])}{further},"
