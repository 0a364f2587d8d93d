"""Pages served on this machine, and a browser that can reach no other."""

from __future__ import annotations

import json
import shutil
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from gilgrid.dashboard import site
from gilgrid.dashboard.serve import server
from gilgrid.recorded import recorded
from gilgrid.records import BUILDS
from tests.browser.records import FAILED, MATRIX, RECORDS, SAMPLES, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from selenium.webdriver.remote.webelement import WebElement

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRIVER = "chromedriver"
PATIENCE_S = 60.0
"""How long a page may take to show something before a test gives up; never how long it should take."""
DESKTOP = (1280, 900)
PHONE = (390, 844)
AXE = resources.files("selenium_axe_python").joinpath("axe-core/axe.min.js").read_text(encoding="utf-8")
RUN_AXE = "axe.run().then(arguments[0], (error) => arguments[0]({ error: String(error) }))"
FOCUSED = "return document.activeElement.matches(arguments[0])"


class Browser:
    """What a reader does with the pages, and what the browser tells of them."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver
        self._first = driver.current_window_handle

    def open(self, address: str, *, shows: str = "h1") -> WebElement:
        """Load an address anew, and wait until it shows what the selector names."""
        self.driver.get("about:blank")  # else another part of the same page would be no new load
        self.driver.get(address)
        return self.wait_for(shows)

    def wait_for(self, selector: str, text: str = "") -> WebElement:
        """Wait for an element that is shown and has that text."""

        def found(driver: webdriver.Chrome) -> WebElement | None:
            shown = (one for one in driver.find_elements(By.CSS_SELECTOR, selector) if one.is_displayed())
            return next((one for one in shown if text in one.text), None)

        element: WebElement = self._wait(found, f"no {selector} with {text!r} is shown")
        return element

    def wait_until(self, script: str, *arguments: Any) -> Any:
        """Wait until a script returns something that is true."""
        return self._wait(lambda driver: driver.execute_script(script, *arguments), script)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def press_until(self, key: str, focused: str) -> None:
        """Press a key until the focus is on what the selector names; no page has that many places."""
        for _ in range(50):
            self.press(key)
            if self.script(FOCUSED, focused):
                return
        pytest.fail(f"{focused} cannot be reached by keyboard")

    def script(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def text(self, selector: str = "main") -> str:
        """What a reader reads of it, on one line."""
        return " ".join(self.wait_for(selector).text.split())

    def is_shown_as(self, *, size: tuple[int, int] = DESKTOP, scheme: str = "light") -> None:
        """From now on the screen has this size and the reader prefers that scheme."""
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        preferred = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", preferred)

    @contextmanager
    def fresh_window(self) -> Iterator[None]:
        """A window without a history."""
        self.driver.switch_to.new_window("window")
        try:
            yield
        finally:
            self.driver.close()
            self.driver.switch_to.window(self._first)

    def errors(self) -> list[str]:
        """What the console has had of errors since the last time of asking."""
        return [one["message"] for one in self._log("browser") if one["level"] == "SEVERE"]

    def requests(self) -> list[str]:
        """The addresses that were asked for since the last time of asking."""
        messages = [json.loads(one["message"])["message"] for one in self._log("performance")]
        asked = [one["params"] for one in messages if one["method"] == "Network.requestWillBeSent"]
        sockets = [one["params"]["url"] for one in messages if one["method"] == "Network.webSocketCreated"]
        return [one["request"]["url"] for one in asked] + sockets

    def violations(self) -> dict[str, list[str]]:
        """By axe's rule, the elements that violate it."""
        self.script(AXE)
        told = self.driver.execute_async_script(RUN_AXE)
        assert told.get("error") is None
        return {
            found["id"]: [node["html"] + node["failureSummary"] for node in found["nodes"]]
            for found in told["violations"]
        }

    def forget(self) -> None:
        """Be as it was when it was started, apart from its cache."""
        self.driver.get("about:blank")
        self.is_shown_as()
        self.errors()
        self.requests()

    def _log(self, name: str) -> list[dict[str, Any]]:
        """What a log has had since the last time of asking."""
        return list(self.driver.get_log(name))  # type: ignore[no-untyped-call]  # Selenium has none here

    def _wait(self, condition: Callable[[webdriver.Chrome], Any], otherwise: str) -> Any:
        # A page may draw itself anew between two looks at it.
        patience = WebDriverWait(self.driver, PATIENCE_S, 0.05, [StaleElementReferenceException])
        return patience.until(condition, otherwise)


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("there is no Chromium here: install it, on Debian the package chromium")
    driver = shutil.which(DRIVER)
    if driver is None:
        pytest.skip(f"there is no {DRIVER} here: install it, on Debian the package chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ):
        options.add_argument(argument)
    # With both paths given, Selenium looks for neither, and fetches neither.
    with webdriver.Chrome(options=options, service=Service(executable_path=driver)) as chrome:
        chrome.set_script_timeout(PATIENCE_S)
        yield Browser(chrome)


@pytest.fixture
def browser(started: Browser) -> Browser:
    started.forget()
    return started


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Path], str]]:
    """Serves folders; each has an address of its own."""
    with ExitStack() as served:

        def of(folder: Path) -> str:
            one = served.enter_context(server(folder, 0))
            served.callback(one.shutdown)
            threading.Thread(target=one.serve_forever, daemon=True).start()
            return f"http://127.0.0.1:{one.server_port}/"

        yield of


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory, serve: Callable[[Path], str]) -> str:
    """The page of a small matrix."""
    project, folder = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("pages")
    log = project / BUILDS / "key.log"
    log.parent.mkdir(parents=True)
    log.write_text("cc -O2 <all of it>", encoding="utf-8")
    write(project, MATRIX, [replace(one, build_log=str(log)) for one in RECORDS])
    of = recorded(project / "matrix.toml")
    written = site.write(of, folder, samples=SAMPLES, failures=FAILED)
    assert written == len(RECORDS)
    return serve(folder) + site.PAGE
