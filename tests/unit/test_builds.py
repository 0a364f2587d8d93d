"""Which builds are one and the same, and what a failed one says."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from gilgrid import builds, config
from gilgrid.builds import Builds
from gilgrid.diagnosis import first_error
from gilgrid.environments import Environment
from gilgrid.errors import BuildFailedError, GilgridError
from gilgrid.model import Cell
from gilgrid.packages import unmet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT = """\
[subject]
name = "tiny"
source = "tiny"
build-requires = ["ninja"]
[axes.cython]
versions = ["3.0.12", "3.1.8"]
stages = ["build"]
[axes.scipy]
versions = ["1.10.1", "1.17.1"]
build-inputs = ["scipy/*.pxd"]
[axes.numpy]
versions = ["1.26.4", "2.0.0"]
stages = ["run"]
[[probe]]
name = "p"
command = ["x"]
"""
ABI = "cpython-311-x86_64-linux-gnu"
CELL = "cp311-cython3.0.12-scipy1.10.1-numpy1.26.4"


@pytest.fixture(autouse=True)
def toolchain() -> Iterator[None]:
    builds.toolchain.cache_clear()
    yield
    builds.toolchain.cache_clear()


class House:
    """A project and a cache, in which keys are computed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        source = folder / "tiny"
        source.mkdir()
        (source / "pyproject.toml").write_text("[project]\nname = 'tiny'\n")
        (source / "a.pyx").write_text("a = 1\n")

    def environment(self, scipy: str, content: str = "cdef void dstev() nogil\n") -> Environment:
        folder = self.folder / f"environment-{scipy}-{abs(hash(content))}"
        site = folder / "lib" / "python3.11" / "site-packages" / "scipy"
        site.mkdir(parents=True, exist_ok=True)
        (site / "cython_lapack.pxd").write_text(content)
        (site / "unseen.py").write_text(scipy)
        return Environment(folder=folder, interpreter="3.11.7", abi=ABI, versions={"scipy": scipy})

    def key(
        self, cell: str = CELL, *, abi: str = ABI, text: str = TEXT, inputs: Environment | None = None
    ) -> str:
        matrix = config.parse(text, self.folder / "matrix.toml", shown="matrix.toml")
        found = Builds(self.folder / "cache", matrix)
        return found.key(matrix.subjects[0], Cell.parse(cell), abi, inputs or self.environment("1.10.1"))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_the_same_inputs_have_the_same_key(house: House) -> None:
    assert house.key() == house.key()


def test_another_version_with_the_same_inputs_needs_no_build(house: House) -> None:
    later = CELL.replace("scipy1.10.1", "scipy1.17.1")

    assert house.key() == house.key(later, inputs=house.environment("1.17.1"))


def test_what_the_axes_bring_along_is_part_of_the_build_where_it_is_asked_for(house: House) -> None:
    later = CELL.replace("scipy1.10.1", "scipy1.17.1")
    old, new = (
        replace(house.environment(scipy), versions={"scipy": scipy, "numpy": numpy})
        for scipy, numpy in (("1.10.1", "1.26.4"), ("1.17.1", "2.4.6"))
    )
    asking = TEXT.replace('["ninja"]', '["ninja", "NumPy>=1"]')

    assert house.key(inputs=old) == house.key(later, inputs=new)
    assert house.key(inputs=old, text=asking) != house.key(later, inputs=new, text=asking)


def test_another_content_of_the_inputs_is_another_build(house: House) -> None:
    later = house.environment("1.17.1", "cdef void dstev() noexcept nogil\n")

    assert house.key() != house.key(CELL.replace("scipy1.10.1", "scipy1.17.1"), inputs=later)


@pytest.mark.parametrize(
    "cell",
    [CELL.replace("numpy1.26.4", "numpy2.0.0"), CELL.replace("scipy1.10.1", "scipy1.10.1-run1.17.1")],
)
def test_what_is_there_at_run_time_only_needs_no_build(house: House, cell: str) -> None:
    assert house.key() == house.key(cell)


def test_another_cython_is_another_build(house: House) -> None:
    assert house.key() != house.key(CELL.replace("3.0.12", "3.1.8"))


def test_another_abi_is_another_build(house: House) -> None:
    assert house.key() != house.key(abi="cpython-312-x86_64-linux-gnu")


@pytest.mark.parametrize(
    ("part", "other"),
    [('["ninja"]', '["ninja>=1.10"]'), ('["ninja"]', '["ninja"]\nbuild-settings = {setup-args = "-Dx=1"}')],
)
def test_another_way_to_build_is_another_build(house: House, part: str, other: str) -> None:
    assert house.key() != house.key(text=TEXT.replace(part, other))


@pytest.mark.parametrize("flag", ["CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS"])
def test_another_compiler_or_flag_is_another_build(
    house: House, monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    monkeypatch.delenv(flag, raising=False)
    before = house.key()
    monkeypatch.setenv(flag, "no-such-thing")
    builds.toolchain.cache_clear()

    assert house.key() != before


@pytest.mark.parametrize(
    "name",
    [
        "CPATH",
        "CPLUS_INCLUDE_PATH",
        "LIBRARY_PATH",
        "PKG_CONFIG_PATH",
        "CXX_LD",
        "SETUPTOOLS_SCM_PRETEND_VERSION",
    ],
)
def test_where_a_compiler_looks_is_part_of_the_build(
    house: House, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name, raising=False)
    before = house.key()
    monkeypatch.setenv(name, "/elsewhere")
    builds.toolchain.cache_clear()

    assert house.key() != before


def test_a_changed_source_is_another_build(house: House) -> None:
    before = house.key()
    (house.folder / "tiny" / "a.pyx").write_text("a = 2\n")

    assert house.key() != before


@pytest.mark.parametrize("name", ["matrix.toml", "newest.toml", "asv.conf.json"])
def test_what_says_what_is_measured_is_no_part_of_the_source_beside_it(house: House, name: str) -> None:
    before = house.key()
    (house.folder / "tiny" / name).write_text("a = 2\n")

    assert house.key() == before


def test_a_source_saved_during_a_run_does_not_split_it(house: House) -> None:
    matrix = config.parse(TEXT, house.folder / "matrix.toml", shown="matrix.toml")
    one_run = Builds(house.folder / "cache", matrix)
    before = one_run.key(matrix.subjects[0], Cell.parse(CELL), ABI, house.environment("1.10.1"))
    (house.folder / "tiny" / "a.pyx").write_text("a = 2\n")

    assert one_run.key(matrix.subjects[0], Cell.parse(CELL), ABI, house.environment("1.10.1")) == before


def test_a_source_saved_during_a_run_is_not_built_under_the_key_of_the_former_one(house: House) -> None:
    matrix = config.parse(TEXT, house.folder / "matrix.toml", shown="matrix.toml")
    one_run = Builds(house.folder / "cache", matrix)
    key = one_run.key(matrix.subjects[0], Cell.parse(CELL), ABI, house.environment("1.10.1"))
    (house.folder / "tiny" / "a.pyx").write_text("a = 2\n")

    with pytest.raises(GilgridError, match=r"tiny was changed since this run began: run again$"):
        one_run.obtain(matrix.subjects[0], key, house.environment("1.10.1"))

    assert one_run.existing(key) is None


@pytest.mark.parametrize(("free", "blamed"), [(1 << 30, BuildFailedError), (1 << 20, GilgridError)])
def test_a_full_disk_is_not_blamed_on_the_subject(
    house: House, monkeypatch: pytest.MonkeyPatch, free: int, blamed: type[GilgridError]
) -> None:
    # Pretended: to fill a real one takes a file system of one's own.
    monkeypatch.setattr("shutil.disk_usage", lambda _place: SimpleNamespace(free=free))
    matrix = config.parse(TEXT, house.folder / "matrix.toml", shown="matrix.toml")
    builds = Builds(house.folder / "cache", matrix)

    with pytest.raises(GilgridError) as failure:  # the environment has no Python, so that nothing builds
        builds.obtain(matrix.subjects[0], "key", house.environment("1.10.1"))

    assert type(failure.value) is blamed


def test_inputs_that_match_nothing_are_told_with_their_key(house: House) -> None:
    with pytest.raises(
        GilgridError, match=r"^\[axes.scipy\] build-inputs: 'scipy/\*.pyd' matches no file of scipy 1"
    ):
        house.key(text=TEXT.replace("*.pxd", "*.pyd"))


def test_a_cell_away_from_a_build_axis_has_no_build(house: House) -> None:
    with pytest.raises(GilgridError, match=r"^cp311-scipy1.10.1 has no cython"):
        house.key("cp311-scipy1.10.1")


@pytest.mark.parametrize(
    "requires", ["scipy>=1.10", "SciPy", "numpy; python_version < '3'", "x; extra == 'dev'"]
)
def test_what_is_installed_or_does_not_apply_is_met(house: House, requires: str) -> None:
    assert unmet((requires,), house.environment("1.10.1")) == []


@pytest.mark.parametrize("requires", ["scipy>=1.11", "numpy", "numpy; python_version >= '3'"])
def test_what_the_wheel_lacks_is_named(house: House, requires: str) -> None:
    assert unmet((requires,), house.environment("1.10.1")) == [requires]


GCC = """\
y.cpp: In function 'int main()':
y.cpp:2:17: warning: unused variable 'unused' [-Wunused-variable]
    2 | int main(){ int unused; return g() + h; }
      |                 ^~~~~~
y.cpp:2:38: error: 'h' was not declared in this scope
    2 | int main(){ int unused; return g() + h; }
      |                                      ^
"""
HEADER = """\
x.cpp:1:10: fatal error: nope.h: No such file or directory
    1 | #include <nope.h>
      |          ^~~~~~~~
compilation terminated.
"""
CYTHON = """\
[1/3] Compiling Cython source /src/a.pyx
FAILED: [code=1] a.cpython-311-x86_64-linux-gnu.so.p/a.pyx.c
warning: /src/a.pyx:1:0: Unraisable exception in function 'a.f'.

Error compiling Cython file:
------------------------------------------------------------
...
def f():
    return foo
           ^
------------------------------------------------------------

/src/a.pyx:2:11: undeclared name not builtin: foo
ninja: build stopped: subcommand failed.
"""
MESON = """\
Program python found: YES (/env/bin/python)
Run-time dependency nopelib found: NO  (tried pkg-config and cmake)

../meson.build:3:4: ERROR: Dependency "nopelib" not found (tried pkg-config and cmake)

A full log can be found at /src/meson-logs/meson-log.txt
error: Failed to build `/src`
"""
LINKER = """\
/usr/bin/ld: /tmp/ccd5SlRn.o: in function `main':
y.cpp:(.text+0x5): undefined reference to `g()'
collect2: error: ld returned 1 exit status
"""
LIBRARY = """\
/usr/bin/ld: cannot find -lnope: No such file or directory
collect2: error: ld returned 1 exit status
"""
SETUPTOOLS = """\
warning: manifest_maker: standard file '-c' not found
Traceback (most recent call last):
  File "/env/lib/python3.11/site-packages/setuptools/build_meta.py", line 317, in run_setup
    exec(code, locals())  # noqa: S102 # exec is intentional here
  File "<string>", line 1, in <module>
RuntimeError: no OpenMP here
error: Failed to build `/src`
  cause: The build backend returned an error
"""
MISSING_MODULE = SETUPTOOLS.replace(
    "RuntimeError: no OpenMP here", "ModuleNotFoundError: No module named 'x'"
)
CYTHONIZE = (
    f"{CYTHON}{SETUPTOOLS.replace('RuntimeError: no OpenMP', 'Cython.Compiler.Errors.CompileError: a')}"
)
LINK_BY_SETUPTOOLS = f"{LIBRARY}error: command '/usr/bin/gcc' failed with exit code 1\n"


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (GCC, "y.cpp:2:38: error: 'h' was not declared in this scope"),
        (HEADER, "x.cpp:1:10: fatal error: nope.h: No such file or directory"),
        (CYTHON, "/src/a.pyx:2:11: undeclared name not builtin: foo"),
        (CYTHONIZE, "/src/a.pyx:2:11: undeclared name not builtin: foo"),
        (
            MESON,
            '../meson.build:3:4: ERROR: Dependency "nopelib" not found (tried pkg-config and cmake)',
        ),
        (LINKER, "y.cpp:(.text+0x5): undefined reference to `g()'"),
        (LIBRARY, "/usr/bin/ld: cannot find -lnope: No such file or directory"),
        (LINK_BY_SETUPTOOLS, "/usr/bin/ld: cannot find -lnope: No such file or directory"),
        (SETUPTOOLS, "RuntimeError: no OpenMP here"),
        (MISSING_MODULE, "ModuleNotFoundError: No module named 'x'"),
        ("sh: 1: ninja: not found\n", "sh: 1: ninja: not found"),
        ("something odd\n\nthe end\n\n", "the end"),
        ("", "no output"),
    ],
)
def test_the_first_error_is_the_line_that_says_what_is_wrong(log: str, line: str) -> None:
    assert first_error(log) == line
