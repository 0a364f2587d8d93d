"""Both sides of every case in turns, and a journal from which an interrupted comparison goes on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gilgrid.comparison import Case, Turn, Turns, is_settled, rounds_to_decide, suspects
from gilgrid.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gilgrid.asv_suite import Item, Suite
    from gilgrid.benchmarked import Installed

    Progress = Callable[[str, int, int], None]
    """Told what is under way, how much of it is done, and of how much."""

_SIDES = (0, 1)


@dataclass(frozen=True, kw_only=True)
class Work:
    """A benchmark, and where both sides of it are installed."""

    case: Case
    item: Item
    installed: tuple[Installed, Installed]


@dataclass(frozen=True, kw_only=True)
class Journal:
    """What was measured of a comparison that has not ended yet, in a file of its own."""

    path: Path

    def read(self, works: Sequence[Work]) -> dict[Case, Turns]:
        """The turns so far, of each."""
        known = {work.case: Turns(case=work.case, unit=work.item.unit) for work in works}
        written = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        for line in written.splitlines():
            try:
                case, look, *pair = json.loads(line)
                before, after = (Turn(**one | {"verdict": Verdict(one["verdict"])}) for one in pair)
                _look(known[Case(**case)], look).append((before, after))
            except (ValueError, KeyError, TypeError):  # cut off by a kill
                continue
        if written and not written.endswith("\n"):
            self._append("\n")
        return known

    def write(self, case: Case, look: str, pair: tuple[Turn, Turn]) -> None:
        """Keep a turn of both sides."""
        self._append(json.dumps([vars(case), look, *map(vars, pair)]) + "\n")

    def close(self) -> None:
        """The comparison has ended: the next one of the same sides begins anew."""
        self.path.unlink(missing_ok=True)

    def _append(self, text: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text)


def measure(
    suite: Suite, works: Sequence[Work], journal: Journal, *, rounds: int, factor: float, progress: Progress
) -> tuple[list[Turns], list[Turns]]:
    """Both looks; returns all that was measured, and what the second look was at."""
    turns = journal.read(works)
    everything = list(turns.values())

    def look(name: str, chosen: Sequence[Work], number: int) -> None:
        for done in range(number):
            for place, work in enumerate(chosen):
                progress(
                    f"{name} look, round {done + 1} of {number}",
                    done * len(chosen) + place,
                    number * len(chosen),
                )
                so_far = _look(turns[work.case], name)
                if len(so_far) > done or is_settled(so_far):
                    continue
                # Who is first is so in every other round: the first may find the machine in another state.
                order = _SIDES if done % 2 == 0 else _SIDES[::-1]
                found = {side: suite.measure(work.item, work.installed[side]) for side in order}
                so_far.append((found[0], found[1]))
                journal.write(work.case, name, so_far[-1])

    look("first", works, rounds)
    open_cases = suspects(everything, factor)
    if open_cases:
        open_names = {one.case for one in open_cases}
        chosen = [work for work in works if work.case in open_names]
        look("second", chosen, rounds_to_decide(len(chosen)))
    return everything, open_cases


def _look(turns: Turns, name: str) -> list[tuple[Turn, Turn]]:
    return turns.first if name == "first" else turns.second
