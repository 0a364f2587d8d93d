"""A matrix of thousands of records: the page draws what is chosen, not what there is."""

from __future__ import annotations

import random
from itertools import product
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.keys import Keys

from gilgrid.dashboard import site
from gilgrid.model import Verdict
from gilgrid.recorded import recorded
from tests.browser.records import DEADLOCK, record, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.browser.conftest import Browser

CYTHONS = [f"3.{minor}.{patch}" for minor in range(3) for patch in range(4)]
SCIPYS = [f"1.{minor}.{patch}" for minor in range(7) for patch in range(3)]
PROBES = [f"probe{number:02}" for number in range(20)]
MATRIX = (
    f"""
[subject]
name = "large"
source = "large==1.0"
price = "seconds"

[axes.cython]
versions = {CYTHONS}

[axes.scipy]
versions = {SCIPYS}
"""
    + "".join(
        f"""
[[probe]]
name = "{probe}"
command = ["python", "-m", "large", "{probe}"]

[[expect]]
probe = "{probe}"
cython = ">=3.1"
scipy = "<1.3"
verdict = "deadlock"
because = "large#{number}"

[[claim]]
text = "{probe} needs Cython 3.1."
source = "large#{number}"
hangs = "{probe}"
within = {{ cython = ">=3.1" }}
"""
        for number, probe in enumerate(PROBES)
    )
    + f"""
[[remedy]]
name = "last"
text = "do as the last one"
probes = {{ {PROBES[0]} = "{PROBES[-1]}" }}
"""
)
MANY = len(CYTHONS) * len(SCIPYS) * len(PROBES)
COUNT = "return document.querySelectorAll('*').length"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, serve: Callable[[Path], str]) -> str:
    project, folder = tmp_path_factory.mktemp("large"), tmp_path_factory.mktemp("pages")
    verdicts = random.Random(0)  # noqa: S311 - nothing is kept secret by it
    output = "a line of what it printed\n" * 100
    write(
        project,
        MATRIX,
        (
            record(f"cython{cython}-scipy{scipy}", probe, Verdict.DEADLOCK, DEADLOCK, said=output)
            if verdicts.random() < 0.3
            else record(f"cython{cython}-scipy{scipy}", probe, Verdict.OK, said=output)
            for cython, scipy, probe in product(CYTHONS, SCIPYS, PROBES)
        ),
    )
    assert site.write(recorded(project / "matrix.toml"), folder) == MANY
    return serve(folder) + site.PAGE


def test_of_thousands_of_records_the_page_draws_one_grid(browser: Browser, large: str) -> None:
    assert MANY > 5000
    browser.open(large, shows="caption")
    cells = len(browser.driver.find_elements("css selector", "td.cell"))
    assert cells == len(CYTHONS) * len(SCIPYS)
    assert browser.script(COUNT) < 3000


def test_of_thousands_of_records_a_cell_of_another_probe_opens(browser: Browser, large: str) -> None:
    browser.open(large, shows="caption")
    browser.press_until(Keys.TAB, "#probe")
    browser.press(Keys.END)
    browser.wait_for("caption", PROBES[-1])
    browser.wait_for(f'td.cell a[data-cell="cp311-cython{CYTHONS[-1]}-scipy{SCIPYS[-1]}"]').click()
    browser.wait_for("#evidence h2", f"{PROBES[-1]} in cp311-cython{CYTHONS[-1]}-scipy{SCIPYS[-1]}")
    assert browser.script(COUNT) < 3000


def test_of_thousands_of_records_the_claims_name_some_and_count_the_rest(
    browser: Browser, large: str
) -> None:
    browser.open(large + "#claims")
    assert "more" in browser.text("table")
    assert browser.script(COUNT) < 3000
