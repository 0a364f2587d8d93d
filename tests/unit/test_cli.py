"""What a person reads of a machine that is full, closed or old: a sentence, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gilgrid.cli import main
from gilgrid.errors import ExitCode
from gilgrid.model import Cell, Record, Verdict
from gilgrid.records import Records

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
[subject]
name = "tiny"
source = "tiny"
[axes.scipy]
versions = ["1.10.1", "1.17.1"]
[[cross]]
build = { scipy = "==1.10.1" }
run = { scipy = "1.17.1" }
[[probe]]
name = "p"
command = ["x"]
"""


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "pyproject.toml").write_text("[project]\nname = 'tiny'\n")
    file = tmp_path / "matrix.toml"
    file.write_text(TEXT)
    return file


def test_a_cache_folder_that_cannot_be_is_told_by_its_name(
    matrix: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GILGRID_CACHE_DIR", str(matrix / "cache"))
    monkeypatch.setattr("gilgrid.interpreters._find", list)  # looking for real ones takes seconds

    code = main(["plan", "--matrix", str(matrix)])

    assert code == ExitCode.GILGRID_FAILED
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{matrix / 'cache'}: Not a directory")


def test_a_cache_folder_that_no_search_path_can_hold_is_refused(
    matrix: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GILGRID_CACHE_DIR", str(matrix.parent / "a:b"))

    code = main(["plan", "--matrix", str(matrix)])

    assert code == ExitCode.MISTAKE
    assert capsys.readouterr().err.startswith(f"{matrix.parent}/a:b: ':' cannot be part of a cache folder")


def test_an_old_locale_gets_the_tables_too(matrix: Path) -> None:
    Records.of(matrix.parent).write(
        Record(
            cell=Cell.parse("cp311-scipy1.10.1-run1.17.1"),
            probe="p",
            verdict=Verdict.OK,
            reason="",
            inputs="",
            measured_at="2026-01-01T00:00:00+00:00",
            seconds=1.0,
        )
    )

    done = subprocess.run(
        [sys.executable, "-m", "gilgrid.cli", "show", "--matrix", matrix],
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"1.17.1" in done.stdout


@pytest.mark.parametrize("command", ["plan", "run", "compare A B", "news"])
def test_an_unknown_option_is_told_with_the_usage_of_its_command(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--wrong"])
    assert ended.value.code == ExitCode.MISTAKE
    told = capsys.readouterr().err
    assert told.startswith(f"usage: gilgrid {command.split(maxsplit=1)[0]} ")
    assert "unrecognized arguments: --wrong" in told
