"""Every kind of mistake in ``matrix.toml``: one sentence with file, table and key, and all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from gilgrid import config
from gilgrid.errors import MistakesError
from gilgrid.evidence import Cause
from gilgrid.model import Stage, Verdict

SUBJECT = """\
[subject]
name = "tiny"
source = "tiny==1.0"
"""
AXES = """\
[axes.cython]
versions = ["0.29.37", "3.0.12"]
stages = ["build"]
[axes.scipy]
versions = ["1.10.1", "1.17.1"]
"""
PROBE = """\
[[probe]]
name = "solve"
command = ["python", "-m", "solve"]
"""
GOOD = SUBJECT + AXES + PROBE
RULE = '[[expect]]\nprobe = "solve"\nverdict = "timeout"\nbecause = "tiny#1"\n'

DEADLOCK = RULE.replace("timeout", "deadlock")


def mistakes(text: str, folder: Path = Path()) -> tuple[str, ...]:
    with pytest.raises(MistakesError) as refusal:
        config.parse(text, (folder / "matrix.toml").resolve(), shown="matrix.toml")
    return refusal.value.mistakes


def mistakes_of_file(path: Path) -> tuple[str, ...]:
    with pytest.raises(MistakesError) as refusal:
        config.load(path)
    return refusal.value.mistakes


# What is appended to a good file, and the beginning of the one sentence about it.
APPENDED = {
    "an unknown key": (
        "deadlin = '3 s'",
        "[[probe]] 1 ('solve') deadlin: unknown key; did you mean 'deadline'?",
    ),
    "an unknown key like no other": ("zzz = 1", "[[probe]] 1 ('solve') zzz: unknown key; known here: axes, "),
    "a key of two lines": ('"a\\nb" = 1', r"[[probe]] 1 ('solve') 'a\nb': unknown key"),
    "an unknown table": ("[subjects]", "subjects: unknown key; did you mean 'subject'?"),
    "a number without a unit": ("deadline = 20", "[[probe]] 1 ('solve') deadline: 20 should be a time"),
    "an unknown unit": ("deadline = '2 h'", "[[probe]] 1 ('solve') deadline: '2 h' should be a time"),
    "no time at all": ("deadline = '0 s'", "[[probe]] 1 ('solve') deadline: '0 s' should be a time"),
    "a date": ("deadline = 2020-01-01", "[[probe]] 1 ('solve') deadline: datetime.date(2020"),
    "a deadline for ever": (f"deadline = '{'9' * 400} s'", "[[probe]] 1 ('solve') deadline: '999"),
    "a text where a number is due": ("threads = '2'", "[[probe]] 1 ('solve') threads: '2' should be a whole"),
    "no thread": ("threads = 0", "[[probe]] 1 ('solve') threads: 0 should be a whole number of 1 or more"),
    "a truth as a number": ("repeats = true", "[[probe]] 1 ('solve') repeats: True should be a whole number"),
    "a number in the environment": ("env = {A = 1}", "[[probe]] 1 ('solve') env: of 'A', 1 should be a text"),
    "a variable with a =": ("env = {'A=B' = '1'}", "[[probe]] 1 ('solve') env: 'A=B' cannot name an env"),
    "a NUL": ('env = {A = "a\\u0000"}', "[[probe]] 1 ('solve') env: of 'A', 'a\\x00' has a NUL in it"),
    "a file that is not there": (
        "files = ['nope']",
        "[[probe]] 1 ('solve') files: there is no 'nope' beside",
    ),
    "an axis that does not exist": (
        "axes = ['scipi']",
        "[[probe]] 1 ('solve') axes: there is no axis 'scipi'; ",
    ),
    "an axis named twice": ("axes = ['scipy', 'scipy']", "[[probe]] 1 ('solve') axes: 'scipy' stands there"),
    "no axis": ("axes = []", "[[probe]] 1 ('solve') axes: the list is empty"),
    "a table among axes": ("axes = [{}]", "[[probe]] 1 ('solve') axes: there is no axis {}; there are: "),
    "a probe that no cell can run": ("only = {cython = '>=4'}", "[[probe]] 1 ('solve') only: no cell of the"),
    "a probe for no Python": (
        "only = {python = '>=3.99'}",
        "[[probe]] 1 ('solve') only: no cell of the axes",
    ),
    "a limit by an unknown axis": ("only = {numpy = '>1'}", "[[probe]] 1 ('solve') only numpy: unknown key"),
    "a limit that is no table": ("only = 'scipy'", "[[probe]] 1 ('solve') only: 'scipy' should be a table"),
    "two probes of one name": (PROBE, "[[probe]] 2 ('solve') name: 'solve' is already the name of another"),
    "a probe without a name": ("[[probe]]\ncommand = ['x']", "[[probe]] 2 name: is missing"),
    "a name that is no file's": (
        "[[probe]]\nname = '../x'\ncommand = ['x']",
        "[[probe]] 2 name: '../x' should be a name of letters",
    ),
    "a command in one text": (
        "[[probe]]\nname = 'b'\ncommand = 'x y'",
        "[[probe]] 2 ('b') command: 'x y' should be a list in brackets",
    ),
    "an empty command": (
        "[[probe]]\nname = 'b'\ncommand = []",
        "[[probe]] 2 ('b') command: the list is empty",
    ),
    "a bad specifier": (RULE + "scipy = '1.10.1'", "[[expect]] 1 scipy: '1.10.1' is not a version specifier"),
    "a blank specifier": (RULE + "scipy = ' '", "[[expect]] 1 scipy: ' ' should be a text in quotes"),
    "a number as specifier": (RULE + "scipy = 1.10", "[[expect]] 1 scipy: 1.1 should be a text in quotes"),
    "a rule by an unknown axis": (
        RULE + "cyton = '>=3'",
        "[[expect]] 1 cyton: unknown key; did you mean 'cy",
    ),
    "run as a text": (RULE + "run = 'x'", "[[expect]] 1 run: 'x' should be a table"),
    "run of an axis of the build": (RULE + "run = {cython = '>=3'}", "[[expect]] 1 run cython: unknown key"),
    "a rule for an unknown probe": (
        RULE.replace('"solve"', '"slove"'),
        "[[expect]] 1 probe: there is no probe 'slove'; did you mean 'solve'?",
    ),
    "an unknown probe in a list": (
        RULE.replace('"solve"', '["solve", "slove"]'),
        "[[expect]] 1 probe: there is no probe 'slove'; did you mean 'solve'?",
    ),
    "a rule for no probe": (RULE.replace('"solve"', "[]"), "[[expect]] 1 probe: the list is empty"),
    "a table as a probe": (
        RULE.replace('"solve"', "{a = 1}"),
        "[[expect]] 1 probe: there is no probe {'a': 1}; there are: solve",
    ),
    "an unknown verdict": (
        RULE.replace("timeout", "hang"),
        "[[expect]] 1 verdict: 'hang' is none of ok, wrong, failed",
    ),
    "an error that is expected": (
        RULE.replace("timeout", "error"),
        "[[expect]] 1 verdict: 'error' is none of ok",
    ),
    "a list of verdicts": (
        RULE.replace('"timeout"', '["ok"]'),
        "[[expect]] 1 verdict: ['ok'] is none of ok",
    ),
    "an unknown cause": (
        DEADLOCK + 'cause = "bad-luck"',
        "[[expect]] 1 cause: 'bad-luck' is none of gil-vs-openmp-barrier, gil-vs-join",
    ),
    "a cause of what does not hang": (
        RULE.replace("timeout", "crash") + 'cause = "lock-order"',
        "[[expect]] 1 cause: 'lock-order' is of a deadlock, not of 'crash'",
    ),
    "a proven cause of a timeout": (
        RULE + 'cause = "lock-order"',
        "[[expect]] 1 cause: 'lock-order' is of a deadlock, not of 'timeout'",
    ),
    "a deadlock that spins": (
        DEADLOCK + 'cause = "spinning"',
        "[[expect]] 1 cause: 'spinning' is of a timeout, not of 'deadlock'",
    ),
    "causes that contradict": (
        f'{DEADLOCK}cause = "lock-order"\n{DEADLOCK}cause = "join"',
        "[[expect]] 2 cause: 'join' contradicts 'lock-order' of [[expect]] 1 for solve in cp38-cython0.29.",
    ),
    "a rule without a reason": (
        '[[expect]]\nprobe = "solve"\nverdict = "ok"',
        "[[expect]] 1 because: is missing",
    ),
    "one bracket too few": ("[expect]\nprobe = 'solve'", "expect: there may be several: write each as [[ex"),
    "rules that contradict": (
        RULE + "cython = '>=3'\n" + RULE.replace("timeout", "crash") + "scipy = '<1.11'",
        "[[expect]] 2 verdict: 'crash' contradicts 'timeout' of [[expect]] 1 for solve in cp38-cython3",
    ),
    "rules that contradict over Python": (
        RULE + "python = '>=3.11'\n" + RULE.replace("timeout", "crash") + "python = '==3.12'",
        "[[expect]] 2 verdict: 'crash' contradicts 'timeout' of [[expect]] 1 for solve in cp312-",
    ),
    "rules that contradict at run time": (
        "[[cross]]\nbuild = {scipy = '==1.10.1'}\nrun = {scipy = '1.17.1'}\n"
        + (RULE + "run = {scipy = '==1.17.1'}\n")
        + (RULE.replace("timeout", "crash") + "scipy = '==1.10.1'"),
        "[[expect]] 2 verdict: 'crash' contradicts 'timeout' of [[expect]] 1 for solve in cp38-cython0.29.",
    ),
    "a cross without run": ("[[cross]]\nbuild = {}", "[[cross]] 1 run: is missing"),
    "a cross that names no axis": (
        "[[cross]]\nbuild = {}\nrun = {}",
        "[[cross]] 1 run: name an axis that is",
    ),
    "a cross of the build": (
        "[[cross]]\nbuild = {}\nrun = {cython = '3.1'}",
        "[[cross]] 1 run cython: unknown",
    ),
    "a cross with a bad version": (
        "[[cross]]\nbuild = {}\nrun = {scipy = 'x'}",
        "[[cross]] 1 run scipy: 'x' is not a version",
    ),
    "a cross of no cell": (
        "[[cross]]\nbuild = {scipy = '>2'}\nrun = {scipy = '1.17.1'}",
        "[[cross]] 1 build: no cell of the axes is within it",
    ),
    "a cross that crosses nothing": (
        "[[cross]]\nbuild = {scipy = '==1.17.1'}\nrun = {scipy = '1.17.1'}",
        "[[cross]] 1 run: that is the version which every such cell was built with",
    ),
}

# What is put in place of a part of a good file, and the beginning of the one sentence about it.
REPLACED = {
    "no subject": (SUBJECT, "", "subject: is missing"),
    "a subject that is a text": (SUBJECT, "subject = 'x'\n", "subject: 'x' should be a table"),
    "no name": ('name = "tiny"\n', "", "[subject] name: is missing"),
    "no source": ('source = "tiny==1.0"\n', "", "[subject] source: is missing"),
    "a number as source": ('"tiny==1.0"', "1", "[subject] source: 1 should be a text in quotes"),
    "a folder that is not there": ('"tiny==1.0"', '"tiny"', "[subject] source: there is no folder 'tiny'; "),
    "a source that moves": ('"tiny==1.0"', '"tiny>=1.0"', "[subject] source: there is no folder 'tiny>=1.0'"),
    "a source of no kind": ('"tiny==1.0"', '"../x/y"', "[subject] source: '../x/y' is neither a folder"),
    "a source too long to be one": ('"tiny==1.0"', f'"{"a" * 5000}"', "[subject] source: there is no folder"),
    "a bad requirement": (
        AXES,
        f"build-requires = ['ninja >> 2']\n{AXES}",
        "[subject] build-requires: 'ninja >> 2' is not a requirement",
    ),
    "a requirement twice": (
        AXES,
        f"run-requires = ['ninja', 'ninja']\n{AXES}",
        "[subject] run-requires: 'ninja' stands there twice",
    ),
    "a list as a setting": (
        AXES,
        f"build-settings = {{a = ['b']}}\n{AXES}",
        "[subject] build-settings: of 'a', ['b'] should be a text",
    ),
    "no axes": (AXES, "", "axes: is missing"),
    "an empty table of axes": (AXES, "[axes]\n", "[axes]: at least one axis is needed"),
    "axes as a list": (GOOD, f"axes = [1]\n{SUBJECT}{PROBE}", "axes: [1] should be a table"),
    "an axis as a list": (AXES, "[axes]\nscipy = ['1.10.1']\n", "[axes] scipy: ['1.10.1'] should be a table"),
    "a version that does not parse": (
        '"1.10.1"',
        '"latest"',
        "[axes.scipy] versions: 'latest' is not a vers",
    ),
    "a float as a version": ('"1.10.1"', "1.10", "[axes.scipy] versions: 1.1 should be a text in quotes"),
    "a version twice": ('"1.17.1"', '"1.10.1"', "[axes.scipy] versions: '1.10.1' stands there twice"),
    "a version twice in two forms": (
        '"1.17.1"',
        '"1.10.1.0"',
        "[axes.scipy] versions: '1.10.1' and '1.10.1.0' are the same version",
    ),
    "no versions": ('versions = ["1.10.1", "1.17.1"]', "", "[axes.scipy] versions: is missing"),
    "an empty list of versions": ('["1.10.1", "1.17.1"]', "[]", "[axes.scipy] versions: the list is empty"),
    "versions that are no list": (
        '["1.10.1", "1.17.1"]',
        "'1.10.1'",
        "[axes.scipy] versions: '1.10.1' should",
    ),
    "an unknown stage": ('["build"]', '["biuld"]', "[axes.cython] stages: 'biuld' is none of build, run"),
    "inputs of an axis of the run": (
        '["build"]',
        '["run"]\nbuild-inputs = ["*.pxd"]',
        "[axes.cython] build-inputs: this axis is not there at build time",
    ),
    "inputs outside the package": (
        '["build"]',
        '["build"]\nbuild-inputs = ["/etc/*"]',
        "[axes.cython] build-inputs: each should be a pattern of files in site-packages",
    ),
    "a pattern that is none": (
        '["build"]',
        '["build"]\nbuild-inputs = ["."]',
        "[axes.cython] build-inputs: each should be a pattern",
    ),
    "an axis twice": (
        PROBE,
        f"[axes.SciPy]\nversions = ['1.2']\n{PROBE}",
        "[axes.SciPy]: 'scipy' is already",
    ),
    "an axis with a blank": ("[axes.cython]", "[axes.'a b']", "[axes.a b]: an axis is named for a package"),
    "an axis named run": ("[axes.cython]", "[axes.run]", "[axes.run]: 'run' cannot name an axis"),
    "a Python as a float": (
        PROBE,
        f"[axes.python]\nversions = [3.10]\n{PROBE}",
        "[axes.python] versions: 3.1 should be a Python without its patch level",
    ),
    "a Python with its patch": (
        PROBE,
        f"[axes.python]\nversions = ['3.11.4']\n{PROBE}",
        "[axes.python] versions: '3.11.4' should be a Python without its patch level",
    ),
    "no Python": (
        PROBE,
        f"[axes.python]\nversions = []\n{PROBE}",
        "[axes.python] versions: the list is empty",
    ),
    "no probe": (PROBE, "", "probe: at least one is needed"),
    "one bracket too few": ("[[probe]]", "[probe]", "probe: there may be several: write each as [[probe]]"),
    "a rule that never speaks": (
        PROBE,
        f"{PROBE}axes = ['scipy']\n{RULE}cython = '>=3'",
        "[[expect]] 1 cython: the probe 'solve' does not depend on it",
    ),
    "a syntax error": ("[axes.cython]", "[axes.cython", "not TOML: Expected ']' at the end of a table"),
    "a key twice": ('name = "tiny"', 'name = "a"\nname = "b"', "not TOML: Cannot overwrite a value"),
    "a number too long": ('"tiny"', "9" * 5000, "not TOML: Exceeds the limit"),
}


@pytest.mark.parametrize("kind", APPENDED)
def test_a_mistake_is_one_sentence_with_file_table_and_key(kind: str) -> None:
    appended, sentence = APPENDED[kind]

    (mistake,) = mistakes(GOOD + appended)

    assert mistake.startswith(f"matrix.toml: {sentence}")
    assert "\n" not in mistake


@pytest.mark.parametrize("kind", REPLACED)
def test_a_wrong_part_is_one_sentence_with_file_table_and_key(kind: str) -> None:
    part, replacement, sentence = REPLACED[kind]

    (mistake,) = mistakes(GOOD.replace(part, replacement, 1))

    assert mistake.startswith(f"matrix.toml: {sentence}")
    assert "\n" not in mistake


def test_all_mistakes_are_told_at_once() -> None:
    text = GOOD.replace('"1.10.1"', '"x"').replace('["build"]', "[]") + "threads = -1\n[[expect]]\nprob = 1\n"

    assert [mistake.split(": ")[1] for mistake in mistakes(text)] == [
        "[axes.cython] stages",
        "[axes.scipy] versions",
        "[[probe]] 1 ('solve') threads",
        "[[expect]] 1 probe",
        "[[expect]] 1 verdict",
        "[[expect]] 1 because",
        "[[expect]] 1 prob",
    ]


def test_what_tables_say_together_is_told_at_once() -> None:
    rules = f"{RULE}cython = '>=3'\n{RULE.replace('timeout', 'crash')}"
    cross = "[[cross]]\nbuild = {scipy = '>2'}\nrun = {scipy = '1.0'}\n"
    never = "[[probe]]\nname = 'never'\ncommand = ['x']\nonly = {scipy = '>2'}\n"

    assert [mistake.split(": ")[1] for mistake in mistakes(GOOD + never + cross + rules)] == [
        "[[probe]] 2 ('never') only",
        "[[cross]] 1 build",
        "[[expect]] 2 verdict",
    ]


def test_an_empty_file_lacks_three_tables() -> None:
    assert [mistake.split(": ")[1] for mistake in mistakes("")] == ["subject", "axes", "probe"]


def test_rules_that_agree_may_overlap() -> None:
    text = f"{GOOD}{RULE}cython = '>=3'\n{RULE}scipy = '<1.11'\n"

    assert len(config.parse(text, Path("matrix.toml").resolve(), shown="").rules) == 2


def test_a_missing_file_says_how_to_name_another(tmp_path: Path) -> None:
    path = tmp_path / "matrix.toml"

    assert mistakes_of_file(path) == (
        f"{path}: No such file or directory; say where the file is with --matrix FILE, or write one",
    )


def test_of_a_folder_the_matrix_in_it_is_read(tmp_path: Path) -> None:
    (mistake,) = mistakes_of_file(tmp_path)

    assert mistake.startswith(f"{tmp_path / 'matrix.toml'}: No such file")


@pytest.mark.parametrize("argument", ["{thread}", "--in={projct}/x"])
def test_a_placeholder_that_nothing_is_filled_in_for_is_named(argument: str) -> None:
    (mistake,) = mistakes(GOOD.replace('command = ["', f'command = ["{argument}", "', 1))

    assert "nothing is filled in for" in mistake
    assert "{threads} and {project}" in mistake


@pytest.mark.parametrize("argument", ["${HOME}", '{\\"key\\": 1}', "{}", "{1}"])
def test_braces_that_are_not_gilgrids_are_left_alone(argument: str) -> None:
    text = GOOD.replace('command = ["', f'command = ["{argument}", "', 1)

    assert config.parse(text, Path("matrix.toml").resolve(), shown="matrix.toml").probes


def test_a_file_that_is_not_utf_8_says_where(tmp_path: Path) -> None:
    path = tmp_path / "matrix.toml"
    path.write_bytes(GOOD.encode() + b"# caf\xe9\n")

    assert mistakes_of_file(path) == (f"{path}: not UTF-8 at byte {len(GOOD) + 5}",)


def test_a_folder_without_pyproject_is_no_subject(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()

    (mistake,) = mistakes(GOOD.replace("tiny==1.0", "tiny"), tmp_path)

    assert mistake == "matrix.toml: [subject] source: the folder 'tiny' has no pyproject.toml"


@pytest.mark.parametrize(
    "content",
    ["[project", "[project]\ndependencies = 'numpy'", "[project]\nrequires-python = 'new'", "project = 1"],
)
def test_a_pyproject_that_cannot_be_used_is_one_mistake(tmp_path: Path, content: str) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "pyproject.toml").write_text(content)

    (mistake,) = mistakes(GOOD.replace("tiny==1.0", "tiny"), tmp_path)

    assert mistake.startswith("matrix.toml: [subject] source: tiny/pyproject.toml cannot be used: ")


def test_a_subject_tells_what_its_pyproject_says(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "pyproject.toml").write_text(
        "[project]\nrequires-python = '>=3.9.2,<3.13'\ndependencies = ['numpy>=1.20']\n"
    )

    text = GOOD.replace("tiny==1.0", "tiny")
    (subject,) = config.parse(text, tmp_path / "matrix.toml", shown="").subjects

    assert subject.dependencies == ("numpy>=1.20",)
    assert [subject.supports(python) for python in ("3.8", "3.9", "3.12", "3.13")] == [
        False,
        True,
        True,
        False,
    ]


def test_a_command_may_say_something_twice() -> None:
    text = GOOD.replace('"solve"]', '"solve", "--size", "16", "--batch", "16"]')

    (probe,) = config.parse(text, Path("matrix.toml").resolve(), shown="").probes

    assert probe.command[-4:] == ("--size", "16", "--batch", "16")


def test_a_good_file_is_read_as_it_stands() -> None:
    text = f"{GOOD}threads = 2\ndeadline = '1.5 min'\nrepeats = 3\nenv = {{A = ''}}\n{RULE}"

    matrix = config.parse(text, Path("matrix.toml").resolve(), shown="")

    (probe,) = matrix.probes
    assert (probe.threads, probe.deadline_s, probe.repeats, probe.env) == (2, 90.0, 3, {"A": ""})
    (subject,) = matrix.subjects
    assert probe.axes == subject.axes == subject.build_axes == ("cython", "scipy")
    assert matrix.axis("cython").stages == {Stage.BUILD}
    assert matrix.rules[0].verdict is Verdict.TIMEOUT


@pytest.mark.parametrize(
    ("verdict", "cause"), [(Verdict.DEADLOCK, Cause.LOCK_ORDER), (Verdict.TIMEOUT, Cause.SPINNING)]
)
def test_a_rule_may_name_the_cause(verdict: Verdict, cause: Cause) -> None:
    text = f'{GOOD}{RULE.replace("timeout", verdict)}cause = "{cause}"\n'

    (rule,) = config.parse(text, Path("matrix.toml").resolve(), shown="").rules

    assert (rule.verdict, rule.cause) == (verdict, cause)


def test_a_rule_that_names_a_cause_may_overlap_with_one_that_names_none() -> None:
    text = f'{GOOD}{DEADLOCK}cause = "join"\n{DEADLOCK}'

    assert len(config.parse(text, Path("matrix.toml").resolve(), shown="").rules) == 2


def test_versions_are_read_in_their_normal_form() -> None:
    matrix = config.parse(GOOD.replace("1.10.1", "1.10.1-RC1"), Path("matrix.toml").resolve(), shown="")

    assert matrix.axis("scipy").versions == ("1.10.1rc1", "1.17.1")


def test_an_axis_is_named_as_its_package_is() -> None:
    matrix = config.parse(
        GOOD.replace("axes.scipy", "axes.SciPy_Fork"), Path("matrix.toml").resolve(), shown=""
    )

    assert matrix.axis("scipy-fork").versions == ("1.10.1", "1.17.1")


def test_the_bundled_matrix_has_no_mistake() -> None:
    assert config.load(Path(__file__).parents[2] / "matrix.toml").probes
