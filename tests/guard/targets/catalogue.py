"""Every target that the guard must recognise or leave alone: how to start it and what must be said of it.

Plain data, for tests and benchmarks: `TARGETS` by name. What a target does stands where it is done, in
`programs/` and `extensions/`; its `about` says who waits for whom.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PROGRAMS = Path(__file__).resolve().with_name("programs")


@dataclass(frozen=True, kw_only=True)
class Target:
    """One command and what the guard must say of it.

    In `argv`, ``{python}`` stands for the interpreter and ``{programs}`` for the folder of the programs. A
    target that ends checks its result: all was well if its output ends in `prints` and its exit code is 0.
    """

    name: str
    about: str
    argv: tuple[str, ...]
    verdict: str
    """`deadlock`, `timeout`, or `ok` for what ends by itself."""
    causes: tuple[str, ...] = ()
    """The tags that are right for it; empty for what ends."""
    twin: str = ""
    """Of a hang: the target that does the same and ends."""
    env: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    """What must be there, as `build.py` knows it."""
    since: tuple[int, int] = (3, 8)
    until: tuple[int, int] = (3, 99)
    """The first and the last CPython in which it is what it is."""
    prints: str = "done"
    fed_after_s: float | None = None
    """Whoever starts it writes a line to its standard input after so long; else there is none."""

    def command(self, python: str) -> list[str]:
        """What to execute."""
        return [part.format(python=python, programs=PROGRAMS) for part in self.argv]

    def unsuitable(self, version: tuple[int, int]) -> str:
        """Why that CPython cannot run it; empty if it can."""
        if version < self.since:
            return f"needs CPython {self.since[0]}.{self.since[1]}"
        if version > self.until:
            return f"CPython after {self.until[0]}.{self.until[1]} does not let it happen"
        return ""


def hang(name: str, about: str, argv: str, causes: str, **more: Any) -> Iterator[Target]:
    """Return a deadlock and its twin, which is the same command with ``--fixed``."""
    target = Target(
        name=name,
        about=about,
        argv=("{python}", *argv.split()),
        verdict="deadlock",
        causes=tuple(causes.split()),
        twin=f"{name}-fixed",
        **more,
    )
    yield target
    yield fixed(target)


def fixed(target: Target) -> Target:
    """Return the twin of a hang."""
    return replace(
        target,
        name=target.twin,
        about=f"the fixed twin of {target.name}",
        argv=(*target.argv, "--fixed"),
        verdict="ok",
        causes=(),
        twin="",
    )


def spin(name: str, about: str, argv: str, **more: Any) -> Target:
    """Return what never ends and is no deadlock: a thread that runs."""
    command = ("{python}", *argv.split())
    return Target(name=name, about=about, argv=command, verdict="timeout", causes=("spinning",), **more)


def live(name: str, about: str, argv: str, **more: Any) -> Target:
    """Return what ends by itself after some seconds."""
    return Target(name=name, about=about, argv=("{python}", *argv.split()), verdict="ok", **more)


# ---- OpenMP ----

OPENMP = "{programs}/openmp.py"
RUNTIMES = {"gnu": "libgomp", "llvm": "libomp"}
POLICIES = ("passive", "active")
BARRIER = "gil-vs-openmp-barrier"


def openmp() -> Iterator[Target]:
    for runtime, library in RUNTIMES.items():
        for policy in POLICIES:
            yield from openmp_by_policy(runtime, library, policy)
        yield from openmp_otherwise(runtime, library)


def openmp_by_policy(runtime: str, library: str, policy: str) -> Iterator[Target]:
    more: dict[str, Any] = {"needs": (library,), "env": {"OMP_WAIT_POLICY": policy}}
    program = f"{OPENMP} {runtime}"
    for threads in (2, 3, 4, 8):
        yield from hang(
            f"openmp-barrier-{runtime}-{policy}-{threads}",
            f"GIL against the barrier of {threads} threads, {library}, {policy}",
            f"{program} barrier --threads={threads}",
            BARRIER,
            **more,
        )
    for kind in ("computes", "sleeps"):
        yield live(
            f"openmp-uneven-{kind}-{runtime}-{policy}",
            f"the GIL holder at the barrier, {library}, {policy}: the last worker {kind}, then comes",
            f"{program} uneven-{kind} --threads=3",
            **more,
        )
    for gil in ("held", "released"):
        yield live(
            f"openmp-many-regions-{gil}-{runtime}-{policy}",
            f"short regions in a tight loop, the GIL {gil}, {library}, {policy}; a Python thread wants it",
            f"{program} many-regions-{gil} --threads=2",
            **more,
        )


def openmp_otherwise(runtime: str, library: str) -> Iterator[Target]:
    more: dict[str, Any] = {"needs": (library,)}
    passive: dict[str, Any] = {"needs": (library,), "env": {"OMP_WAIT_POLICY": "passive"}}
    program = f"{OPENMP} {runtime}"
    yield from hang(
        f"openmp-barrier-{runtime}-default-2",
        f"GIL against the barrier, {library}, no wait policy",
        f"{program} barrier",
        BARRIER,
        **more,
    )
    for beside, who in {
        "native-heartbeat": "a C++ thread that wakes ten times a second",
        "python-heartbeat": "a Python thread that sleeps and then wants the GIL",
        "python-sleeper": "a Python thread that sleeps for an hour",
    }.items():
        yield from hang(
            f"openmp-barrier-{runtime}-beside-{beside}",
            f"GIL against the barrier, {library}, beside {who}",
            f"{program} barrier --beside={beside}",
            BARRIER,
            **{**passive, "needs": (library, "native")},
        )
    for scenario, about in {
        "loop": "GIL against the barrier at the end of a loop",
        "part-of-the-pool": "GIL against the barrier, by two threads of a pool of four",
        "from-a-thread": "GIL against the barrier, in a thread that the main thread joins",
        "in-a-child": "GIL against the barrier, in a child that the main thread waits for",
    }.items():
        yield from hang(
            f"openmp-{scenario}-{runtime}",
            f"{about}, {library}",
            f"{program} {scenario} --threads=4",
            BARRIER,
            **passive,
        )
    yield from hang(
        f"openmp-critical-{runtime}",
        f"GIL against a critical section, {library}",
        f"{program} critical",
        "gil-vs-mutex gil-vs-openmp-barrier",
        **passive,
    )
    yield from hang(
        f"openmp-in-a-subinterpreter-{runtime}",
        f"GIL against the barrier, in a sub-interpreter that shares the GIL, {library}",
        f"{program} in-a-subinterpreter",
        BARRIER,
        **passive,
    )
    after_fork = tuple(
        hang(
            f"openmp-after-fork-{runtime}",
            f"a child uses the pool of threads that its fork did not take along, {library}",
            f"{program} after-fork --threads=4",
            "openmp-after-fork",
            **passive,
        )
    )
    if runtime == "llvm":  # libomp begins anew in the child
        yield fixed(replace(after_fork[0], twin=f"openmp-after-fork-{runtime}"))
    else:
        yield from after_fork
    yield live(
        f"openmp-two-teams-{runtime}",
        f"one team's master holds the GIL and waits for a sleeper, another team wants the GIL, {library}",
        f"{program} two-teams",
        **passive,
    )
    yield live(
        f"openmp-idle-pool-{runtime}",
        f"an idle pool beside C that computes with the GIL held, {library}",
        f"{program} computes-in-python --threads=4",
        needs=(library, "native"),
    )


# ---- Native code without OpenMP ----

NATIVE = "{programs}/in_native_code.py"


def native() -> Iterator[Target]:
    more: dict[str, Any] = {"needs": ("native",)}
    for scenario, about, causes in (
        ("join-pthread", "GIL against pthread_join", "gil-vs-join"),
        ("join-std", "GIL against std::thread::join", "gil-vs-join"),
        (
            "join-in-a-thread",
            "GIL against std::thread::join, the main thread wants the GIL too",
            "gil-vs-join",
        ),
        ("future", "GIL against std::future::wait", "gil-vs-condition gil-vs-join"),
        ("mutex", "GIL against a std::mutex", "gil-vs-mutex"),
        ("rwlock", "GIL against a std::shared_mutex", "gil-vs-mutex gil-vs-condition"),
        ("condition", "GIL against a condition variable", "gil-vs-condition"),
        ("semaphore", "GIL against a semaphore", "gil-vs-condition"),
        ("thread-barrier", "GIL against pthread_barrier_wait", "gil-vs-condition"),
        ("static-init", "GIL against a static variable's initialisation", "gil-vs-static-init"),
        ("call-once", "GIL against std::call_once", "gil-vs-call-once"),
        ("once", "GIL against pthread_once", "gil-vs-call-once"),
        ("loader", "GIL against the dynamic loader's lock", "gil-vs-loader-lock"),
        ("loader-join", "the dynamic loader's lock against a join", "lock-order join"),
        ("lock-order", "two mutexes taken in two orders", "lock-order"),
        ("mutex-twice", "a mutex locked twice by its owner", "self-deadlock"),
        ("condition-unnotified", "a condition that nobody is left to fulfil", "lost-wakeup"),
        ("mutex-lost-in-fork", "a mutex whose owner a fork left behind", "fork-lost-lock"),
    ):
        yield from hang(f"native-{scenario}", about, f"{NATIVE} {scenario}", causes, **more)
    yield from hang(
        "native-join-beside-heartbeat",
        "GIL against std::thread::join, beside a C++ thread that wakes ten times a second",
        f"{NATIVE} join-std --beat",
        "gil-vs-join",
        **more,
    )
    yield from hang(
        "native-second-state",
        "a thread waits for the GIL that it holds with another thread state",
        f"{NATIVE} second-state",
        "gil-held-by-waiter",
        until=(3, 12),  # 3.13 aborts: it finds the first thread state
        **more,
    )
    yield from hang(
        "native-ensure-in-subinterpreter",
        "PyGILState_Ensure in a sub-interpreter waits for the GIL that the thread holds",
        f"{NATIVE} ensure-in-subinterpreter",
        "gil-held-by-waiter",
        until=(3, 11),  # since 3.12 it finds the sub-interpreter's thread state
        **more,
    )
    yield from hang(
        "native-own-gil-join",
        "the GIL of a sub-interpreter that has its own, against std::thread::join",
        f"{NATIVE} own-gil-join",
        "gil-vs-join",
        since=(3, 12),
        **more,
    )
    yield spin("native-spin-held", "C that turns for ever with the GIL", f"{NATIVE} spin", **more)
    yield spin(
        "native-spin-released", "C that turns for ever without the GIL", f"{NATIVE} spin-released", **more
    )
    on_flag = spin(
        "native-spin-on-flag",
        "C turns, with the GIL, until one has said something who wants the GIL",
        f"{NATIVE} spin-on-flag",
        twin="native-spin-on-flag-fixed",
        **more,
    )
    yield on_flag
    yield fixed(on_flag)
    for scenario, about in (
        ("sleep-held", "C sleeps with the GIL, Python threads want it"),
        ("sleep-released", "C sleeps without the GIL"),
        ("read-held", "C reads a pipe with the GIL, a child writes late, Python threads want the GIL"),
        ("compute-held", "C computes with the GIL, Python threads want it"),
        ("join-computes", "the GIL holder joins a thread that computes, another wants the GIL"),
        ("mutex-owner-sleeps", "the GIL holder waits for a mutex whose owner sleeps, another wants the GIL"),
        (
            "condition-fulfilled-late",
            "the GIL holder waits on a condition fulfilled late, another wants the GIL",
        ),
        (
            "static-init-sleeps",
            "the GIL holder waits for an initialisation that sleeps, another wants the GIL",
        ),
        ("hand-over", "two threads hand a turn over by a condition, counting under the GIL"),
        ("hand-over-beside-python", "as before, beside Python threads that want the GIL"),
        ("completion-queue", "as a gRPC server at rest: a timed queue, epoll, an untimed condition"),
        ("posted-by-signal", "the only thread waits on a semaphore that a POSIX timer's handler posts"),
        ("posted-by-timer-thread", "the only thread waits on a semaphore that a timer's new thread posts"),
        ("futex-like-a-mutex", "a futex that looks as if it were a mutex owned by its waiter"),
        ("woken-by-process-with-same-memory", "a private futex, woken by a process with the same memory"),
        ("vfork-child-sleeps", "the GIL holder stands inside vfork"),
        ("mutex-of-sleeping-child", "a mutex in shared memory whose owner, a child, sleeps"),
    ):
        yield live(f"native-{scenario}", about, f"{NATIVE} {scenario}", **more)
    yield live(
        "native-own-gil-computes",
        "the first GIL's holder joins a thread that wants another GIL, whose holder computes",
        f"{NATIVE} own-gil-computes",
        since=(3, 12),
        **more,
    )


def by_name(*families: Iterable[Target]) -> dict[str, Target]:
    """Return the targets by name. Raises ``ValueError`` for a name given twice and a twin that is missing."""
    found: dict[str, Target] = {}
    for family in families:
        for target in family:
            if target.name in found:
                raise ValueError(f"two targets are called {target.name}")
            found[target.name] = target
    for target in found.values():
        if target.twin and target.twin not in found:
            raise ValueError(f"{target.name} has no twin {target.twin}")
    return found


TARGETS = by_name(openmp(), native())
