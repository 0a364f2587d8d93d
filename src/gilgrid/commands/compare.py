"""``gilgrid compare``: two commits, or two versions of an axis; what got slower, what ends otherwise."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from rich.progress import Progress

from gilgrid import benchmarked, comparison, config, files, guard, selection, sides
from gilgrid.commands.measure import end_by_sigterm, measure
from gilgrid.comparison import Case
from gilgrid.config_subjects import moved
from gilgrid.errors import BuildFailedError, ExitCode, GilgridError, MistakesError, UnavailableError
from gilgrid.extras import needs
from gilgrid.model import Verdict
from gilgrid.plan import Plan, plan
from gilgrid.records import FOLDER, Records
from gilgrid.report import compared, terminal
from gilgrid.turns import Journal, Work
from gilgrid.turns import measure as measure_in_turns
from gilgrid.workshop import Workshop, prospects

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from gilgrid.asv_suite import Item, Suite
    from gilgrid.benchmarked import Installed
    from gilgrid.comparison import Change, Turns
    from gilgrid.matrix import Matrix
    from gilgrid.model import Cell
    from gilgrid.sides import Pair, Side


@dataclass(kw_only=True)
class _Comparison:
    matrix: Matrix
    suite: Suite
    workshop: Workshop
    console: Console
    options: argparse.Namespace
    names: tuple[str, str]
    changes: list[Change] = field(default_factory=list)
    missing: int = 0
    """Cells that neither side has."""

    def say(self, sentence: str) -> None:
        self.console.print(sentence, style="dim", markup=False, highlight=False, soft_wrap=True)


def command(options: argparse.Namespace) -> ExitCode:
    """Measure both sides in turns and print what differs by more than the noise."""
    with needs("asv"):
        from gilgrid.asv_suite import Suite, human  # noqa: PLC0415 - an extra
    names = (options.before, options.after)
    matrix = config.load(options.matrix.resolve())
    records = Records.of(matrix.project)
    records.check_writable()
    end_by_sigterm()
    suite = Suite.load(matrix.project)
    of = _Comparison(
        matrix=matrix,
        suite=suite,
        workshop=Workshop.of(matrix, records, files.cache_folder()),
        console=terminal.console(),
        options=options,
        names=names,
    )
    try:
        pairs = sides.chosen(sides.pairs(matrix, suite.places(), names, suite.checkout), options.cell)
        installed = _installed(of, pairs)
        if of.missing == len(pairs):
            raise MistakesError(["there is nothing to compare: no cell has either side, see above"])
        turns = _benchmarks(of, installed) if options.only != "probes" else []
        verdicts = _probes(of, list(installed)) if options.only != "benchmarks" else 0
    except KeyboardInterrupt:
        guard.cancel_all()
        print("interrupted: what was measured is kept; the same command goes on", file=sys.stderr)  # noqa: T201
        return ExitCode.INTERRUPTED
    finally:
        suite.close()
    if of.changes:
        of.console.print()
        terminal.print_to(of.console, compared.table(of.changes, names, human))
    of.console.print()
    without_ratio = sum(one.has_no_ratio for one in turns)
    for line in compared.conclusion(
        of.changes, len(turns) - without_ratio, verdicts, comparison.noise(turns), without_ratio
    ):
        of.console.print(line, markup=False, highlight=False, soft_wrap=True)
    is_worse = any(change.outcome.is_regression for change in of.changes)
    return ExitCode.DIFFERS if is_worse else ExitCode.AS_EXPECTED


def _installed(of: _Comparison, pairs: Sequence[Pair]) -> dict[Pair, tuple[Installed, Installed]]:
    """Both sides of every pair, of those where there are both and where they may differ."""
    from gilgrid.asv_process import RUNNER  # noqa: PLC0415 - an extra

    of.say(f"{terminal.counted(len(pairs), 'cell')}: environments and builds of both sides")
    ends = benchmarked.at_once(
        {
            (pair, number): partial(
                benchmarked.install, of.workshop, side.subject, side.cell, source=side.source, further=RUNNER
            )
            for pair in pairs
            for number, side in enumerate(pair.sides)
        }
    )
    for number in (0, 1):
        if all(isinstance(ends[pair, number], UnavailableError) for pair in pairs):  # misspelt, mostly
            raise MistakesError([f"{of.names[number]}: no cell has it: {ends[pairs[0], number]}"])
    found = {}
    for pair in pairs:
        before, after = ends[pair, 0], ends[pair, 1]
        if isinstance(before, GilgridError) or isinstance(after, GilgridError):
            _tell_missing(of, pair, before, after)
        elif _are_the_same(before, after) and pair.sides[0].name != pair.sides[1].name:
            of.say(f"{pair.label}: the same build and the same environment, nothing to measure")
        else:
            found[pair] = before, after
    return found


def _are_the_same(before: Installed, after: Installed) -> bool:
    same_build = before.build.key == after.build.key
    return same_build and before.environment.versions == after.environment.versions


def _tell_missing(
    of: _Comparison, pair: Pair, before: Installed | GilgridError, after: Installed | GilgridError
) -> None:
    """What has no environment or no build, on one side or on both; what else failed is raised."""
    verdicts, reasons = [], []
    for end in (before, after):
        match end:
            case UnavailableError():
                verdicts.append(Verdict.UNAVAILABLE)
            case BuildFailedError():
                verdicts.append(Verdict.BUILD_FAILED)
            case GilgridError():
                raise end
            case _:
                verdicts.append(Verdict.OK)
                continue
        reasons.append(str(end))
    of.say(f"{pair.label}: {verdicts[0]} and {verdicts[1]}: {reasons[-1]}")
    if verdicts[0] == verdicts[1]:
        of.missing += 1
    else:
        case = Case(cell=pair.label, benchmark="build and environment")
        of.changes.append(comparison.changed_verdict(case, verdicts[0], verdicts[1], reasons[-1]))


def _benchmarks(of: _Comparison, installed: dict[Pair, tuple[Installed, Installed]]) -> list[Turns]:
    works = []
    for pair, there in installed.items():
        for item in _items(of, there):
            case = Case(cell=pair.label, benchmark=item.name, parameters=item.parameters)
            works.append(Work(case=case, item=item, installed=there))
    if not works:
        return []
    identity = files.digest(
        [(one.build.key, dict(one.environment.versions)) for there in installed.values() for one in there],
        [(vars(work.case), work.item.benchmark.get("version")) for work in works],
    )
    journal = Journal(path=of.matrix.project / FOLDER / "comparisons" / f"{identity}.jsonl")
    with _progress(of.console) as progress:
        turns, looked_at_again = measure_in_turns(
            of.suite, works, journal, rounds=of.options.rounds, factor=of.options.factor, progress=progress
        )
    journal.close()
    of.changes += comparison.slower_or_faster(looked_at_again, of.options.factor)
    of.changes += filter(
        None, (comparison.ended_otherwise(one.case, [*one.first, *one.second]) for one in turns)
    )
    return [one for one in turns if one.is_measured]


def _items(of: _Comparison, there: tuple[Installed, Installed]) -> list[Item]:
    """The benchmarks as either side lists them: what the other cannot even import ends worse there."""
    before, after = there
    try:
        return of.suite.items(after, of.options.bench)
    except MistakesError:
        raise
    except GilgridError:
        try:
            return of.suite.items(before, of.options.bench)
        except GilgridError as error:  # a mistake in the suite, which is the same on both sides
            raise MistakesError([str(error)]) from None


def _probes(of: _Comparison, pairs: Sequence[Pair]) -> int:
    """Compare the verdicts of probes; returns how many there are of both sides."""
    before, after = (_verdicts(of, pairs, number) for number in (0, 1))
    common = [key for key in before if key in after]
    for label, probe in common:
        (verdict_before, reason_before), (verdict_after, reason_after) = (
            before[label, probe],
            after[label, probe],
        )
        if verdict_before != verdict_after:
            case = Case(cell=label, benchmark=f"probe {probe}")
            reason = reason_after or reason_before
            of.changes.append(comparison.changed_verdict(case, verdict_before, verdict_after, reason))
    return len(common)


def _verdicts(
    of: _Comparison, pairs: Sequence[Pair], number: int
) -> dict[tuple[str, str], tuple[Verdict, str]]:
    """By pair and probe; measures what has no record."""
    chosen = [pair.sides[number] for pair in pairs]
    if not chosen:
        return {}
    workshop = _workshop(of, chosen)
    cells = {
        subject.name: tuple(side.cell for side in chosen if side.subject.name == subject.name)
        for subject in of.matrix.subjects
    }
    whole = plan(workshop.matrix, cells)
    if of.options.probe:
        whole = selection.chosen(whole, (), of.options.probe)
    labels = _labels(pairs, chosen, whole)
    selected = Plan(
        cells=tuple(side.cell for side in chosen), jobs=tuple(job for job in whole.jobs if job.cell in labels)
    )
    found = prospects(workshop, selected)
    kept = [one.record for one in found if one.record]
    jobs = [one.job for one in found if not one.record]
    if jobs:
        of.say(f"probes of {chosen[0].name}")
        measure(workshop, selected, kept, jobs, console=of.console)
    read = (workshop.records.read(job.cell, job.probe) for job in selected.jobs)
    return {(labels[record.cell], record.probe): (record.verdict, record.reason) for record in read if record}


def _labels(pairs: Sequence[Pair], chosen: Sequence[Side], whole: Plan) -> dict[Cell, str]:
    """What the cells of jobs are called on both sides; a probe may have fewer axes than the cell of a side.

    Without what differs between the sides, it is the same on both: that is left out.
    """
    shapes = {(job.axes, tuple(one.axis for one in job.cell.coordinates)) for job in whole.jobs}
    parts = [
        (pair, side.cell.projected(shape))
        for pair, side in zip(pairs, chosen, strict=True)
        for axes, shape in shapes
        if axes == side.subject.axes and (not pair.axis or pair.axis in shape)
    ]
    return {part: str(pair.without(part)) for pair, part in parts}


def _workshop(of: _Comparison, chosen: Sequence[Side]) -> Workshop:
    """The project's own, or one of a commit with records of its own."""
    sources = {side.subject.name: side.source for side in chosen if side.source}
    if not any(side.source for side in chosen):
        return of.workshop
    matrix = replace(
        of.matrix,
        subjects=tuple(
            moved(subject, sources[subject.name]) if subject.name in sources else subject
            for subject in of.matrix.subjects
        ),
    )
    commit = of.suite.commit(chosen[0].name)
    records = Records(folder=of.matrix.project / FOLDER / "commits" / commit)
    return Workshop.of(matrix, records, files.cache_folder())


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal, and some lines in a log."""
    if console.is_terminal:
        with Progress(console=console, transient=True) as bar:
            task = bar.add_task("")
            yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)
        return
    told = [""]

    def line(what: str, done: int, total: int) -> None:
        if what != told[0]:
            told[0] = what
            console.print(f"{what}: {done} of {total} done", soft_wrap=True)

    yield line
