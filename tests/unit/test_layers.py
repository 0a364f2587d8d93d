"""The order of the house, checked on its imports (contracts in ``pyproject.toml``) and on its words."""

from __future__ import annotations

from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "gilgrid").rglob("*.py"))


def test_imports_run_downward_only(capsys: pytest.CaptureFixture[str]) -> None:
    code = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)

    assert code == 0, capsys.readouterr().out


@pytest.mark.parametrize("word", ["kernels", "lapack"])
def test_no_module_knows_the_bundled_subject(word: str) -> None:
    assert [path.name for path in SOURCES if word in path.read_text(encoding="utf-8").lower()] == []
