"""Pages that are served: to whom, and what becomes of them when they are published again."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from gilgrid.dashboard.serve import server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import ThreadingHTTPServer
    from pathlib import Path


@contextmanager
def running(served: ThreadingHTTPServer) -> Iterator[tuple[str, int]]:
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    try:
        yield "127.0.0.1", int(served.server_address[1])
    finally:
        served.shutdown()
        thread.join()


def test_the_pages_are_served_to_this_machine_alone(tmp_path: Path) -> None:
    with server(tmp_path, 0) as served:
        assert served.server_address[0] == "127.0.0.1"


def test_what_is_published_again_is_served_again(tmp_path: Path) -> None:
    folder = tmp_path / "html"
    with server(folder, 0) as served, running(served) as address:
        for text in ("before", "after"):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            (folder / "page.txt").write_text(text, encoding="utf-8")
            asked = HTTPConnection(*address)
            asked.request("GET", "/page.txt")
            assert asked.getresponse().read() == text.encode()
            asked.close()


def test_a_port_that_is_taken_is_passed_over_unless_it_was_asked_for(tmp_path: Path) -> None:
    with server(tmp_path) as one, server(tmp_path) as other:
        assert one.server_address != other.server_address
        with pytest.raises(OSError, match="in use"):
            server(tmp_path, int(one.server_address[1]))


def test_an_address_that_is_no_path_is_not_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with server(tmp_path, 0) as served, running(served) as address:
        asked = HTTPConnection(*address)
        asked.request("GET", "/%00.json")
        assert asked.getresponse().status == HTTPStatus.NOT_FOUND
        asked.close()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(["nowhere"], "there is no folder nowhere"), ([".", "--port", "99999"], "--port 99999")],
)
def test_a_mistake_is_told_without_a_traceback(arguments: list[str], sentence: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gilgrid.dashboard.serve", *arguments],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
