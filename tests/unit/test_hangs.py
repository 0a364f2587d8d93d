"""Which hangs the reports tell of, where, and how often."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from junitparser import JUnitXml
from rich.console import Console

from gilgrid import config, expectations
from gilgrid.cli import main
from gilgrid.evidence import Cause, Evidence, Frame, Waiter
from gilgrid.model import Attempt, Cell, Record, Verdict
from gilgrid.records import Records
from gilgrid.report.hangs import hangs, reports
from gilgrid.report.junit import junit
from gilgrid.report.markdown import markdown
from gilgrid.report.terminal import print_to

if TYPE_CHECKING:
    from gilgrid.expectations import Judged

TEXT = """\
[subject]
name = "tiny"
source = "tiny==1.0"
[axes.scipy]
versions = ["1.9.3", "1.10.1", "1.17.1"]
[[probe]]
name = "held"
command = ["x"]
[[probe]]
name = "other"
command = ["x"]
"""
RULE = '[[expect]]\nprobe = "held"\nverdict = "deadlock"\nbecause = "tiny#1"\n'
EVIDENCE = Evidence(
    cause=Cause.SELF_DEADLOCK,
    threads=(
        Waiter(
            pid=7,
            tid=7,
            process="python",
            waits_for="for a mutex",
            dead=True,
            python=(Frame(function="f", file="/project/y.py", line=3),),
        ),
    ),
    cycle=(7,),
    detected_after=0.5,
)


def hung(
    version: str,
    evidence: Evidence | None = EVIDENCE,
    verdict: Verdict = Verdict.DEADLOCK,
    *,
    probe: str = "held",
    repeats: int = 3,
) -> Record:
    attempt = Attempt(
        verdict=verdict, seconds=20.01, cpu_seconds=0, evidence=evidence, running="test_a" if evidence else ""
    )
    return Record(
        cell=Cell.parse(f"cp311-scipy{version}"),
        probe=probe,
        verdict=verdict,
        reason="why",
        inputs="",
        measured_at="",
        seconds=60.0,
        attempts=(attempt,) * repeats,
    )


def judged(*records: Record, rule: str = "") -> list[Judged]:
    return expectations.judge(config.parse(TEXT + rule, Path("/project/matrix.toml"), shown=""), records)


def headings(*records: Record) -> list[str]:
    return [one.heading for one in hangs(judged(*records))]


def test_a_probe_that_hangs_alike_in_many_cells_is_told_of_once() -> None:
    assert headings(hung("1.9.3"), hung("1.10.1"), hung("1.17.1")) == [
        "held in cp311-scipy1.9.3 and 2 further cells, during test_a"
    ]


def test_another_probe_cause_or_verdict_is_another_hang() -> None:
    join = replace(EVIDENCE, cause=Cause.JOIN)

    assert headings(
        hung("1.9.3"),
        hung("1.10.1", join),
        hung("1.17.1", verdict=Verdict.TIMEOUT),
        hung("1.9.3", probe="other"),
    ) == [
        "held in cp311-scipy1.9.3, during test_a",
        "held in cp311-scipy1.10.1, during test_a",
        "held in cp311-scipy1.17.1, during test_a",
        "other in cp311-scipy1.9.3, during test_a",
    ]


@pytest.mark.parametrize("evidence", [None, Evidence()])
def test_of_what_nothing_is_known_nothing_is_told(evidence: Evidence | None) -> None:
    assert headings(hung("1.9.3", evidence)) == []


def test_a_timeout_says_after_how_long() -> None:
    (one,) = hangs(judged(hung("1.9.3", verdict=Verdict.TIMEOUT)))

    assert one.text.startswith("timeout after 20 s, no deadlock is proven")


def test_a_terminal_shows_each_report_under_what_hung_where() -> None:
    console = Console(file=io.StringIO(), width=200)
    print_to(console, reports(judged(hung("1.9.3"))))
    assert isinstance(console.file, io.StringIO)

    (one,) = hangs(judged(hung("1.9.3")))
    assert console.file.getvalue() == f"{one.heading}\n{one.text}\n"


def test_markdown_has_the_report_as_code_folded_away_where_it_was_expected() -> None:
    matrix = config.parse(TEXT + RULE, Path("/project/matrix.toml"), shown="")
    news, known = (
        markdown(matrix, judged(hung("1.9.3"), rule=rule)).partition("<details")[2] for rule in ("", RULE)
    )

    assert news.startswith(
        " open>\n<summary>held in cp311-scipy1.9.3, during test_a</summary>\n\n```text\ndead"
    )
    assert "\n  └─ itself\n" in news
    assert news.partition("\n```\n\n</details>\n")[1]
    assert known.startswith(">\n<summary>")


def test_no_name_ends_the_code_or_the_summary_that_it_stands_in() -> None:
    frame = Frame(function="````", file="</details>```")
    evidence = replace(EVIDENCE, threads=(replace(EVIDENCE.threads[0], python=(frame,)),))
    record = hung("1.9.3", evidence)
    record = replace(record, attempts=(replace(record.attempts[0], running="</summary>"),))

    text = markdown(config.parse(TEXT, Path("/project/matrix.toml"), shown=""), judged(record))

    assert "\n`````text\n" in text
    assert "during &lt;/summary&gt;</summary>" in text


def test_junit_has_the_whole_report_in_the_failure() -> None:
    (suite,) = JUnitXml.fromstring(junit(judged(hung("1.9.3"))))
    (case,) = suite
    (failure,) = case.result

    assert failure.text == hangs(judged(hung("1.9.3")))[0].text


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "matrix.toml").write_text(TEXT + RULE)
    records = Records.of(tmp_path)
    for version in ("1.9.3", "1.10.1"):
        records.write(hung(version))
    records.write(replace(hung("1.9.3", probe="other"), verdict=Verdict.OK, attempts=()))
    return tmp_path


def shown(project: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    main(["show", "--matrix", str(project / "matrix.toml"), *options])
    return capsys.readouterr().out


def test_show_tells_nothing_of_hangs_that_are_all_expected(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "what to change" not in shown(project, capsys)


def test_show_tells_the_hangs_that_were_asked_for(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = shown(project, capsys, "--cell", "*scipy1.10.1", "--probe", "held")

    (one,) = hangs(judged(hung("1.10.1")))
    assert f"\n{one.heading}\n{one.text}\n" in output
    assert output.splitlines()[-1].startswith("1 verdict ")


def test_show_tells_the_hangs_that_nobody_expected(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Records.of(project).write(hung("1.17.1", probe="other"))

    output = shown(project, capsys)

    assert "\nother in cp311-scipy1.17.1, during test_a\ndeadlock, proven" in output
    assert "held in" not in output
