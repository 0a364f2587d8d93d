"""What is remembered of an interpreter holds as long as its executable is the same."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from gilgrid import files
from gilgrid.interpreters import Interpreter, Interpreters

OWN = f"{sys.version_info[0]}.{sys.version_info[1]}"


def remembered(cache: Path, interpreter: Interpreter) -> Interpreter:
    files.write_json(cache / "interpreters.json", [asdict(interpreter)])
    return Interpreters(cache).local()[interpreter.python]


def own(path: Path, modified_ns: int) -> Interpreter:
    return Interpreter(
        path=str(path), python=OWN, version="3.0.0", abi="cp30", has_headers=True, modified_ns=modified_ns
    )


def test_an_interpreter_is_not_asked_twice(tmp_path: Path) -> None:
    path = Path(sys.executable)
    known = own(path, path.stat().st_mtime_ns)

    assert remembered(tmp_path, known) == known


def test_an_interpreter_that_was_upgraded_in_place_is_asked_again(tmp_path: Path) -> None:
    path = Path(sys.executable)
    found = remembered(tmp_path, own(path, path.stat().st_mtime_ns - 1))

    assert found.version == ".".join(map(str, sys.version_info[:3]))
