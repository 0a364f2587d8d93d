"""``gilgrid compare``: real commits and real versions, of which one is worse, or none."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.matrix.benchmarked import AXES, Benchmarked
from tests.matrix.conftest import PYTHON

if TYPE_CHECKING:
    from pathlib import Path

    from tests.matrix.conftest import Done, Project

WORK = """
from tiny import _tiny

def time_work():
    sum(range(_tiny.answer() * 4000))

def time_other():
    sum(range(100_000))

class Chosen:
    params = ["one", "two"]
    def setup(self, name):
        if name == "two":
            raise NotImplementedError
    def time_chosen(self, name):
        time_other()

def track_version():
    from importlib.metadata import version
    return int(version("iniconfig").replace(".", ""))
"""
HANG = """
def hang():
    from threading import Lock
    held = Lock()
    held.acquire()
    held.acquire()
"""
PARTIAL = """
[axes.packaging]
versions = ["25.0"]
stages = ["run"]

[[probe]]
name = "partial"
command = ["python", "-m", "tiny.probe", "well"]
axes = ["packaging"]
"""
PROBE = """
[[probe]]
name = "probes"
command = ["python", "-m", "tiny.probe", "well"]
"""


class Compared(Benchmarked):
    """A repository in which the subject's work is what its C says."""

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        project.write(AXES + PROBE)
        self.suite.write_text(WORK, encoding="utf-8")
        self.commit()

    @property
    def suite(self) -> Path:
        return self.folder / "benchmarks/suite.py"

    def commit_answer(self, answer: int) -> str:
        """How much work it is; and the probe finds 42 right."""
        source = self.folder / "tiny/tiny/_tiny.c"
        text = source.read_text(encoding="utf-8")
        assert "42" in text
        source.write_text(text.replace("42", str(answer)), encoding="utf-8")
        commit = self.commit()
        source.write_text(text, encoding="utf-8")
        return commit

    def compare(self, *arguments: str) -> Done:
        return self.project.run("compare", *arguments)


@pytest.fixture
def compared(project: Project) -> Compared:
    return Compared(project)


def test_a_commit_that_is_slower_and_wrong_is_told_with_the_noise(compared: Compared) -> None:
    compared.commit_answer(84)
    done = compared.compare("HEAD~1", "HEAD")

    assert done.code == 1, done.out + done.err
    lines = done.out.splitlines()
    (slower,) = (line for line in lines if line.startswith("slower"))
    assert "suite.time_work" in slower
    assert 1.5 < float(slower.split()[-3]) < 3  # it is twice the work
    (worse,) = (line for line in lines if line.startswith("ends worse"))
    assert "probe probes" in worse
    assert worse.split()[-2:] == ["ok", "wrong"]
    assert "noise: two processes of the same side differed by " in done.out
    assert lines[-1] == "2 regressions, 0 other changes, of 4 benchmarks and 2 verdicts"
    compared.project.assert_nothing_is_left()

    done = compared.compare("HEAD", "HEAD~1", "--only", "benchmarks")
    assert done.code == 0
    assert "0 regressions" not in done.out
    assert "no regression, 1 other change, of 4 benchmarks" in done.out


def test_commits_that_build_the_same_need_no_measuring(compared: Compared) -> None:
    (compared.folder / "README").write_text("other words", encoding="utf-8")
    compared.commit()
    done = compared.compare("HEAD~1", "HEAD")
    assert done.code == 0
    assert "the same build and the same environment, nothing to measure" in done.out
    assert "no regression: nothing differs that could be measured" in done.out


def test_of_two_versions_what_is_larger_is_told(compared: Compared) -> None:
    versions = ("iniconfig==2.0.0", "iniconfig==2.1.0")
    done = compared.compare(*versions, "--bench", "track_version", "--factor", "1.03")
    assert done.code == 1, done.out + done.err
    (larger,) = (line.split() for line in done.out.splitlines() if line.startswith("larger"))
    assert larger[2:6] == ["suite.track_version", "200.0", "210.0", "1.05"]

    done = compared.compare(*versions, "--bench", "track_version")
    assert done.code == 0
    assert "no regression, 0 other changes, of 1 benchmark and 2 verdicts" in done.out


def test_a_commit_that_does_not_build_or_hangs_ends_worse(compared: Compared) -> None:
    compared.replace("def time_other():", "def time_other():\n    if _tiny.answer() == 43: hang()")
    compared.replace("\ndef time_work", HANG + "\ndef time_work")
    well = compared.commit()
    compared.commit_answer(43)
    done = compared.compare(well, "HEAD", "--bench", "time_other", "--only", "benchmarks")
    assert done.code == 1, done.out + done.err
    (worse,) = (line for line in done.out.splitlines() if line.startswith("ends worse"))
    assert worse.split()[-2:] == ["ok", "deadlock"]

    source = compared.folder / "tiny/tiny/_tiny.c"
    source.write_text("no C at all", encoding="utf-8")
    compared.commit()
    done = compared.compare(well, "HEAD")
    assert done.code == 1
    (worse,) = (line for line in done.out.splitlines() if line.startswith("ends worse"))
    assert worse.split()[-2:] == ["ok", "build-failed"]


def test_an_interrupted_comparison_goes_on(compared: Compared) -> None:
    begun = compared.begun
    with compared.suite.open("a", encoding="utf-8") as file:
        file.write(
            f"\nclass Counted:\n    def setup(self):\n        open({str(begun)!r}, 'a').write('x')\n"
            "    def track_counted(self):\n        return 1\n"
        )
    arguments = ("compare", "iniconfig==2.0.0", "iniconfig==2.1.0", "--bench", "Counted", "--bench", "other")
    running = compared.project.start(*arguments, "--rounds", "4", "--only", "benchmarks")
    running.wait_for_line("round 3 of 4")
    running.process.send_signal(signal.SIGINT)
    done = running.finish()
    assert done.code == 130
    assert "the same command goes on" in done.err
    compared.project.assert_nothing_is_left()

    done = compared.project.run(*arguments, "--rounds", "4", "--only", "benchmarks")
    assert done.code == 0, done.out + done.err
    # Two sides, four rounds; what was under way at the interrupt has begun twice.
    assert 8 <= len(begun.read_text(encoding="utf-8")) <= 10
    assert not list((compared.folder / ".gilgrid/comparisons").iterdir())


def test_what_cannot_be_imported_any_more_ends_worse(compared: Compared) -> None:
    package = compared.folder / "tiny/tiny/__init__.py"
    package.write_text("raise ImportError('as asked for')", encoding="utf-8")
    compared.commit()
    done = compared.compare("HEAD~1", "HEAD", "--bench", "time_work", "--only", "benchmarks")
    assert done.code == 1, done.out + done.err
    (worse,) = (line for line in done.out.splitlines() if line.startswith("ends worse"))
    assert worse.split()[-2:] == ["ok", "failed"]


def test_a_probe_that_depends_on_fewer_axes_is_compared_without_them(compared: Compared) -> None:
    """The other axis is that of asv.conf.json; the probe that answers does not see it."""
    # Of what a build is made with, a probe cannot be without.
    seen_at_run = AXES.replace('"2.1.0"]', '"2.1.0"]\nstages = ["run"]')
    compared.project.write(seen_at_run + PARTIAL)
    compared.commit()
    compared.configure(matrix={"req": {"iniconfig": ["2.0.0", "2.1.0"], "packaging": ["25.0"]}})
    compared.commit_answer(84)
    done = compared.compare("HEAD~1", "HEAD", "--only", "probes", "--probe", "p*")
    assert done.code == 1, done.out + done.err
    (worse,) = (line.split() for line in done.out.splitlines() if line.startswith("ends worse"))
    assert worse[2:] == [f"cp{PYTHON.replace('.', '')}-packaging25.0", "probe", "partial", "ok", "wrong"]

    done = compared.compare("iniconfig==2.0.0", "iniconfig==2.1.0", "--only", "probes")
    assert done.code == 0, done.out + done.err
    assert "of 1 verdict" in done.out  # of `answers`: on what it does not see, `partial` does not depend


def test_a_suite_that_cannot_be_read_is_a_mistake(compared: Compared) -> None:
    compared.suite.write_text("def time_(:", encoding="utf-8")
    done = compared.compare("HEAD", "HEAD", "--only", "benchmarks")
    assert done.code == 2
    assert "the benchmarks cannot be listed in cp3" in done.err
    assert "SyntaxError" in done.err


def test_versions_that_cannot_be_had_are_no_comparison(compared: Compared) -> None:
    done = compared.compare("iniconfig==2.98", "iniconfig==2.99")
    assert done.code == 2
    assert "iniconfig==2.98: no cell has it" in done.err

    for sides in (("iniconfig==2.0.0", "iniconfig==2.99"), ("iniconfig==2.99", "iniconfig==2.0.0")):
        done = compared.compare(*sides)
        assert done.code == 2
        assert "iniconfig==2.99: no cell has it: " in done.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("HEAD", "no-such-commit"), "no-such-commit is no commit of "),
        (("HEAD", "iniconfig==2.0.0"), "compare two commits, or two versions of one axis"),
        (("numpy==1.0", "numpy==2.0"), "numpy==1.0: matrix.toml has no such axis; it has iniconfig"),
        (("HEAD", "HEAD", "--cell", "*1.0*"), "nothing matches --cell *1.0*; asv.conf.json has cp3"),
        (("HEAD", "HEAD", "--bench", "no_such"), "no benchmark matches no_such"),
        (("HEAD", "HEAD", "--bench", "("), "--bench (: is no regular expression: "),
        (("HEAD", "HEAD", "--factor", "0.5"), "'0.5' should be a number above 1"),
        (("HEAD*", "HEAD"), "HEAD* is no commit of "),
        (("HEAD", "HEAD", "--only", "probes", "--probe", "no_such"), "nothing matches --probe no_such; the"),
    ],
)
def test_a_mistake_is_one_sentence(compared: Compared, arguments: tuple[str, ...], sentence: str) -> None:
    done = compared.compare(*arguments)
    assert done.code == 2
    assert sentence in done.err
    assert "Traceback" not in done.err


def test_without_asv_it_says_what_to_install(project: Project) -> None:
    project.write(AXES)
    (project.folder / "asv.py").write_text("raise ModuleNotFoundError(name='asv')", encoding="utf-8")
    done = project.run("compare", "HEAD", "HEAD", env={"PYTHONPATH": str(project.folder)})
    assert done.code == 2
    assert done.err == "asv is not installed; pip install 'gilgrid[asv]'\n"
