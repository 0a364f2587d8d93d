"""The page of the matrix in a real browser, which can reach this machine alone."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from gilgrid.dashboard import site
from gilgrid.evidence import Cause, Evidence, Waiter
from gilgrid.model import Attempt, Cell, Record, Verdict
from gilgrid.recorded import recorded
from gilgrid.records import Records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MATRIX = """
[subject]
name = "tiny"
source = "tiny==1.0"
price = "seconds"

[axes.cython]
versions = ["0.29.37", "3.0.12"]

[axes.scipy]
versions = ["1.10.1", "1.17.1"]

[[probe]]
name = "held"
command = ["python", "-m", "tiny", "held"]

[[probe]]
name = "released"
command = ["python", "-m", "tiny", "released"]

[[expect]]
probe = "held"
cython = ">=3"
scipy = "<1.11"
verdict = "deadlock"
because = "tiny#1"

[[remedy]]
name = "release"
text = "release the GIL"
probes = { held = "released" }

[[claim]]
text = "It needs Cython 3."
source = "tiny#2"
hangs = "held"
within = { cython = ">=3" }
"""
MARKUP = '<img src="nowhere" onerror="document.title = \'taken over\'"> & <b>bold</b>'
WAITS = (
    Waiter(pid=1, tid=1, process="python", is_main=True, holds_gil=True, waits_for="at an OpenMP barrier"),
    Waiter(pid=1, tid=2, process="python", waits_for="for the GIL"),
)
DEADLOCK = Evidence(
    cause=Cause.GIL_VS_OPENMP_BARRIER, threads=WAITS, cycle=(1, 2), detected_after=0.4, cpus_used=0.0
)


def record(
    cell: str, probe: str, verdict: Verdict, evidence: Evidence | None = None, said: str = ""
) -> Record:
    attempt = Attempt(
        verdict=verdict,
        seconds=0.5,
        cpu_seconds=0.1,
        reason=said,
        output=said,
        evidence=evidence,
        metrics={} if evidence else {"seconds": 0.25},
    )
    return Record(
        cell=Cell.parse(f"cp311-{cell}"),
        probe=probe,
        verdict=verdict,
        reason=said,
        inputs="",
        measured_at="2026-11-01T00:00:00+00:00",
        seconds=0.5,
        attempts=(attempt,),
    )


RECORDS = (
    record("cython0.29.37-scipy1.10.1", "held", Verdict.OK),
    record("cython0.29.37-scipy1.17.1", "held", Verdict.OK),
    record("cython3.0.12-scipy1.10.1", "held", Verdict.DEADLOCK, DEADLOCK, "the GIL against a barrier"),
    record("cython3.0.12-scipy1.17.1", "held", Verdict.FAILED, said=MARKUP),
    record("cython3.0.12-scipy1.10.1", "released", Verdict.OK),
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    project, folder = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("pages")
    (project / "matrix.toml").write_text(MATRIX, encoding="utf-8")
    records = Records.of(project)
    for one in RECORDS:
        records.write(one)
    assert site.write(recorded(project / "matrix.toml"), folder) == len(RECORDS)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{site.PAGE}"
        server.shutdown()


@pytest.fixture
def page(address: str, tmp_path: Path) -> Callable[[str], str]:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("there is no Chromium here: install it, on Debian the package chromium")

    def drawn(part: str) -> str:
        """The document at that part of the page, once it has drawn itself."""
        done = subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                f"--user-data-dir={tmp_path}",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                "--virtual-time-budget=5000",
                "--dump-dom",
                address + part,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            check=True,
        )
        return done.stdout

    return drawn


def text(document: str) -> str:
    """What a reader reads of it."""
    return " ".join(re.sub(r"<[^>]*>", " ", document).split())


def test_a_grid_has_a_sign_and_a_word_for_every_verdict(page: Callable[[str], str]) -> None:
    shown = text(page("#grid?probe=held"))
    assert "0.29.37 ✓ ok ✓ ok" in shown
    assert "3.0.12 ⊗ deadlock ! failed (unexpected)" in shown
    assert "Choose a cell" in shown


def test_without_a_part_it_shows_the_first_probe(page: Callable[[str], str]) -> None:
    document = page("")
    assert '<option value="held" selected=""' in document
    assert "⊗ deadlock" in text(document)


def test_a_cell_opens_its_evidence(page: Callable[[str], str]) -> None:
    document = page("#grid?probe=held&cell=cp311-cython3.0.12-scipy1.10.1")
    shown = text(document)
    assert "as expected: tiny#1" in shown
    assert (
        'aria-label="thread 1 (main) waits: at an OpenMP barrier; then thread 2 waits: for the GIL"'
        in document
    )
    assert "release the GIL ✓ cures it 1.00" in shown
    assert 'aria-current="true"' in document


def test_what_a_probe_prints_is_text(page: Callable[[str], str]) -> None:
    document = page("#grid?probe=held&cell=cp311-cython3.0.12-scipy1.17.1")
    assert "<img" not in document
    assert "<b>" not in document
    assert document.count("&lt;b&gt;bold&lt;/b&gt;") == 2  # the reason and the output
    assert "taken over" not in re.findall("<title>(.*?)</title>", document)[0]


def test_claims_are_told_with_the_cells_that_decide(page: Callable[[str], str]) -> None:
    document = page("#claims")
    assert "✓ confirmed It needs Cython 3. tiny#2" in text(document)
    assert 'href="#grid?probe=held&amp;cell=cp311-cython3.0.12-scipy1.10.1"' in document
    assert "release the GIL 1 of 1" in text(document)


def test_a_cell_that_nothing_is_known_of_says_so(page: Callable[[str], str]) -> None:
    shown = text(page("#grid?probe=held&cell=cp311-cython9-scipy9"))
    assert "Nothing is recorded of held in cp311-cython9-scipy9." in shown
