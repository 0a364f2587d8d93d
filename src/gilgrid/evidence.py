"""What a deadlock is told with: its cause, who waits for whom, and the frames that show it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gilgrid.since.dataclasses import dataclass
from gilgrid.since.enum import StrEnum

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self


class Cause(StrEnum):
    """Why threads can never run again, or never stop: a short tag under a verdict."""

    GIL_VS_OPENMP_BARRIER = "gil-vs-openmp-barrier"
    GIL_VS_JOIN = "gil-vs-join"
    GIL_VS_MUTEX = "gil-vs-mutex"
    GIL_VS_CONDITION = "gil-vs-condition"
    GIL_VS_STATIC_INIT = "gil-vs-static-init"
    GIL_VS_CALL_ONCE = "gil-vs-call-once"
    GIL_VS_LOADER_LOCK = "gil-vs-loader-lock"
    GIL_HELD_BY_WAITER = "gil-held-by-waiter"
    LOCK_ORDER = "lock-order"
    SELF_DEADLOCK = "self-deadlock"
    IMPORT_LOCK = "import-lock"
    FORK_LOST_LOCK = "fork-lost-lock"
    OPENMP_AFTER_FORK = "openmp-after-fork"
    FULL_PIPE = "full-pipe"
    PIPE_CYCLE = "pipe-cycle"
    QUEUE_JOIN = "queue-join"
    JOIN = "join"
    JOIN_AT_SHUTDOWN = "join-at-shutdown"
    LOST_WAKEUP = "lost-wakeup"
    SPINNING = "spinning"
    """Not a proof: a thread that runs without end, at the deadline."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One frame of a stack. `line` is 0 where it is not known; `library` is of native frames only."""

    function: str
    file: str = ""
    line: int = 0
    library: str = ""


@dataclass(frozen=True, kw_only=True)
class Waiter:
    """One thread: what it waits for, and who could release it.

    Frames are innermost first. `native` has what tells, not all. `released_by` has thread ids; it is empty
    where nobody can. `dead` threads are proven never to run again.
    """

    pid: int
    tid: int
    process: str
    is_main: bool = False
    holds_gil: bool = False
    waits_for: str = ""
    released_by: tuple[int, ...] = ()
    dead: bool = False
    python: tuple[Frame, ...] = ()
    native: tuple[Frame, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the prover saw when it proved a deadlock, or when the deadline came and it had not.

    `threads` has those that matter, the first of the cycle first; `cycle` has thread ids, each waiting for
    the next and the last for the first, and is empty where the stacks do not tell. `others` counts further
    threads that are dead with them. `detected_after` is in seconds since the tree last made progress, None
    where nothing was proven. `cpus_used` is how many CPUs the tree kept busy just before: 0.0 where all of it
    slept, 1.0 where one thread span; None where that was not sampled. `not_permitted` says what could not be
    looked at, and how to permit it.
    """

    cause: Cause | None = None
    threads: tuple[Waiter, ...] = ()
    cycle: tuple[int, ...] = ()
    others: int = 0
    detected_after: float | None = None
    cpus_used: float | None = None
    not_permitted: str = ""

    @property
    def is_proof(self) -> bool:
        """Whether a deadlock is proven, and not only told what the threads are at."""
        return self.detected_after is not None

    def to_json(self) -> dict[str, Any]:
        """The evidence as JSON can carry it; `from_json` is its inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote. Raises ``ValueError``, ``TypeError`` or ``KeyError`` where it is not."""
        threads = tuple(
            Waiter(
                **{
                    **waiter,
                    "released_by": tuple(waiter["released_by"]),
                    "python": tuple(Frame(**frame) for frame in waiter["python"]),
                    "native": tuple(Frame(**frame) for frame in waiter["native"]),
                }
            )
            for waiter in content["threads"]
        )
        cause = Cause(content["cause"]) if content["cause"] else None
        return cls(**{**content, "cause": cause, "threads": threads, "cycle": tuple(content["cycle"])})
