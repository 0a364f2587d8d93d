"""What documents show can be read by gilgrid, and what they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gilgrid import config

ROOT = Path(__file__).parents[2]
TESTS = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
PYTHON = {"kernels-python", "kernels-ctypes"}  # which has the probe that times them all
EXAMPLES = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=["one subject", "several subjects"])
def test_an_example_of_the_readme_is_a_matrix_without_mistakes(example: str) -> None:
    # What it leaves out is told beside it: the probe that the rules and claims name.
    further = ["touched"] if "[[subject]]" not in example else []
    probes = "".join(f'[[probe]]\nname = "{name}"\ncommand = ["x"]\n' for name in further)
    axes = '[axes.assertions]\nversions = ["0"]\nstages = ["build"]\n' if further else ""

    config.parse(f"{example}\n{axes}{probes}", ROOT / "matrix.toml", shown="README.md")


SECTIONS = re.split(r"^## ", (ROOT / "docs" / "bindings.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
OF_ONE_SUBJECT = {
    "pybind11": {"kernels-pybind11"},
    "ctypes": {"kernels-ctypes"},
    "Python threads": PYTHON,
    "Processes": PYTHON,
}


@pytest.mark.parametrize("section", SECTIONS[1:], ids=lambda section: section.partition("\n")[0])
def test_every_probe_that_stands_behind_a_sentence_is_one_of_what_it_is_about(section: str) -> None:
    named = {
        name
        for bracket in re.findall(r"\[(`[^\]]+)\](?!\()|\| (`[^|]+`) \|$", section, re.MULTILINE)
        for name in re.findall(r"`([\w+-]+)`", "".join(bracket))
        if not re.match(r"-run|assertions\d", name)  # cells
    }
    subjects = {probe.name: probe.subject for probe in config.load(ROOT / "matrix.toml").probes}
    about = OF_ONE_SUBJECT.get(section.partition("\n")[0], set(subjects.values()))

    assert named
    assert {name: subjects.get(name) for name in named if subjects.get(name) not in about} == {}


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_every_test_that_stands_behind_a_sentence_is_there(page: Path) -> None:
    named = set(re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8")))

    assert sorted(name for name in named if f"def {name}(" not in TESTS) == []
