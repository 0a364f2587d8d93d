"""What documents show can be read by gilgrid, and what they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gilgrid import config

ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=["one subject", "several subjects"])
def test_an_example_of_the_readme_is_a_matrix_without_mistakes(example: str) -> None:
    # What it leaves out is told beside it: the probe that the rules and claims name.
    further = ["touched"] if "[[subject]]" not in example else []
    probes = "".join(f'[[probe]]\nname = "{name}"\ncommand = ["x"]\n' for name in further)
    axes = '[axes.assertions]\nversions = ["0"]\nstages = ["build"]\n' if further else ""

    config.parse(f"{example}\n{axes}{probes}", ROOT / "matrix.toml", shown="README.md")


def test_every_probe_that_stands_behind_a_sentence_is_one_of_the_matrix() -> None:
    page = (ROOT / "docs" / "bindings.md").read_text(encoding="utf-8")
    named = {
        name
        for bracket in re.findall(r"\[(`[^\]]+)\](?!\()", page)
        for name in re.findall(r"`([\w+-]+)`", bracket)
    }
    known = {probe.name for probe in config.load(ROOT / "matrix.toml").probes}

    assert len(named) > 10
    assert sorted(name for name in named if name not in known and not name.startswith("-run")) == []
