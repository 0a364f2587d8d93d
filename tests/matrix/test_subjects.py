"""Several subjects in one matrix: each is built and run along its own axes, and along no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.matrix.conftest import Project

SUBJECTS = """
[[subject]]
name = "of-iniconfig"
source = "tiny"
axes = ["iniconfig"]
build-requires = ["setuptools>=77"]

[[subject]]
name = "of-a-setting"
source = "tiny"
axes = ["numbered"]
build-requires = ["setuptools>=77"]

[[subject]]
name = "runs-with-iniconfig"
source = "tiny"
axes = ["iniconfig"]
build-axes = []
build-requires = ["setuptools>=77"]

[[subject]]
name = "of-nothing"
source = "tiny"
axes = []
build-requires = ["setuptools>=77"]
"""
AXES = """
[axes.iniconfig]
versions = ["2.0.0", "2.1.0"]

[axes.numbered]
versions = ["1", "2"]
stages = ["build"]
build-settings = { "--build-option" = "--build-number={version}" }
"""
PROBES = "".join(
    f"""
[[probe]]
name = "{name}"
subject = "{subject}"
command = ["python", "-m", "tiny.probe", "well", "{name}"]
"""
    for name, subject in (
        ("pair", "of-iniconfig"),
        ("setting", "of-a-setting"),
        ("run", "runs-with-iniconfig"),
        ("alone", "of-nothing"),
    )
)


def test_each_subject_is_built_and_run_along_its_own_axes(project: Project) -> None:
    project.change_source()
    project.write(SUBJECTS + AXES + PROBES, head="")

    done = project.run()

    assert done.code == 0, done.out + done.err
    records = project.records
    assert sorted(records) == sorted(
        [
            " alone",
            "iniconfig2.0.0 pair",
            "iniconfig2.1.0 pair",
            "iniconfig2.0.0 run",
            "iniconfig2.1.0 run",
            "numbered1 setting",
            "numbered2 setting",
        ]
    )
    # Two versions to build with, two settings, and the one build that depends on neither, for two subjects.
    names = ("pair", "setting", "run")
    assert project.took() == sorted(
        [*["compile"] * 5, "probe alone", *(f"probe {name}" for name in names * 2)]
    )
    keys = {name: record["build_key"] for name, record in records.items()}
    assert keys[" alone"] == keys["iniconfig2.0.0 run"] == keys["iniconfig2.1.0 run"]
    assert len(set(keys.values())) == 5
    assert records["numbered1 setting"]["versions"].keys() == records[" alone"]["versions"].keys()
    for title in ("alone", "run", "pair", "setting"):
        assert f"{title}\n" in done.out


def test_a_second_run_finds_the_records_of_all_subjects(project: Project) -> None:
    project.write(SUBJECTS + AXES + PROBES, head="")
    assert project.run().code == 0
    project.took()

    assert project.run().code == 0

    assert project.took() == []
    shown = project.run("show", "--cell", "numbered2")
    assert "setting" in shown.out
    assert not any(name in shown.out for name in ("pair", "alone"))
