"""uv's messages as sentences for people: real uv, on a small index of its own and offline."""

from __future__ import annotations

import http.server
import threading
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gilgrid.environments import Environment, _reason, uv_command
from gilgrid.errors import GilgridError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

# As uv 0.9 prints them; the tests below ask the installed uv.
SCIPY_WITHOUT_WHEELS = """\
error: No solution found when resolving dependencies
  cause: Because scipy==1.10.1 has no usable wheels and you require scipy==1.10.1, we can conclude that your requirements are unsatisfiable.

hint: Wheels are required for `scipy` because building from source is disabled for all packages (i.e., with `--no-build`)
"""  # noqa: E501 - as printed
TWO_STEPS = """\
error: No solution found when resolving dependencies
  cause: Because scipy==1.17.1 depends on numpy>=1.26.4,<2.7 and you require numpy<1.25, we can conclude that your requirements and scipy==1.17.1 are incompatible.
         And because you require scipy==1.17.1, we can conclude that your requirements are unsatisfiable.
"""  # noqa: E501 - as printed
NO_NETWORK = """\
error: Failed to fetch: http://127.0.0.1:9/simple/scipy/
  cause: error sending request for url (http://127.0.0.1:9/simple/scipy/)
  cause: client error (Connect)
  cause: tcp connect error
  cause: Connection refused (os error 111)
"""


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (SCIPY_WITHOUT_WHEELS, "scipy==1.10.1 has no usable wheels and you require scipy==1.10.1"),
        (TWO_STEPS, "scipy==1.17.1 depends on numpy>=1.26.4,<2.7 and you require numpy<1.25"),
        ("error: something else\n", "error: something else"),
        ("", "no output"),
    ],
)
def test_the_resolver_is_quoted_without_its_conclusions(message: str, sentence: str) -> None:
    assert _reason(message) == sentence


def test_a_failed_request_keeps_its_last_cause() -> None:
    assert _reason(NO_NETWORK).endswith("tcp connect error Connection refused (os error 111)")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A package index with one wheel, for Python 3.8 only, and one for every Python; the paths asked for."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    for name, tag in [("old", "cp38-cp38-manylinux_2_17_x86_64"), ("pure", "py3-none-any")]:
        place = tmp_path / "index" / name
        place.mkdir(parents=True)
        wheel = place / f"{name}-1.0-{tag}.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(
                f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
            )
            archive.writestr(f"{name}-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        (place / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    handler = partial(Handler, directory=str(tmp_path / "index"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("UV_DEFAULT_INDEX", address)
        monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", f"{address}/pythons")
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
        yield asked
        server.shutdown()


def resolve(tmp_path: Path, requirement: str, python: str = "3.12") -> str:
    wanted = tmp_path / "wanted.txt"
    wanted.write_text(f"{requirement}\n")
    return uv_command(
        "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:",
        "--python-version", python, wanted,
        log="resolving",
    )  # fmt: skip


@pytest.mark.usefixtures("index")
def test_what_has_wheels_is_resolved(tmp_path: Path) -> None:
    assert resolve(tmp_path, "pure").strip() == "pure==1.0"


def test_to_resolve_for_a_python_it_is_not_downloaded(tmp_path: Path, index: list[str]) -> None:
    resolve(tmp_path, "pure", python="3.14")

    assert "/pure/" in index
    assert [path for path in index if path.startswith("/pythons")] == []


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("requirement", ["old==1.0", "pure==2.0", "unheard-of==1.0"])
def test_what_cannot_be_had_as_a_wheel_is_unavailable_in_one_sentence(
    tmp_path: Path, requirement: str
) -> None:
    with pytest.raises(UnavailableError) as refusal:
        resolve(tmp_path, requirement)

    sentence = str(refusal.value)
    assert requirement.partition("=")[0] in sentence
    assert "\n" not in sentence
    assert "we can conclude" not in sentence
    assert "hint" not in sentence


@pytest.mark.usefixtures("index")
def test_an_index_that_does_not_answer_makes_nothing_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")  # the discard port

    with pytest.raises(GilgridError, match=r"^resolving: uv exited: ") as failure:
        resolve(tmp_path, "pure")

    assert not isinstance(failure.value, UnavailableError)


@pytest.mark.usefixtures("index")
def test_without_a_network_nothing_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")

    with pytest.raises(GilgridError) as failure:
        resolve(tmp_path, "pure")

    assert not isinstance(failure.value, UnavailableError)


def environment(folder: Path) -> Environment:
    return Environment(folder=folder, interpreter="3.11.7", abi="cp311", versions={})


def test_a_command_sees_its_own_environment_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")

    variables = environment(tmp_path).variables(Path("/build/site"))

    assert variables["PATH"] == f"{tmp_path}/bin:/build/site/bin:/usr/bin"
    assert variables["PYTHONPATH"] == "/build/site"


@pytest.mark.parametrize("name", ["PYTHONHOME", "PYTHONPATH", "CONDA_PREFIX", "UV_PYTHON", "PYTHONSTARTUP"])
def test_what_chose_gilgrids_python_does_not_choose_the_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "elsewhere")

    assert name not in environment(tmp_path).variables()


@pytest.mark.parametrize(
    "name", ["OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS", "PYTEST_ADDOPTS", "MALLOC_TRIM_THRESHOLD_"]
)
def test_a_shell_decides_neither_on_threads_nor_on_tests_nor_on_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")

    assert name not in environment(tmp_path).variables()
