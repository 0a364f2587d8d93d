"""asv with gilgrid's environments: real asv, real commits, benchmarks that end in every way."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import asv
import asv.benchmarks
import asv.config
import asv.results
import pytest

from gilgrid import asv_results, config
from gilgrid.benchmarked import failures
from gilgrid.dashboard.offline import VENDOR, assets, taken
from gilgrid.installer import uv_program
from gilgrid.model import Verdict
from tests.matrix.benchmarked import ASV, AXES, PROBES, Benchmarked
from tests.matrix.conftest import PYTHON

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.matrix.conftest import Project

TIMED = ("suite.time_well", "suite.track_version")
ENVIRONMENT = f"gilgrid-py{PYTHON}-iniconfig2.0.0"


@pytest.fixture
def benchmarked(project: Project) -> Benchmarked:
    return Benchmarked(project)


def test_a_benchmark_that_does_not_end_well_is_told_for_what_it_is(benchmarked: Benchmarked) -> None:
    done = benchmarked.run()

    assert benchmarked.results("suite.time_well")[ENVIRONMENT][0] > 0
    records = benchmarked.records()
    assert {name: record["verdict"] for name, record in records.items()} == {
        "suite.time_hang": "deadlock",
        "suite.Sizes.time_hang_of_one-1": "deadlock",
        "suite.time_crash": "crash",
        "suite.time_raise": "failed",
        "suite.time_sleep": "timeout",
    }
    for name in ("time_hang", "time_crash", "time_raise", "time_sleep"):
        assert benchmarked.results(f"suite.{name}") == {ENVIRONMENT: None}
    assert records["suite.time_hang"]["attempts"][0]["evidence"]["cause"] == "self-deadlock"
    assert "suite.time_crash: crash: killed by SIG" in done.out
    benchmarked.project.assert_nothing_is_left()


def test_what_hung_once_is_not_run_in_the_next_round(benchmarked: Benchmarked) -> None:
    benchmarked.run("Sizes", quick=False)

    begun = benchmarked.begun.read_text(encoding="utf-8").split()
    assert begun.count("2") == 1
    assert begun.count("1") > 3
    well, hung = benchmarked.results("suite.Sizes.time_hang_of_one")[ENVIRONMENT]
    assert well > 0
    assert hung is None


def test_a_benchmark_that_ends_well_again_has_no_record(benchmarked: Benchmarked) -> None:
    benchmarked.run("time_raise")
    assert list(benchmarked.records()) == ["suite.time_raise"]

    benchmarked.replace('raise RuntimeError("as asked for")', "pass")
    benchmarked.run("time_raise")

    assert benchmarked.records() == {}
    assert benchmarked.results("suite.time_raise")[ENVIRONMENT][0] > 0


def test_a_commit_that_changes_nothing_built_builds_nothing(benchmarked: Benchmarked) -> None:
    benchmarked.project.change_source()  # the cache is that of all tests
    benchmarked.commit()
    benchmarked.run("time_well")
    assert benchmarked.project.took().count("compile") == 1

    (benchmarked.folder / "README").write_text("other words", encoding="utf-8")
    second = benchmarked.commit()
    benchmarked.run("time_well")
    assert benchmarked.project.took().count("compile") == 0

    benchmarked.project.change_source()
    third = benchmarked.commit()
    benchmarked.run("time_well")
    assert benchmarked.project.took().count("compile") == 1
    commits = {file.name[:8] for file in benchmarked.result_files()}
    assert {second[:8], third[:8]} < commits
    assert len(commits) == 3


@pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="there is one CPU")
def test_all_environments_build_a_commit_at_once(benchmarked: Benchmarked) -> None:
    benchmarked.configure(matrix={"req": {"iniconfig": ["2.0.0", "2.1.0"]}})
    benchmarked.project.change_source()
    benchmarked.commit()
    running = benchmarked.project.start(
        "run", "--quick", "--bench", "time_well", "HEAD^!", hold="compile", via=ASV
    )
    benchmarked.project.wait_for_held("compile", times=2)  # neither goes on before both have begun
    benchmarked.project.release_until_it_ends(running)

    assert running.finish().code == 0
    assert len(benchmarked.results("suite.time_well")) == 2


def test_what_the_matrix_has_built_is_not_built_again(benchmarked: Benchmarked) -> None:
    benchmarked.project.change_source()
    benchmarked.commit()
    assert benchmarked.project.run().code == 0
    assert benchmarked.project.took().count("compile") == 2  # one for each iniconfig

    benchmarked.run("time_well")
    assert benchmarked.project.took().count("compile") == 0


def test_each_commit_is_measured_with_its_own_build(benchmarked: Benchmarked) -> None:
    """What is not committed is not built; and with ``--parallel`` asv builds in other processes."""
    source = benchmarked.folder / "tiny/tiny/_tiny.c"
    right = source.read_text(encoding="utf-8")
    assert "42" in right
    source.write_text(right.replace("42", "41"), encoding="utf-8")
    benchmarked.commit()
    source.write_text(right, encoding="utf-8")
    benchmarked.commit()
    source.write_text("no C at all", encoding="utf-8")

    benchmarked.asv("run", "--quick", "--parallel", "2", "--bench", "time_well", "HEAD~2..HEAD")

    by_commit = benchmarked.by_date("suite.time_well")
    assert [value is None for value in by_commit] == [True, False]


def test_a_build_that_fails_leaves_the_others_alone(benchmarked: Benchmarked) -> None:
    benchmarked.configure(matrix={"req": {"iniconfig": ["1.1.1", "2.0.0"]}})
    done = benchmarked.run("time_well")

    assert "does not build: " in done.out
    assert benchmarked.project.took().count("compile") <= 3  # asv asks again for what failed first of all
    assert benchmarked.results("suite.time_well")[ENVIRONMENT][0] > 0
    assert benchmarked.results("suite.time_well")[ENVIRONMENT.replace("2.0.0", "1.1.1")] is None


def test_a_commit_that_does_not_build_has_a_record_until_it_does(benchmarked: Benchmarked) -> None:
    with (benchmarked.folder / "tiny/tiny/_tiny.c").open("a", encoding="utf-8") as file:
        file.write('\n#ifdef BROKEN\n#error "as asked for"\n#endif\n')
    commit = benchmarked.commit()
    benchmarked.project.env["CFLAGS"] = "-DBROKEN"
    benchmarked.run("time_well")
    record = benchmarked.records()["build"]
    assert record["verdict"] == "build-failed"
    assert "as asked for" in record["reason"]
    log = Path(record["build_log"])
    assert log.name.startswith(commit)
    assert "_tiny.c" in log.read_text(encoding="utf-8")

    del benchmarked.project.env["CFLAGS"]
    benchmarked.run("time_well")
    assert benchmarked.records() == {}
    assert benchmarked.results("suite.time_well")[ENVIRONMENT][0] > 0


# asv's traps


def test_a_commit_without_the_subject_ends_no_other(benchmarked: Benchmarked) -> None:
    configuration = benchmarked.folder / "tiny/pyproject.toml"
    there = configuration.read_text(encoding="utf-8")
    (benchmarked.folder / "README").write_text("the oldest", encoding="utf-8")
    benchmarked.commit()
    configuration.unlink()
    without = benchmarked.commit()
    configuration.write_text(there, encoding="utf-8")
    benchmarked.commit()

    done = benchmarked.asv("run", "--quick", "--bench", "time_well", "HEAD~3..HEAD")

    assert "pyproject.toml cannot be used" in done.err + done.out
    oldest, middle, newest = benchmarked.by_date("suite.time_well")
    assert oldest[0] > 0
    assert middle is None
    assert newest[0] > 0
    (failure,), _ = failures(benchmarked.folder)
    assert (failure.commit, failure.environment) == (without, ENVIRONMENT)
    assert failure.record.verdict is Verdict.BUILD_FAILED


def test_a_name_that_is_no_file_s_is_kept_as_any_other(benchmarked: Benchmarked) -> None:
    benchmarked.replace(
        "def time_well",
        """
def time_named():
    raise RuntimeError("as asked for")
time_named.benchmark_name = "suite.time_a/b"

class Cached:
    def setup_cache(self):
        raise RuntimeError("no cache")
    def time_one(self, cache):
        pass

def time_well""",
    )
    benchmarked.run("time_a", "time_one")
    assert sorted(benchmarked.records()) == ["suite.Cached.setup_cache", "suite.time_a/b"]
    assert not list(benchmarked.folder.glob("*time_a*"))

    benchmarked.replace("raise RuntimeError", "return str")
    benchmarked.run("time_a", "time_one")
    assert benchmarked.records() == {}


def test_what_failed_keeps_its_parameters_its_variables_and_its_log(benchmarked: Benchmarked) -> None:
    benchmarked.configure(matrix={"req": {"iniconfig": ["2.0.0"]}, "env_nobuild": {"MODE": ["one", "two"]}})
    benchmarked.replace(
        "def time_well",
        """
class Chosen:
    params = ["small", "large"]
    def track_mode(self, size):
        if (size, os.environ["MODE"]) == ("large", "one"):
            raise RuntimeError("as asked for")
        return len(os.environ["MODE"])

def time_well""",
    )
    benchmarked.run("track_mode")
    benchmarked.replace('["small", "large"]', '["tiny", "small", "large"]')
    benchmarked.commit()
    benchmarked.run("time_well")

    (failure,), warnings = failures(benchmarked.folder)
    assert (failure.record.probe, failure.record.parameters) == ("suite.Chosen.track_mode-1", "large")
    assert failure.environment == f"{ENVIRONMENT}-MODEone"
    assert warnings == []
    benchmarked.asv("publish", "--no-pull")
    pages = benchmarked.folder / ".asv/html"
    (told,) = json.loads((pages / "matrix.json").read_text(encoding="utf-8"))["failed"]
    evidence = json.loads((pages / told["evidence"]).read_text(encoding="utf-8"))
    assert Path(evidence["build_log"]).stem == failure.record.build_key
    assert "_tiny" in (pages / evidence["build_log"]).read_text(encoding="utf-8")


def test_builds_that_are_not_told_of_a_variable_are_no_secret(benchmarked: Benchmarked) -> None:
    benchmarked.configure(matrix={"req": {"iniconfig": ["2.0.0"]}, "env": {"CFLAGS": ["-O0"]}})
    done = benchmarked.run("time_well")
    assert '"env" in asv.conf.json: CFLAGS: builds are not told' in done.out


def test_who_publishes_leaves_a_damaged_record_and_says_so(benchmarked: Benchmarked) -> None:
    benchmarked.run("time_raise")
    (file,) = (benchmarked.folder / ".gilgrid/benchmarks").glob("*/*/*/*.json")
    file.write_text("{", encoding="utf-8")
    done = benchmarked.asv("publish", "--no-pull")
    assert f"{file} is damaged" in done.out + done.err
    assert file.read_text(encoding="utf-8") == "{"


def test_a_suite_in_a_folder_of_its_own_measures_the_subject_beside_it(benchmarked: Benchmarked) -> None:
    benchmarked.project.change_source()
    benchmarked.move_to("bench")
    benchmarked.commit()

    done = benchmarked.asv("--config", "bench/asv.conf.json", "run", "--quick", "--bench", "well", "HEAD^!")

    assert done.code == 0, done.out + done.err
    (found,) = (benchmarked.folder / "bench/.asv/results").glob("*/*-gilgrid-*.json")
    assert json.loads(found.read_text(encoding="utf-8"))["results"]["suite.time_well"][0][0] > 0
    done = benchmarked.project.run(
        "compare", "--matrix", "bench", "--only", "benchmarks", "--bench", "well", "HEAD", "HEAD"
    )
    assert done.code == 0, done.out + done.err
    assert "1 benchmark" in done.out


def test_a_subject_in_no_repository_has_no_commits(benchmarked: Benchmarked) -> None:
    shutil.rmtree(benchmarked.folder / ".git")

    done = benchmarked.project.run("compare", "HEAD", "HEAD")

    assert done.code == 2
    assert "Traceback" not in done.err


def test_pins_of_pyproject_toml_do_not_replace_those_of_the_label(benchmarked: Benchmarked) -> None:
    """What asv would install over them is what ``build-system`` requires."""
    text = '[build-system]\nrequires = ["iniconfig==2.1.0", "setuptools"]\n'
    (benchmarked.folder / "pyproject.toml").write_text(text, encoding="utf-8")
    benchmarked.run("track_version")

    assert benchmarked.results("suite.track_version") == {ENVIRONMENT: [200]}


def test_an_environment_that_holds_another_version_than_its_label_is_not_used(
    benchmarked: Benchmarked, tmp_path: Path
) -> None:
    """Somebody has installed another into it, which its label does not say."""
    benchmarked.project.env["GILGRID_CACHE_DIR"] = str(tmp_path / "cache")  # nobody else's
    benchmarked.run("track_version")
    assert benchmarked.results("suite.track_version") == {ENVIRONMENT: [200]}
    spoilt = {path for path in (tmp_path / "cache").glob("environments/*/env-*") if _installs_into(path)}
    assert spoilt

    benchmarked.run("track_version")
    assert benchmarked.results("suite.track_version") == {ENVIRONMENT: [200]}
    # The one that it was built in is not asked for again.
    assert spoilt - set((tmp_path / "cache").glob("environments/*/env-*"))


@pytest.mark.parametrize(
    ("req", "sentence"),
    [
        ({"iniconfig": ["<2.1"]}, "iniconfig: '<2.1' is not one version"),
        ({"iniconfig": [""]}, "iniconfig: '' is not one version"),
        ({"numpy": ["1.0"]}, "'numpy' is no axis of matrix.toml, whose axes are iniconfig"),
        ({}, "no subject has the axes (none) (tiny: iniconfig)"),
    ],
)
def test_what_is_no_version_of_an_axis_is_a_mistake(
    benchmarked: Benchmarked, req: dict[str, list[str]], sentence: str
) -> None:
    benchmarked.configure(matrix={"req": req})
    done = benchmarked.run("time_well")

    assert done.code != 0
    assert f"asv.conf.json, matrix: {sentence}" in done.out + done.err
    assert "Traceback" not in done.out + done.err


def test_a_version_that_does_not_exist_is_left_out_with_its_reason(benchmarked: Benchmarked) -> None:
    benchmarked.configure(matrix={"req": {"iniconfig": ["2.0.0", "2.99"]}})
    done = benchmarked.run("time_well")

    assert "iniconfig2.99 is unavailable" in done.out
    assert list(benchmarked.results("suite.time_well")) == [ENVIRONMENT]


def test_a_fork_server_is_refused(benchmarked: Benchmarked) -> None:
    done = benchmarked.asv("run", "--quick", "--launch-method", "forkserver", "HEAD^!")

    assert "--launch-method spawn" in done.out + done.err
    assert "Traceback" not in done.out + done.err


# What the matrix says, as asv's results


def test_the_matrix_is_a_graph_over_versions(benchmarked: Benchmarked) -> None:
    benchmarked.project.write(AXES + PROBES)
    benchmarked.run("time_well")
    assert benchmarked.project.run().code == 1  # something raises, and no rule expects it
    shown = benchmarked.project.run("show", "--format", "asv")
    assert shown.code == 0, shown.err
    assert f"4 series of Python {PYTHON}" in shown.out

    conf = asv.config.Config.load(str(benchmarked.folder / "asv.conf.json"))
    conf.results_dir = str(benchmarked.folder / ".asv/results")
    known = asv.benchmarks.Benchmarks.load(conf)
    assert "suite.time_well" in known
    (written,) = [
        one for one in asv.results.iter_results(conf.results_dir) if one.env_name.startswith("gilgrid-matrix")
    ]
    versions = [["'2.0.0'", "'2.1.0'"]]
    assert known["matrix.probes.well"]["params"] == versions
    assert written.get_result_value("matrix.probes.well", versions) == [1.0, 1.0]
    assert written.get_result_value("matrix.probes.answer", versions) == [42.0, 42.0]
    assert written.get_result_value("matrix.raises.well", versions) == [0.0, 0.0]

    done = benchmarked.asv("publish", "--no-pull")
    assert done.code == 0, done.out + done.err
    pages = benchmarked.folder / ".asv/html"
    raised = pages / f"matrix/cp{PYTHON.replace('.', '')}-iniconfig2.0.0/raises.json"
    assert json.loads(raised.read_text(encoding="utf-8"))["verdict"] == "failed"
    assert 'href="matrix.html"' in (pages / "index.html").read_text(encoding="utf-8")
    index = json.loads((pages / "index.json").read_text(encoding="utf-8"))
    assert index["benchmarks"]["matrix.probes.answer"]["param_names"] == ["iniconfig"]
    graphs = (pages / "graphs").rglob("matrix.probes.answer.json")
    (graph,) = (path for path in graphs if "summary" not in path.parts)
    ((_revision, values),) = json.loads(graph.read_text(encoding="utf-8"))
    assert values == [42.0, 42.0]


def test_a_suite_that_runs_again_leaves_the_matrix_to_be_written_again(benchmarked: Benchmarked) -> None:
    """Asv writes the list of its benchmarks anew, with its own alone; ours are added to that, once each."""
    assert benchmarked.project.run().code == 0
    for _ in range(2):
        benchmarked.run("time_well")
        assert benchmarked.project.run("show", "--format", "asv").code == 0
        text = (benchmarked.folder / ".asv/results/benchmarks.json").read_text(encoding="utf-8")
        assert {"suite.time_well", "matrix.answers.well", "version"} <= set(json.loads(text))


def test_what_benchmarks_came_to_is_read_with_its_versions(benchmarked: Benchmarked) -> None:
    benchmarked.configure(matrix={"req": {"iniconfig": ["2.0.0", "2.1.0"]}})
    benchmarked.run("time_well")
    benchmarked.run("track_version")  # the same results, with more in them
    foreign = benchmarked.result_files()[0]
    content = json.loads(foreign.read_text(encoding="utf-8"))
    content["params"]["iniconfig"] = "<3"
    name = foreign.name.replace("gilgrid", "virtualenv")
    foreign.with_name(name).write_text(json.dumps(content | {"env_name": "virtualenv"}), encoding="utf-8")

    folder = benchmarked.folder / ".asv/results"
    found = asv_results.samples(config.load(benchmarked.folder / "matrix.toml"), folder)
    tracked = {one.versions["iniconfig"]: one.values for one in found if one.benchmark.endswith("version")}
    assert tracked == {"2.0.0": (200.0,), "2.1.0": (210.0,)}
    timed = [one for one in found if one.benchmark == "suite.time_well"]
    assert [one.unit for one in timed] == ["seconds", "seconds"]
    assert asv_results.parameters(folder)["suite.Sizes.time_hang_of_one-1"] == "2"


def test_what_is_drawn_over_versions_is_of_one_commit(benchmarked: Benchmarked) -> None:
    benchmarked.configure(matrix={"req": {"iniconfig": ["2.0.0", "2.1.0"]}})
    benchmarked.run("time_well", "track_version")
    (benchmarked.folder / "README").write_text("another commit", encoding="utf-8")
    later = benchmarked.commit()
    benchmarked.asv("run", "--quick", "--bench", "time_well", "HEAD^!")
    benchmarked.asv("run", "--quick", "--bench", "track_version", "-E", ENVIRONMENT, "HEAD^!")

    folder, matrix = benchmarked.folder / ".asv/results", config.load(benchmarked.folder / "matrix.toml")
    found = asv_results.samples(matrix, folder)
    at = {name: {one.at[7:15] for one in found if one.benchmark == name} for name in TIMED}
    assert len(found) == 4
    assert at["suite.time_well"] == {later[:8]}
    assert at["suite.track_version"] == {
        commit for commit in at["suite.track_version"] if commit != later[:8]
    }

    benchmarked.replace("int(version", "2 * int(version")
    benchmarked.asv("run", "--quick", "--bench", "time_well", "HEAD^!")
    assert {one.benchmark for one in asv_results.samples(matrix, folder)} == {"suite.time_well"}


def test_choices_that_read_alike_are_told_apart() -> None:
    assert asv_results.choices([["'a'", "'b'"], ["1"]]) == ["a, 1", "b, 1"]
    assert asv_results.choices([["'1'", "1"]]) == ["'1'", "1"]


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (lambda of: (of.folder / "asv.conf.json").write_text("{ nothing"), "asv.conf.json: "),
        (lambda of: of.initialise(), "has no commit yet"),
    ],
)
def test_what_asv_cannot_use_is_one_sentence(
    benchmarked: Benchmarked, break_it: Callable[[Benchmarked], None], sentence: str
) -> None:
    assert benchmarked.project.run().code == 0
    shutil.rmtree(benchmarked.folder / ".git")
    break_it(benchmarked)
    shown = benchmarked.project.run("show", "--format", "asv")
    assert shown.code == 2
    assert sentence in shown.err
    assert "Traceback" not in shown.err


def test_without_a_configuration_of_asvs_it_says_so(project: Project) -> None:
    project.write(AXES)
    assert project.run().code == 0
    shown = project.run("show", "--format", "asv")
    assert shown.code == 2
    assert "asv.conf.json" in shown.err
    assert "Traceback" not in shown.err


# asv's pages


def test_published_pages_take_nothing_from_the_network(benchmarked: Benchmarked) -> None:
    benchmarked.run("time_well")
    done = benchmarked.asv("publish", "--no-pull")
    assert done.code == 0, done.out + done.err
    assert "gilgrid has no copy" not in done.out

    pages = benchmarked.folder / ".asv/html"
    page = (pages / "index.html").read_text(encoding="utf-8")
    assert taken(page) == ()
    local = re.findall(r'<(?:script|link)[^>]*?(?:src|href)="([^"]+)"', page)
    assert len([name for name in local if name.startswith("vendor/")]) == len(assets())
    assert [name for name in local if not (pages / name).is_file()] == []


def test_what_asvs_page_asks_for_is_in_the_package_unless_it_says_otherwise() -> None:
    page = (Path(asv.__file__).parent / "www/index.html").read_text(encoding="utf-8")
    integrities = dict(re.findall(r'"(https://[^"]+)" integrity="([^"]+)"', page))
    assert {asset.replaces for asset in assets()} == set(taken(page))
    for asset in assets():
        content = (VENDOR / asset.file).read_bytes()
        algorithm, _, digest = asset.integrity.partition("-")
        assert base64.b64encode(hashlib.new(algorithm, content).digest()).decode() == digest
        assert (asset.integrity == integrities[asset.replaces]) == asset.same
    assert sum(asset.same for asset in assets()) == 5


def _installs_into(environment: Path) -> bool:
    """Replace iniconfig where it is."""
    if not list(environment.glob("lib/python*/site-packages/iniconfig-2.0.0.dist-info")):
        return False
    python = environment / "bin/python"
    arguments = [uv_program(), "pip", "install", "--quiet", "--python", str(python), "iniconfig==2.1.0"]
    subprocess.run(arguments, check=True)
    return True
