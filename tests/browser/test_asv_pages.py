"""asv's own pages, with gilgrid's beside them: published from a real run, looked at without a network."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from gilgrid.dashboard import site
from tests.matrix.benchmarked import AXES, PROBES, Benchmarked
from tests.matrix.conftest import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.browser.conftest import Browser

SUITE = """
from tiny import _tiny

def time_well():
    assert _tiny.answer() == 42

def time_raise():
    raise RuntimeError("as asked for")

class Sizes:
    params = [1, 2]
    def track_twice(self, n):
        return 2 * n
"""
GRID = "#summarygrid-display .benchmark-plot .flot-base"
GRAPH = "#main-graph .flot-base"
VIEWS = {
    "#/": GRID,
    "#/?sort=name": GRID,
    "#/summarylist": "#summarylist-body table",
    "#/summarylist?sort=1&dir=desc": "#summarylist-body table",
    "#/regressions": "#regressions-body table",
    "#suite.time_well": GRAPH,
    "#suite.time_well?x-axis-scale=date": GRAPH,
    "#matrix.probes.answer": GRAPH,
    "#matrix.probes.answer?x-axis=iniconfig": GRAPH,
}
HAS_A_SERIES = """
const canvas = document.querySelector(arguments[0]);
const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
const series = $.asv.colors.map((one) => parseInt(one.slice(1), 16));
for (let i = 0; i < data.length; i += 4) {
  if (data[i + 3] === 255 && series.includes(data[i] * 65536 + data[i + 1] * 256 + data[i + 2])) {
    return true;
  }
}
return false;
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, serve: Callable[[Path], str]) -> Iterator[str]:
    """The address of what asv has published of two commits and of the matrix."""
    if not shutil.which(os.environ.get("CC", "cc")):
        pytest.skip("there is no C compiler here: install gcc or clang")
    project = Project(tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("cache"))
    try:
        benchmarked = Benchmarked(project)
        project.write(AXES + PROBES)
        # asv's pages ask for a graph of every benchmark there is, so each is run.
        (benchmarked.folder / "benchmarks/suite.py").write_text(SUITE, encoding="utf-8")
        for _ in range(2):
            project.change_source()
            benchmarked.commit()
            benchmarked.run()
        assert project.run().code == 1  # something raises, and no rule expects it
        assert project.run("show", "--format", "asv").code == 0
        done = benchmarked.asv("publish", "--no-pull")
        assert done.code == 0, done.out + done.err
        yield serve(benchmarked.folder / ".asv/html")
    finally:
        project.clean_up()


def assert_no_error(browser: Browser) -> None:
    """Neither in the console nor where asv itself tells of one.

    asv asks for a benchmark's graph in every environment that any has, and draws those that are there.
    """
    assert [error for error in browser.errors() if not re.search(r"/graphs/arch-\S+ - .* 404 ", error)] == []
    assert browser.script("return document.querySelector('#error-message').textContent.trim()") == ""
    assert urlsplit(browser.driver.current_url).path == "/index.html"


@pytest.mark.parametrize(("view", "shows"), VIEWS.items(), ids=VIEWS)
def test_a_page_of_asvs_is_drawn_and_asks_no_other_machine(
    browser: Browser, published: str, view: str, shows: str
) -> None:
    browser.open(f"{published}index.html{view}", shows=shows)
    assert_no_error(browser)
    asked = [urlsplit(one) for one in browser.requests()]
    assert {one.netloc for one in asked if one.scheme != "data"} == {urlsplit(published).netloc}


@pytest.mark.parametrize("view", [view for view, shows in VIEWS.items() if shows == GRAPH])
def test_a_graph_has_its_series(browser: Browser, published: str, view: str) -> None:
    browser.open(f"{published}index.html{view}", shows=GRAPH)
    browser.wait_until(HAS_A_SERIES, GRAPH)


def test_the_list_has_the_benchmarks_by_version_and_the_matrix_where_none_is_chosen(
    browser: Browser, published: str
) -> None:
    browser.open(f"{published}index.html#/summarylist", shows="#summarylist-body table")
    assert "suite.time_well" in browser.text("#summarylist-body")
    browser.wait_for("#summarylist-navigation a", "[none]").click()
    browser.wait_for("#summarylist-body table", "probes: Share of repeats that end well")
    assert_no_error(browser)


def test_who_comes_without_a_hash_sees_the_matrix_and_finds_asvs_pages_and_back(
    browser: Browser, published: str
) -> None:
    browser.open(published + "index.html", shows="h1")
    assert urlsplit(browser.driver.current_url).path == f"/{site.PAGE}"
    browser.wait_for("nav a", "Benchmarks").click()
    browser.wait_for(GRID)
    browser.driver.back()
    assert browser.wait_for("h1").text == "Compatibility"
    browser.driver.forward()
    browser.wait_for(GRID)
    browser.wait_for("nav a", "Compatibility").click()
    assert browser.wait_for("h1").text == "Compatibility"
    assert browser.errors() == []


def test_from_a_benchmark_back_leads_to_the_grid_of_all(browser: Browser, published: str) -> None:
    browser.open(published + "index.html#/", shows=GRID)
    browser.wait_for('a[href="#suite.time_well"]').click()
    browser.wait_for(GRAPH)
    browser.driver.back()
    browser.wait_for(GRID)
    assert_no_error(browser)
