"""Records on disk: one JSON file for each cell and probe, atomic, schema versioned.

Schema history, so that a reader knows what an older file lacks:

1   The first.
2   An attempt that hung has evidence, and a record the cause that it shows. In a former one both are
    unknown: its hangs, however well known, are all ``timeout``.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gilgrid import files
from gilgrid.errors import MistakesError, RecordNotKeptError
from gilgrid.evidence import Evidence
from gilgrid.model import Attempt, Cell, Check, Record, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SCHEMA = 2
_READABLE = (1, 2)
FOLDER = ".gilgrid"
"""Beside ``matrix.toml``."""
BUILDS = f"{FOLDER}/builds"
"""What builds have put out, of all records."""


@dataclass
class Records:
    """The records of one project."""

    folder: Path
    warnings: list[str] = field(default_factory=list)
    """One sentence for each file that is no record of this gilgrid's."""
    written: int = 0
    sets_aside: bool = True
    """Whether such a file is renamed, so that another record can take its place."""

    @classmethod
    def of(cls, project: Path) -> Records:
        """The records that lie beside a ``matrix.toml``."""
        return cls(folder=project / FOLDER / "records")

    def check_writable(self) -> None:
        """Find out before anything is measured. Raises ``MistakesError`` where records cannot be kept."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            sentence = f"{self.folder}: {error.strerror}; run a copy of the project that can be written"
            raise MistakesError([sentence]) from None

    def path(self, cell: Cell, probe: str) -> Path:
        """Where the record of a probe in a cell is."""
        return self.folder.joinpath(str(cell), _file_name(probe))

    def read(self, cell: Cell, probe: str) -> Record | None:
        """The record of a probe in a cell, if there is one that this gilgrid can read."""
        return self._read(self.path(cell, probe))

    def read_all(self) -> list[Record]:
        """Every record, by cell and probe."""
        return [record for path in sorted(self.folder.glob("*/*.json")) if (record := self._read(path))]

    def write(self, record: Record) -> None:
        """Keep a record; the file holds the former one or this one at every moment."""
        path = self.path(record.cell, record.probe)
        # With an empty cache nobody has looked at what is there: set aside what this gilgrid cannot read.
        self._read(path)
        try:
            files.write_json(path, to_json(record))
            self.written += 1
        except OSError as error:
            sentence = f"{path}: {error.strerror}; the records before it are kept, run again to go on"
            raise RecordNotKeptError(sentence) from error

    def keep_log(self, key: str, log: str) -> Path:
        """Keep a build's whole output beside the records, for every record of that build."""
        path = self.folder.parent / "builds" / f"{key}.log"
        if not path.exists() or path.read_text(encoding="utf-8", errors="replace") != log:
            files.write_atomically(path, log)
        return path

    def _read(self, path: Path) -> Record | None:
        try:
            text = path.read_bytes().decode()  # of thousands, in a third of the time that text takes
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            self._set_aside(path, f"cannot be read ({error})")
            return None
        try:
            content = json.loads(text)
            if content["schema"] not in _READABLE:
                self._set_aside(path, f"has schema {content['schema']}, this gilgrid reads up to {SCHEMA}")
                return None
            record = from_json(content)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            self._set_aside(path, f"is damaged ({type(error).__name__}: {error})")
            return None
        if (str(record.cell), _file_name(record.probe)) != path.parts[-2:]:
            self._set_aside(path, f"is of {record.probe} in {record.cell}")
            return None
        return record

    def _set_aside(self, path: Path, reason: str) -> None:
        if not self.sets_aside:
            self.warnings.append(f"{path} {reason}: left out")
            return
        # Never over what was set aside before: each may be all that is left of a measurement.
        number = 1
        while (aside := path.with_name(f"{path.name}.{number}.aside")).exists():
            number += 1
        try:
            path.rename(aside)
        except OSError as error:
            self.warnings.append(f"{path} {reason} and could not be set aside: {error.strerror}")
        else:
            self.warnings.append(f"{path} {reason}: set aside as {aside.name}; its probe is measured again")


def _file_name(probe: str) -> str:
    """A probe's name is one already; that of a benchmark may be ``../a/b``."""
    return f"{quote(probe, safe=' ()[]')}.json"


def to_json(record: Record) -> dict[str, Any]:
    """The record as JSON values, with its schema, and the cause for readers: it is that of the evidence."""
    return {"schema": SCHEMA, **asdict(record), "cell": str(record.cell), "cause": record.cause}


def from_json(content: dict[str, Any]) -> Record:
    """A record from JSON values. Raises ``ValueError``, ``KeyError`` or ``TypeError`` on any that is none."""
    values = {
        **content,
        "cell": Cell.parse(content["cell"]),
        "verdict": Verdict(content["verdict"]),
        "attempts": tuple(map(_attempt, content["attempts"])),
    }
    for told_besides in ("schema", "cause"):
        values.pop(told_besides, None)
    for key in ("probe", "reason", "inputs", "measured_at"):
        if not isinstance(values[key], str):
            raise TypeError(f"{key} is no text")
    values["seconds"] = float(values["seconds"])
    return Record(**values)


def all_to_json(records: Iterable[Record]) -> str:
    """All records as one JSON list."""
    return json.dumps([to_json(record) for record in records], indent=1, ensure_ascii=False)


def _attempt(content: dict[str, Any]) -> Attempt:
    return Attempt(
        **{
            **content,
            "verdict": Verdict(content["verdict"]),
            "checks": tuple(Check(**check) for check in content["checks"]),
            "ended": tuple(content["ended"]),
            "evidence": Evidence.from_json(evidence) if (evidence := content.get("evidence")) else None,
        },
    )
