"""What a suite can be at: how marks are to be read."""

from __future__ import annotations

from enum import IntEnum


class Stage(IntEnum):
    """A part of a run of pytest. ``NOWHERE``: nothing is judged, as where a debugger waits for its user."""

    NOWHERE = 0
    STARTING = 1
    COLLECTING = 2
    """Of what, the journal says."""
    ARRANGING = 3
    """All is collected; the tests are chosen and put in order."""
    TESTING = 4
    """A test, by its place in the order of all of them, in a phase."""
    BETWEEN = 5
    """After the test of that place, or before the first."""
    FINISHING = 6
    ENDING = 7
    """After pytest, while the interpreter ends; the item is pytest's exit code."""

    @property
    def name_for_people(self) -> str:
        """As in ``while it is ...``."""
        return _NAMES[self]


_NAMES = {
    Stage.NOWHERE: "at nothing that is judged",
    Stage.STARTING: "starting",
    Stage.COLLECTING: "collecting",
    Stage.ARRANGING: "putting the tests in order",
    Stage.TESTING: "testing",
    Stage.BETWEEN: "between two tests",
    Stage.FINISHING: "finishing the session",
    Stage.ENDING: "at its exit",
}

PHASES = ("setup", "call", "teardown")
"""Of a test, as pytest names them."""
