"""One class per exit code of ``gilgrid``; each carries its sentence and what to do next."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self


class ExitCode(IntEnum):
    """What ``gilgrid`` exits with; ``gilgrid watch`` has its own codes, see the README."""

    AS_EXPECTED = 0
    DIFFERS = 1
    MISTAKE = 2
    GILGRID_FAILED = 3
    INTERRUPTED = 130
    NOBODY_READS = 141
    """As a program that SIGPIPE ends."""


class WatchExit(IntEnum):
    """What ``gilgrid watch`` exits with when it is not the command's own code; as timeout(1) does."""

    DEADLOCK = 121
    TIMEOUT = 124
    GILGRID_FAILED = 125
    """Also for a mistake in the call: 2 could be the command's."""
    NOT_EXECUTABLE = 126
    NOT_FOUND = 127
    SIGNALLED = 128
    """And the signal's number."""


class GilgridError(Exception):
    """gilgrid itself failed: never the fault of a cell."""

    exit_code: ClassVar[ExitCode] = ExitCode.GILGRID_FAILED


class MistakesError(GilgridError):
    """Mistakes of the user, in a file or in a call: every one of them, not only the first."""

    exit_code: ClassVar[ExitCode] = ExitCode.MISTAKE

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))

    def __reduce__(self) -> tuple[type[Self], tuple[Sequence[str]]]:
        return type(self), (self.mistakes,)


class UnavailableError(GilgridError):
    """No such environment exists, in the resolver's own words: the cell's verdict, not a failure."""


class BuildFailedError(GilgridError):
    """The subject did not build: the cell's verdict, with the first error and the whole output."""

    def __init__(self, first_error: str, log: str) -> None:
        self.first_error = first_error
        self.log = log
        super().__init__(first_error)

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        # Pickled by its message alone it could not be made again, and a worker process that raises what
        # cannot be read breaks the whole pool.
        return type(self), (self.first_error, self.log)


class RecordNotKeptError(GilgridError):
    """A record could not be written: to measure on would be for nothing."""


class ExecutorLostError(GilgridError):
    """Whoever gave work to other machines is gone: what has arrived is kept, and nothing more will."""


class CancelledError(GilgridError):
    """The run was interrupted while this was under way; nothing is recorded for it."""

    exit_code: ClassVar[ExitCode] = ExitCode.INTERRUPTED
