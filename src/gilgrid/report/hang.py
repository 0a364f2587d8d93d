"""One hang, for people: who waits for whom, where, and what to change. Made of its evidence alone.

Names are the hung program's own, and may be anything: they are shown as plain, printable text.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from gilgrid.advice import ADVICE
from gilgrid.model import Verdict
from gilgrid.printable import line
from gilgrid.report.frames import frames
from gilgrid.report.styles import STYLES
from gilgrid.telling import UNNAMED, runs, sentence, waits_for_gil

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from gilgrid.evidence import Evidence, Waiter

__all__ = ["hang", "sentence", "text"]

WIDTH = 80
_LONGEST_CHAIN = 4
_LONGEST_CYCLE = 8
_LONGEST_PROCESS = 40
_ASCII = str.maketrans("┌│└─▶", "+|+->")
# What follows a wait, before the name of who could end it: the first that occurs in the wait's own words.
_LINKS = {
    "barrier": " for",
    "condition": ", which is up to",
    "GIL": ", held by",
    "mutex": ", held by",
    "lock": ", held by",
    "initialisation": ", under way in",
    "call_once": ", under way in",
    " to read": " from",
    " to write": " to",
}


def hang(evidence: Evidence, *, verdict: Verdict | None, deadline_s: float | None = None) -> RenderableType:
    """The report of one hang, for a terminal of 80 columns and for logs; in ASCII where nothing else is.

    Without a verdict: of a process that runs on.
    """
    return _Report(evidence, verdict, deadline_s)


def text(evidence: Evidence, *, verdict: Verdict, deadline_s: float | None = None) -> str:
    """The same as plain text."""
    return "".join(f"{row.plain.rstrip()}\n" for row in _lines(evidence, verdict, deadline_s, WIDTH))


@dataclass(frozen=True)
class _Report:
    evidence: Evidence
    verdict: Verdict | None
    deadline_s: float | None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for row in _lines(self.evidence, self.verdict, self.deadline_s, min(options.max_width, WIDTH)):
            if options.ascii_only:
                row.plain = row.plain.translate(_ASCII)
            yield row


def _lines(
    evidence: Evidence, verdict: Verdict | None, deadline_s: float | None, width: int
) -> Iterator[Text]:
    people = _Names(evidence)
    told = _told(evidence, people, verdict)
    head = _wrapped(f"{_outcome(evidence, verdict, deadline_s)}{': ' if told else ''}{told}", width)
    if verdict:
        head.stylize(f"bold {STYLES[verdict]}", 0, len(verdict))
    yield head
    if evidence.cycle:
        yield Text()
        yield from _diagram(evidence, people)
    for alike in _groups(evidence):
        yield Text()
        yield from _thread(alike, people, verdict, width)
    yield from _rest(evidence, verdict, width)
    if evidence.cause:
        advice = ADVICE[evidence.cause]
        yield Text()
        yield _wrapped(advice.why, width)
        yield Text()
        yield Text("what to change", "bold")
        for change in advice.change:
            yield _wrapped(change, width, "  - ")
        yield Text(f"  {advice.link}")


def _outcome(evidence: Evidence, verdict: Verdict | None, deadline_s: float | None) -> str:
    if verdict is Verdict.DEADLOCK:
        after = evidence.detected_after
        return f"{verdict}, proven" + (f" {after:.1f} s after the last progress" if after is not None else "")
    if verdict is None:
        return "no deadlock is proven"
    return f"{verdict}{f' after {deadline_s:g} s' if deadline_s is not None else ''}, no deadlock is proven"


def _told(evidence: Evidence, people: _Names, verdict: Verdict | None) -> str:
    if verdict is not Verdict.DEADLOCK and not evidence.cause:
        return "" if evidence.threads else "nothing of its threads is known"
    if not evidence.cycle:
        return sentence(evidence)
    title = ADVICE[evidence.cause].title if evidence.cause else UNNAMED
    return f"{title}: {_chain(evidence, people)}"


def _chain(evidence: Evidence, people: _Names) -> str:
    """The cycle as a clause: each thread waits for the next."""
    first, *others = evidence.cycle
    start = f"{people.short(first)}{' holds the GIL and' if people.holds_gil(first) else ''} waits for "
    if not others:
        return f"{start}{'it' if people.holds_gil(first) else 'itself'}"
    if len(others) >= _LONGEST_CHAIN:
        return f"{start}{people.short(others[0])}, and so on through {len(others) + 1} threads back to it"
    last = people.waiter(others[-1])
    end = "the GIL" if last and waits_for_gil(last) else people.short(first)
    return start + ", which waits for ".join([*map(people.short, others), end])


def _diagram(evidence: Evidence, people: _Names) -> Iterator[Text]:
    cycle = evidence.cycle
    for number, tid in enumerate(cycle):
        if _LONGEST_CYCLE <= number < len(cycle) - 1:
            continue
        bar = Text(f"  {'│ ' if number else '┌▶'} ", "dim")
        yield bar + Text(people.full(tid), "bold") + Text(", holds the GIL" if people.holds_gil(tid) else "")
        left_out = len(cycle) - 1 - _LONGEST_CYCLE if number == _LONGEST_CYCLE - 1 else 0
        link = people.link(tid) if left_out <= 0 else f"waits, as do {left_out} more of this circle, for"
        yield Text("  │    ", "dim") + Text(link)
    back = "itself" if len(cycle) == 1 else people.full(cycle[0])
    yield Text("  └─ ", "dim") + Text(back, "bold")


def _thread(alike: Sequence[Waiter], people: _Names, verdict: Verdict | None, width: int) -> Iterator[Text]:
    one = alike[0]
    several = len(alike) > 1
    names = people.listed([waiter.tid for waiter in alike])
    wait = _plural(_wait(one)) if several else _wait(one)
    head = _wrapped(f"{names} {'holds the GIL and ' if one.holds_gil else ''}{wait}", width)
    head.stylize("bold", 0, len(names))
    yield head
    if not runs(one) and (one.released_by or verdict is Verdict.DEADLOCK):
        it = "them" if several else "it"
        yield _wrapped(_release(alike, people, only=verdict is Verdict.DEADLOCK, it=it), width, "  ")
    yield from frames(one, width, indent=4)


def _release(alike: Sequence[Waiter], people: _Names, *, only: bool, it: str) -> str:
    by = alike[0].released_by
    if not by:
        return f"nobody could release {it}"
    who = "the thread itself" if by == (alike[0].tid,) else people.listed(by)
    return f"{'only ' if only else ''}{who} could release {it}"


def _rest(evidence: Evidence, verdict: Verdict | None, width: int) -> Iterator[Text]:
    if evidence.others:
        more = f"{evidence.others} more {'thread' if evidence.others == 1 else 'threads'}"
        yield Text()
        yield Text(f"{more} can never run again either" if verdict is Verdict.DEADLOCK else more)
    if evidence.not_permitted:
        yield Text()
        row = _wrapped(f"not permitted: {line(evidence.not_permitted)}", width)
        row.stylize("yellow", 0, len("not permitted:"))
        yield row


def _groups(evidence: Evidence) -> list[list[Waiter]]:
    """Threads that wait alike, as the workers of a pool do, are told of once."""
    groups: dict[object, list[Waiter]] = {}
    for waiter in evidence.threads:
        alike = (waiter.pid, waiter.is_main, waiter.holds_gil, waiter.waits_for, waiter.released_by)
        groups.setdefault((alike, waiter.python, waiter.native), []).append(waiter)
    return list(groups.values())


class _Names:
    """What the threads of one hang are called: with their process, where there are several."""

    def __init__(self, evidence: Evidence) -> None:
        self._waiters = {waiter.tid: waiter for waiter in evidence.threads}
        self._several = len({waiter.pid for waiter in evidence.threads}) > 1

    def waiter(self, tid: int) -> Waiter | None:
        return self._waiters.get(tid)

    def holds_gil(self, tid: int) -> bool:
        waiter = self.waiter(tid)
        return bool(waiter and waiter.holds_gil)

    def short(self, tid: int) -> str:
        waiter = self.waiter(tid)
        if not waiter or not self._several:
            return f"thread {tid}"
        return f"process {waiter.pid}" if waiter.is_main else f"thread {tid} of process {waiter.pid}"

    def full(self, tid: int) -> str:
        waiter = self.waiter(tid)
        main = " (main)" if waiter and waiter.is_main else ""
        if not waiter or not self._several:
            return f"thread {tid}{main}"
        process = f"process {waiter.pid} ({line(waiter.process)[:_LONGEST_PROCESS]})"
        return process if waiter.is_main else f"thread {tid} of {process}"

    def listed(self, tids: Sequence[int]) -> str:
        if len(tids) == 1:
            return self.full(tids[0])
        shown, rest = (tids, 0) if len(tids) <= _LONGEST_CHAIN else (tids[: _LONGEST_CHAIN - 1], len(tids))
        names = [self.short(tid) if self._several else str(tid) for tid in shown]
        last = f"{rest - len(shown)} others" if rest else names.pop()
        return f"{'' if self._several else 'threads '}{', '.join(names)} and {last}"

    def link(self, tid: int) -> str:
        waiter = self.waiter(tid)
        wait = _wait(waiter) if waiter and waiter.waits_for else "waits for"
        words = next((words for word, words in _LINKS.items() if word in wait), ":")
        return wait + words if wait != "waits for" else wait


def _wait(waiter: Waiter) -> str:
    if runs(waiter):
        return "runs"
    words = line(waiter.waits_for)
    return f"waits {words}" if words.partition(" ")[0] in {"for", "at", "to", "in"} else f"waits for {words}"


def _plural(wait: str) -> str:
    return wait.replace("waits", "wait", 1).replace("runs", "run", 1)


def _wrapped(sentences: str, width: int, indent: str = "") -> Text:
    """Wrapped between words only: a word that is too long for its line is left whole."""
    rows = textwrap.wrap(
        sentences, width, initial_indent=indent, subsequent_indent=" " * len(indent),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return Text("\n".join(rows))
