"""The page of the matrix, as a reader uses it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from gilgrid.dashboard import site
from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.records import COMMIT, ENVIRONMENT

if TYPE_CHECKING:
    from tests.browser.conftest import Browser

HUNG = "cp311-cython3.0.12-scipy1.10.1"
FAILED = "cp311-cython3.0.12-scipy1.17.1"
OF_HUNG = f'td.cell a[data-cell="{HUNG}"]'
EVIDENCE = "#evidence h2"
NAVIGATION = re.findall(r'href="(#\w+)"', (site.PAGES / site.PAGE).read_text(encoding="utf-8"))
FAILED_BENCHMARK = f"#failed?commit={COMMIT}&environment={ENVIRONMENT}&benchmark=suite.time_hang"
VIEWS = (
    *NAVIGATION,
    f"#grid?probe=held&cell={HUNG}",
    f"#grid?probe=held&cell={FAILED}",
    "#grid?probe=held&run=1.17.1",
    "#versions?benchmark=released",
    FAILED_BENCHMARK,
)
SCROLLS_SIDEWAYS = """
return [...document.querySelectorAll("body, body *")].filter((one) =>
  one.scrollWidth > one.clientWidth && ["auto", "scroll"].includes(getComputedStyle(one).overflowX)
).map((one) => one.matches("pre, .wide:has(> table)") ? "" : one.outerHTML).filter(Boolean);
"""
HAS_OUTLINE = """
const style = getComputedStyle(document.activeElement);
return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
"""

# Keeps an answer back until `release` is called, which calls back once the page has had time to draw it.
HOLD_BACK = """
const [name, fetched] = [arguments[0], window.fetch];
window.fetch = (path) => path.includes(name) ? new Promise((answer) => {
  window.release = async (done) => {
    const found = await (await fetched(path)).json();
    answer({ ok: true, json: () => found });
    setTimeout(done);
  };
}) : fetched(path);
"""


def shown(browser: Browser, view: str) -> None:
    """Wait until a view has drawn itself; a cell's evidence is loaded last."""
    browser.wait_for(EVIDENCE if "cell=" in view else "svg.chart" if "versions" in view else "h1")


def choose(browser: Browser, choice: str, text: str) -> None:
    """As a mouse does in a list."""
    Select(browser.wait_for(choice)).select_by_visible_text(text)


def test_a_grid_has_a_sign_and_a_word_for_every_verdict(browser: Browser, address: str) -> None:
    browser.open(address + "#grid?probe=held")
    read = browser.text()
    assert "0.29.37 ✓ ok ✓ ok" in read
    assert "3.0.12 ⊗ deadlock ! failed (unexpected)" in read
    assert "Choose a cell" in read


def test_without_a_part_it_shows_the_first_probe(browser: Browser, address: str) -> None:
    browser.open(address)
    assert browser.script("return document.querySelector('#probe').value") == "held"
    assert "⊗ deadlock" in browser.text("table")


def test_a_cell_opens_its_evidence(browser: Browser, address: str) -> None:
    browser.open(f"{address}#grid?probe=held&cell={HUNG}", shows=EVIDENCE)
    read = browser.text("#evidence")
    assert "as expected: tiny#1" in read
    assert "release the GIL ✓ cures it 1.00" in read
    circle = browser.wait_for("svg.circle").get_attribute("aria-label")
    assert circle == "thread 1 (main) waits: at an OpenMP barrier; then thread 2 waits: for the GIL"


def test_a_click_opens_a_cell(browser: Browser, address: str) -> None:
    browser.open(address)
    browser.wait_for(OF_HUNG).click()
    browser.wait_for(EVIDENCE, f"held in {HUNG}")
    assert browser.wait_for('td.cell a[aria-current="true"]').get_attribute("data-cell") == HUNG


def test_the_keyboard_alone_opens_a_cell_and_the_focus_stays_on_it(browser: Browser, address: str) -> None:
    browser.open(address)
    browser.press_until(Keys.TAB, OF_HUNG)
    assert browser.script(HAS_OUTLINE)
    browser.press(Keys.ENTER)
    browser.wait_for(EVIDENCE, f"held in {HUNG}")
    assert browser.script("return document.activeElement.dataset.cell") == HUNG
    assert browser.script(HAS_OUTLINE)


def test_the_keyboard_chooses_a_probe_and_the_focus_stays_on_the_choice(
    browser: Browser, address: str
) -> None:
    browser.open(address)
    browser.press_until(Keys.TAB, "#probe")
    browser.press(Keys.ARROW_DOWN)
    browser.wait_for("caption", "released")
    assert browser.script("return document.activeElement.value") == "released"
    browser.press(Keys.ARROW_UP)
    browser.wait_for("caption", "held")


def test_a_remedys_link_leads_to_its_cell_and_back_leads_back(browser: Browser, address: str) -> None:
    browser.open(f"{address}#grid?probe=held&cell={HUNG}", shows=EVIDENCE)
    browser.wait_for("#evidence a", "released").click()
    browser.wait_for(EVIDENCE, f"released in {HUNG}")
    assert browser.text("caption") == "released, Python 3.11"
    browser.driver.back()
    browser.wait_for(EVIDENCE, f"held in {HUNG}")
    assert browser.text("caption") == "held, Python 3.11"


def test_after_a_link_that_draws_the_page_anew_the_keyboard_goes_on_in_it(
    browser: Browser, address: str
) -> None:
    browser.open(f"{address}#grid?probe=held&cell={HUNG}", shows=EVIDENCE)
    browser.press_until(Keys.TAB, "#evidence a")
    browser.press(Keys.ENTER)
    browser.wait_for(EVIDENCE, f"released in {HUNG}")
    assert browser.script("return document.activeElement.id") == "main"
    browser.press(Keys.TAB)
    assert browser.script("return document.activeElement.id") == "probe"


def test_an_address_opens_the_same_view_in_another_window(browser: Browser, address: str) -> None:
    browser.open(address)
    browser.wait_for(OF_HUNG).click()
    browser.wait_for(EVIDENCE, HUNG)
    copied, seen = browser.driver.current_url, browser.text()
    with browser.fresh_window():
        browser.open(copied, shows=EVIDENCE)
        assert browser.text() == seen
        assert browser.wait_for('td.cell a[aria-current="true"]').get_attribute("data-cell") == HUNG


def test_what_a_probe_prints_is_text(browser: Browser, address: str) -> None:
    browser.open(f"{address}#grid?probe=held&cell={FAILED}", shows=EVIDENCE)
    assert browser.text("#evidence").count("<b>bold</b>") == 2  # the reason and the output
    assert browser.driver.find_elements("css selector", "main img, main b") == []
    assert "taken over" not in browser.driver.title


def test_claims_are_told_with_the_cells_that_decide(browser: Browser, address: str) -> None:
    browser.open(address + "#claims")
    read = browser.text()
    assert "✓ confirmed It needs Cython 3. tiny#2" in read
    assert "release the GIL 1 of 1" in read


def test_a_claim_leads_to_the_cell_that_decides_it(browser: Browser, address: str) -> None:
    browser.open(address + "#claims")
    browser.wait_for("main a", HUNG).click()
    browser.wait_for(EVIDENCE, f"held in {HUNG}")
    assert browser.wait_for('td.cell a[aria-current="true"]').get_attribute("data-cell") == HUNG


def test_a_cell_that_nothing_is_known_of_says_so(browser: Browser, address: str) -> None:
    browser.open(address + "#grid?probe=held&cell=cp311-cython9-scipy9")
    browser.wait_for("#evidence", "Nothing is recorded of held in cp311-cython9-scipy9.")


def test_evidence_that_comes_late_does_not_replace_what_was_asked_for_since(
    browser: Browser, address: str
) -> None:
    browser.open(address)
    browser.script(HOLD_BACK, "held.json")
    browser.script("location.hash = arguments[0]", f"#grid?probe=held&cell={HUNG}")
    browser.wait_until("return Boolean(window.release)")
    browser.script("location.hash = arguments[0]", f"#grid?probe=unknown&cell={HUNG}")
    browser.wait_for("#evidence", "Nothing is recorded of unknown")
    browser.driver.execute_async_script("release(arguments[0])")
    assert browser.text("#evidence") == f"Nothing is recorded of unknown in {HUNG}."


def test_a_grid_is_of_the_python_and_the_run_time_version_that_are_chosen(
    browser: Browser, address: str
) -> None:
    browser.open(address + "#grid?probe=held")
    assert browser.text("thead") == "cython \\ scipy 1.10.1 1.17.1 1.10.1 → 1.17.1"
    choose(browser, "#run", "1.17.1")
    browser.wait_until("return document.querySelectorAll('thead th').length === 3")
    assert browser.text("thead") == "cython \\ scipy 1.17.1 1.10.1 → 1.17.1"
    assert "3.0.12 ! failed (unexpected) ⊗ deadlock" in browser.text("table")
    choose(browser, "#group", "3.12")
    browser.wait_for("table", "≠ wrong")
    assert "group=Python+3.12&run=1.17.1" in browser.driver.current_url


def test_what_a_remedy_makes_of_a_probe_has_evidence_and_no_grid(browser: Browser, address: str) -> None:
    browser.open(f"{address}#grid?probe=held%2Bother&cell={HUNG}")
    browser.wait_for("#evidence", f"Nothing is recorded of held+other in {HUNG}.")
    assert "held+other has no grid" in browser.text()
    assert browser.script("return document.querySelector('#probe').value") == "held+other"
    choose(browser, "#probe", "held")
    browser.wait_for("caption", "held")


def test_a_screen_reader_is_told_what_has_come_and_not_all_of_it(browser: Browser, address: str) -> None:
    browser.open(f"{address}#grid?probe=held&cell={HUNG}", shows=EVIDENCE)
    said = browser.script("return document.querySelector('[role=status]').textContent")
    assert said == f"held in {HUNG}: deadlock. What was found is below."


def test_a_cell_shows_the_output_of_its_build(browser: Browser, address: str) -> None:
    browser.open(f"{address}#grid?probe=held&cell={HUNG}", shows=EVIDENCE)
    browser.wait_for("#evidence a", "its whole output").click()
    browser.wait_for("pre", "cc -O2 <all of it>")
    browser.driver.back()
    browser.wait_for(EVIDENCE, f"held in {HUNG}")


def test_versions_are_told_with_their_steps(browser: Browser, address: str) -> None:
    browser.open(address + "#versions", shows="svg.chart")
    read = browser.text()
    assert "suite.time_solve (callback, 2) over scipy" in read
    assert "with 1.9.3 1.10.1 1.17.1" in read
    with_range = "3.1 ms 3.04 ms to 3.16 ms"
    last = "1 ms 980 µs to 1.02 ms ▼ 3.1 times faster"
    assert f"Python 3.11, cython 0.29.37 {with_range} {with_range} {last}" in read
    assert "scipy 1.17.1: 3.1 times faster suite.time_solve (callback, 2) 2 of 2" in read
    assert len(browser.driver.find_elements("css selector", "svg.chart path.line")) == 2


def test_a_benchmark_and_a_dependency_are_chosen_and_are_in_the_address(
    browser: Browser, address: str
) -> None:
    browser.open(address + "#versions", shows="svg.chart")
    choose(browser, "#axis", "cython")
    browser.wait_for("h2", "suite.time_solve (callback, 2) over cython")
    choose(browser, "#benchmark", "held")
    browser.wait_for("h2", "held (seconds) over cython")
    copied, seen = browser.driver.current_url, browser.text()
    with browser.fresh_window():
        browser.open(copied, shows="svg.chart")
        assert browser.text() == seen
    browser.driver.back()
    browser.wait_for("h2", "suite.time_solve (callback, 2) over cython")


def test_a_benchmark_that_failed_opens_its_evidence(browser: Browser, address: str) -> None:
    browser.open(address + "#failed")
    read = browser.text()
    assert f"suite.time_hang ⊗ deadlock {ENVIRONMENT} 01234567 the GIL" in read
    assert "suite.time_solve(callback, 4) ! failed" in read
    browser.wait_for("main a", "suite.time_hang").click()
    browser.wait_for(EVIDENCE, f"suite.time_hang in {HUNG} at 01234567")
    assert f"asv run -E {ENVIRONMENT} --bench suite.time_hang '{COMMIT}^!'" in browser.text("#evidence")
    assert browser.wait_for("svg.circle").is_displayed()
    browser.driver.back()
    browser.wait_until("return !document.querySelector('#evidence h2')")
    browser.wait_for("main a", "suite/../odd").click()
    browser.wait_for(EVIDENCE, f"suite/../odd in {HUNG} at 01234567")


# Every view


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_has_no_error_and_asks_no_other_machine(browser: Browser, address: str, view: str) -> None:
    browser.open(address + view)
    shown(browser, view)
    asked = [urlsplit(one) for one in browser.requests()]
    assert {one.netloc for one in asked if one.scheme != "data"} == {urlsplit(address).netloc}
    assert browser.errors() == []


@pytest.mark.parametrize("view", VIEWS)
def test_on_a_phone_only_tables_and_what_was_printed_scroll_sideways(
    browser: Browser, address: str, view: str
) -> None:
    browser.is_shown_as(size=PHONE)
    browser.open(address + view)
    shown(browser, view)
    # Not innerWidth: a phone makes that as wide as what it has to show.
    assert browser.script("return document.scrollingElement.scrollWidth") <= PHONE[0]
    assert browser.script(SCROLLS_SIDEWAYS) == []


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_view_has_no_barrier_that_axe_knows(
    browser: Browser, address: str, view: str, scheme: str, size: tuple[int, int]
) -> None:
    browser.is_shown_as(size=size, scheme=scheme)
    browser.open(address + view)
    shown(browser, view)
    assert browser.script("return matchMedia(`(prefers-color-scheme: ${arguments[0]})`).matches", scheme)
    assert browser.violations() == {}


def test_axe_finds_a_barrier_where_there_is_one(browser: Browser, address: str) -> None:
    browser.open(address)
    browser.script("document.querySelector('#title').style.color = '#eee'")
    browser.script("document.querySelector('label').replaceWith(document.querySelector('#probe'))")
    assert set(browser.violations()) == {"color-contrast", "select-name"}
