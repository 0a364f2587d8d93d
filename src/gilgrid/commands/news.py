"""``gilgrid news``: what differs from what is expected, and what of it is new since the last time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gilgrid import expectations, files
from gilgrid.errors import ExitCode
from gilgrid.news import Difference, news
from gilgrid.recorded import recorded
from gilgrid.records import FOLDER
from gilgrid.report import issue

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


def command(options: argparse.Namespace) -> ExitCode:
    """Print it, and write it as an issue and a comment, each empty where nothing is to be said."""
    of = recorded(options.matrix)
    folder = of.matrix.project / FOLDER / "news"
    before = _kept(folder / "news.json")
    judged = expectations.judge(of.matrix, [of.found[job.cell, job.probe] for job in of.plan.jobs])
    missing = {job.probe for job in of.whole.jobs if (job.cell, job.probe) not in of.found}
    told = news(judged, before, missing)
    comment, body = issue.comment(told), issue.body(told.differing)
    files.write_atomically(folder / "title.txt", issue.title(of.matrix.title, told.differing))
    files.write_atomically(folder / "issue.md", body)
    files.write_atomically(folder / "comment.md", comment)
    files.write_json(folder / "news.json", [one.to_json() for one in told.differing])
    for warning in of.warnings:
        print(warning, file=sys.stderr)  # noqa: T201 - the output
    print(comment or body or "as expected", end="" if comment or body else "\n")  # noqa: T201
    return ExitCode.AS_EXPECTED


def _kept(file: Path) -> list[Difference]:
    try:
        return [Difference.from_json(one) for one in files.read_json(file) or ()]
    except (KeyError, TypeError):  # of another gilgrid, or edited: all of it is new then
        return []
