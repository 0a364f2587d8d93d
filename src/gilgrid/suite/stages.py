"""What a suite can be at: how marks are to be read."""

from __future__ import annotations

from enum import IntEnum


class Stage(IntEnum):
    """A part of a run of pytest. ``NOWHERE``: nothing is judged, as where a debugger waits for its user."""

    NOWHERE = 0
    STARTING = 1
    COLLECTING = 2
    """Of what, the journal says."""
    TESTING = 3
    """A test, by its place in the order of all of them, in a phase."""
    BETWEEN = 4
    """Two tests, or before the first."""
    FINISHING = 5
    ENDING = 6
    """After pytest, while the interpreter ends."""

    @property
    def name_for_people(self) -> str:
        """As in ``while it is ...``."""
        return _NAMES[self]


_NAMES = {
    Stage.NOWHERE: "at nothing that is judged",
    Stage.STARTING: "starting",
    Stage.COLLECTING: "collecting",
    Stage.TESTING: "testing",
    Stage.BETWEEN: "between two tests",
    Stage.FINISHING: "finishing the session",
    Stage.ENDING: "at its exit",
}

PHASES = ("setup", "call", "teardown")
"""Of a test, as pytest names them."""
