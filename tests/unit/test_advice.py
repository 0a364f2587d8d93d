"""Every cause has advice that can be followed, and a section of its own in the documents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gilgrid.advice import ADVICE
from gilgrid.evidence import Cause

DOCUMENT = (Path(__file__).parents[2] / "docs" / "causes.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_advice(cause: Cause) -> None:
    advice = ADVICE[cause]

    assert not advice.title.startswith(("The ", "A "))
    assert not advice.title.endswith(".")
    assert advice.why.endswith(".")
    assert advice.change
    assert all(change.endswith(".") for change in advice.change)


@pytest.mark.parametrize("cause", Cause)
def test_a_link_fits_the_line_that_it_stands_on(cause: Cause) -> None:
    assert re.fullmatch(r"https://[^\s<>()]{1,70}", ADVICE[cause].link)


def test_no_two_causes_have_the_same_title() -> None:
    assert len({advice.title for advice in ADVICE.values()}) == len(Cause)


def test_the_documents_have_a_section_for_each_cause_in_order() -> None:
    assert re.findall(r"^## (\S+)$", DOCUMENT, re.MULTILINE) == [str(cause) for cause in Cause]


@pytest.mark.parametrize("cause", Cause)
def test_a_section_links_to_the_same_rule(cause: Cause) -> None:
    section = DOCUMENT.split(f"\n## {cause}\n")[1].split("\n## ")[0]

    assert ADVICE[cause].link in section
