"""The matrix as JUnit XML: a suite for each cell, a case for each probe, a failure for what is unexpected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from gilgrid.model import Verdict
from gilgrid.report.hangs import hangs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gilgrid.expectations import Judged


def junit(judged: Sequence[Judged]) -> str:
    """The XML as text."""
    document = JUnitXml("gilgrid")
    suites: dict[str, TestSuite] = {}
    for entry in judged:
        suite = suites.setdefault(str(entry.record.cell), TestSuite(str(entry.record.cell)))
        suite.add_testcase(_case(entry))
    for suite in suites.values():
        document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]
    text: bytes = document.tostring()  # type: ignore[no-untyped-call]
    return text.decode() + "\n"


def _case(entry: Judged) -> TestCase:
    record = entry.record
    case = TestCase(_legal(record.probe), classname=str(record.cell), time=record.seconds)
    if record.verdict is Verdict.ERROR:
        case.result = [Error(_legal(entry.difference), record.verdict)]
    elif not entry.as_expected:
        failure = Failure(_legal(entry.difference), record.verdict)
        if told := hangs([entry]):
            failure.text = _legal("\n\n".join(one.text for one in told))
        case.result = [failure]
    elif record.verdict is Verdict.UNAVAILABLE:
        case.result = [Skipped(_legal(record.reason))]
    else:
        case.system_out = (
            f"{record.verdict}: {_legal(record.reason)}" if record.reason else str(record.verdict)
        )
    return case


def _legal(text: str) -> str:
    """XML 1.0 has no way to write most control characters, and a crashed program prints them."""
    return "".join(
        c
        if c in "\t\n" or (c >= " " and c not in "\ufffe\uffff" and not "\ud800" <= c <= "\udfff")
        else f"\\x{ord(c):02x}"
        for c in text
    )
