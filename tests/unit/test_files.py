"""Writes that a reader sees whole, and digests that follow content."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from gilgrid import files

if TYPE_CHECKING:
    from pathlib import Path


def test_a_write_that_fails_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_json(path, {"a": 1})

    with pytest.raises(TypeError):
        files.write_json(path, {"a": object()})

    assert files.read_json(path) == {"a": 1}


def test_a_write_leaves_nothing_beside_the_file(tmp_path: Path) -> None:
    files.write_atomically(tmp_path / "deep" / "a.txt", "content")

    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.txt"]


def test_a_reader_never_sees_a_part(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    contents = {letter * 100_000 for letter in "ab"}
    files.write_atomically(path, "a" * 100_000)
    is_over = threading.Event()

    def write() -> None:
        for _ in range(100):
            for content in contents:
                files.write_atomically(path, content)
        is_over.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not is_over.is_set():
        seen.add(path.read_text())
    writer.join()

    assert seen <= contents


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", None])
def test_what_the_cache_cannot_read_is_none(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)

    assert files.read_json(path) is None


def test_equal_values_have_equal_digests_in_every_process() -> None:
    program = "from gilgrid import files; print(files.digest({'b': [1], 'a': 'ä'}, ('x',)))"
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("1", "2")
    }

    assert digests == {files.digest({"a": "ä", "b": [1]}, ["x"])}


@pytest.mark.parametrize("other", [("ab",), ("a", "b", ""), ("b", "a"), (["a", "b"],)])
def test_other_values_have_another_digest(other: tuple[object, ...]) -> None:
    assert files.digest(*other) != files.digest("a", "b")


def test_a_digest_of_files_follows_names_and_contents(tmp_path: Path) -> None:
    digests: list[str] = []
    for name, content in [("a", "1"), ("a", "2"), ("b", "2")]:
        folder = tmp_path / f"{len(digests)}"
        folder.mkdir()
        (folder / name).write_text(content)
        digests.append(files.digest_of_files(folder, files.source_files(folder)))

    assert len(set(digests)) == 3


def test_the_border_between_two_files_is_part_of_the_digest(tmp_path: Path) -> None:
    digests = set()
    for first, second in [("12", "3"), ("1", "23")]:
        (tmp_path / "a").write_text(first)
        (tmp_path / "b").write_text(second)
        digests.add(files.digest_of_files(tmp_path, files.source_files(tmp_path)))

    assert len(digests) == 2


def test_the_same_files_elsewhere_have_the_same_digest(tmp_path: Path) -> None:
    digests = set()
    for name in ("here", "there"):
        (tmp_path / name / "src").mkdir(parents=True)
        (tmp_path / name / "src" / "a.c").write_text("int a;")
        digests.add(files.digest_of_files(tmp_path / name, files.source_files(tmp_path / name)))

    assert len(digests) == 1


@pytest.mark.parametrize(
    "left_behind", ["__pycache__/a.pyc", "build/a.o", ".git/HEAD", "tiny.egg-info/PKG-INFO", "dist/tiny.whl"]
)
def test_what_tools_leave_behind_is_no_source(tmp_path: Path, left_behind: str) -> None:
    (tmp_path / "a.pyx").touch()
    (tmp_path / left_behind).parent.mkdir()
    (tmp_path / left_behind).touch()

    assert files.source_files(tmp_path) == [tmp_path / "a.pyx"]


def test_the_cache_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GILGRID_CACHE_DIR", str(tmp_path))

    assert files.cache_folder() == tmp_path


def test_a_name_that_is_no_unicode_has_a_digest(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"\xff.txt")
    try:
        odd.write_text("content")
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")

    assert files.digest_of_files(tmp_path, [odd]) != files.digest_of_files(tmp_path, [])


def test_a_relative_cache_folder_is_the_same_for_whoever_has_another_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GILGRID_CACHE_DIR", "cache")

    assert files.cache_folder() == tmp_path / "cache"


def test_sources_behind_links_are_sources_and_a_circle_of_links_ends(tmp_path: Path) -> None:
    package, elsewhere = tmp_path / "package", tmp_path / "elsewhere"
    for place in (package, elsewhere):
        place.mkdir()
        (place / "a.c").touch()
    (package / "shared").symlink_to(elsewhere)
    (package / "self").symlink_to(package)

    assert sorted(files.source_files(package)) == [package / "a.c", package / "shared" / "a.c"]
