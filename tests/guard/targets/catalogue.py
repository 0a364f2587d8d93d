"""Every target that the guard must recognise or leave alone: how to start it and what must be said of it.

Plain data, for tests and benchmarks: `TARGETS` by name. What a target does stands where it is done, in
`programs/` and `extensions/`; its `about` says who waits for whom.
"""

from __future__ import annotations

import os
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

    def environment(self, path: Iterable[Path]) -> dict[str, str]:
        """What to execute it in, with the folders that `build` gave; nothing from outside steers OpenMP."""
        steers = ("OMP_", "GOMP_", "KMP_")
        env = {name: value for name, value in os.environ.items() if not name.startswith(steers)}
        return env | {"PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONUNBUFFERED": "1"} | dict(self.env)

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
SPINS = ("spinning",)


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
    critical = hang(
        f"openmp-critical-{runtime}",
        f"GIL against a critical section, {library}",
        f"{program} critical",
        "gil-vs-mutex gil-vs-openmp-barrier",
        **passive,
    )
    if runtime == "llvm":  # libomp spins there, and nothing that can be read names who is inside
        critical = (t if t.verdict == "ok" else replace(t, verdict="timeout", causes=SPINS) for t in critical)
    yield from critical
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
        ("mutex-of-ended-thread", "a mutex whose owner has ended", "lost-wakeup"),
        ("condition-unnotified", "a condition that nobody is left to fulfil", "lost-wakeup"),
        ("mutex-lost-in-fork", "a mutex whose owner a fork left behind", "fork-lost-lock"),
    ):
        yield from hang(f"native-{scenario}", about, f"{NATIVE} {scenario}", causes, **more)
    for scenario, causes in (
        ("join-std", "gil-vs-join"),
        ("mutex", "gil-vs-mutex"),
        ("static-init", "gil-vs-static-init"),
        ("loader", "gil-vs-loader-lock"),
        ("lock-order", "lock-order"),
    ):
        yield from hang(
            f"native-{scenario}-beside-heartbeat",
            f"the same as native-{scenario}, beside a C++ thread that wakes ten times a second",
            f"{NATIVE} {scenario} --beat",
            causes,
            **more,
        )
    yield from hang(
        "native-lock-order-beside-work",
        "the same as native-lock-order, beside a Python thread that computes and one that wakes for the GIL",
        f"{NATIVE} lock-order --work",
        "lock-order",
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
        ("polls-like-the-gil", "the GIL holder joins a thread that polls as one that wants the GIL"),
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


# ---- Python, one process ----

LOCKS = "{programs}/locks.py"


def locks() -> Iterator[Target]:
    for scenario, about, causes in (
        ("lock-order", "two threads take two locks in two orders", "lock-order"),
        ("lock-order-rlock", "two threads take two reentrant locks in two orders", "lock-order"),
        ("lock-order-of-five", "five threads in a ring of five locks", "lock-order"),
        ("lock-order-with-main", "a thread and the main thread take two locks in two orders", "lock-order"),
        (
            "lock-order-condition",
            "one waits on a condition with a lock that its notifier wants",
            "lost-wakeup",
        ),
        ("lock-twice", "the only thread wants the lock that it has", "self-deadlock"),
        ("lock-of-an-ended-thread", "a lock whose owner has ended", "lost-wakeup self-deadlock"),
        ("rlock-of-an-ended-thread", "an RLock whose owner has ended", "lost-wakeup self-deadlock"),
        ("condition-unnotified", "a condition that nobody is left to notify", "lost-wakeup"),
        ("event-unset", "three threads wait for an event that none sets", "lost-wakeup"),
        ("semaphore-unreleased", "a semaphore that nobody is left to release", "lost-wakeup"),
        ("barrier-short", "a barrier for three at which two come", "lost-wakeup"),
        ("queue-join", "Queue.join, and the worker waits for more without task_done", "queue-join"),
        ("queue-join-without-worker", "Queue.join, and the worker ended without task_done", "queue-join"),
        ("queue-empty", "Queue.get, and nobody is left to put", "lost-wakeup"),
        ("simple-queue-empty", "SimpleQueue.get, and nobody is left to put", "lost-wakeup self-deadlock"),
        ("queue-full", "Queue.put into a full queue, and nobody is left to get", "lost-wakeup"),
        ("pool-waits-for-itself", "a pool of one thread whose task waits for another task", "lost-wakeup"),
        ("import-lock", "a module's body joins a thread that imports it", "import-lock"),
        ("import-lock-future", "a module's body waits for a future that imports it", "import-lock"),
        ("thread-left-at-exit", "the interpreter joins a thread that waits for ever", "join-at-shutdown"),
        ("join-at-exit", "an atexit function joins a thread that waits for ever", "join-at-shutdown"),
        ("pool-at-exit", "the interpreter joins a pool's thread that waits for ever", "join-at-shutdown"),
        ("lock-lost-in-fork", "a lock whose owner a fork left behind", "fork-lost-lock"),
        ("lock-twice-in-subinterpreter", "a lock locked twice, in a sub-interpreter", "self-deadlock"),
    ):
        yield from hang(f"python-{scenario}", about, f"{LOCKS} {scenario}", causes)
    yield from hang(
        "python-import-lock-in-subinterpreter",
        "the same as import-lock, in a sub-interpreter",
        f"{LOCKS} import-lock-in-subinterpreter",
        "import-lock",
        since=(3, 11),  # before, pystack does not see its Python frames, and it is called lock-order
    )
    loop = "an asyncio loop that waits for its own coroutine"
    yield from hang(
        "python-loop-waits-for-itself",
        loop,
        f"{LOCKS} loop-waits-for-itself",
        "lost-wakeup",
        until=(3, 10),
    )
    yield Target(  # since 3.11 asyncio.run has a handler of its own for SIGINT, which could end the wait
        name="python-loop-waits-for-itself-with-handler",
        about=loop,
        argv=("{python}", LOCKS, "loop-waits-for-itself"),
        verdict="timeout",
        since=(3, 11),
    )
    yield spin("python-spin", "Python that turns for ever", f"{LOCKS} spin")
    yield spin(
        "python-spin-in-a-thread", "a thread that turns for ever is joined", f"{LOCKS} spin-in-a-thread"
    )


# ---- Several processes ----

PROCESSES = "{programs}/processes.py"


def processes() -> Iterator[Target]:
    pipe = "full-pipe pipe-cycle"
    for scenario, about, causes in (
        ("full-pipe", "wait(2) for a child that writes into a full pipe", "full-pipe"),
        ("full-stderr", "one of two pipes is read, the other is full", pipe),
        ("full-stdin", "two processes write into full pipes to one another", pipe),
        ("pipes", "two processes read pipes from one another", "pipe-cycle"),
        ("pipes-of-three", "three processes in a ring of pipes", "pipe-cycle"),
        ("pipes-left-open", "two processes read pipes from one another and hold all ends", "pipe-cycle"),
        ("socket-pair", "two processes receive from one another over a socket pair", "pipe-cycle"),
        ("socket-pair-full", "two processes send to one another over a full socket pair", pipe),
        ("connection", "two processes receive from one another by multiprocessing.Pipe", "pipe-cycle"),
        ("own-write-end", "a process reads to the end of a pipe that it could write to", "pipe-cycle"),
        ("write-end-of-the-waiting", "a child reads to its parent's end, who waits for it", "pipe-cycle"),
        (
            "queue-joined-before-it-is-read",
            "Process.join with items left in the Queue",
            "queue-join full-pipe",
        ),
        ("joinable-queue", "JoinableQueue.join, and the worker ended without task_done", "queue-join"),
        ("lock-order", "two processes take two locks in shared memory in two orders", "lock-order"),
        ("subprocess-run", "subprocess.run of a lock locked twice", "self-deadlock"),
        ("subprocess-captured", "the same, its output captured", "self-deadlock"),
        ("grandchild", "the same in a grandchild", "self-deadlock"),
        ("waitpid", "os.waitpid of a lock locked twice", "self-deadlock"),
        ("process-join", "Process.join of a lock locked twice, fork", "self-deadlock"),
        ("process-join-spawn", "Process.join of a lock locked twice, spawn", "self-deadlock"),
        ("process-join-forkserver", "Process.join of a lock locked twice, forkserver", "self-deadlock"),
        ("many-children", "eight children, one of which locks a lock twice", "self-deadlock"),
        (
            "pool-lock",
            "multiprocessing.Pool, and a worker locks a lock twice",
            "self-deadlock fork-lost-lock",
        ),
    ):
        yield from hang(f"processes-{scenario}", about, f"{PROCESSES} {scenario}", causes)
    for scenario, kind in (
        ("process-pool-executor", "ProcessPoolExecutor"),
        ("pool", "multiprocessing.Pool"),
    ):
        about = f"{kind}, and a worker has the GIL against OpenMP's barrier"
        yield from hang(
            f"processes-{scenario}", about, f"{PROCESSES} {scenario}", BARRIER, needs=("libgomp",)
        )


# ---- Commands with a time limit ----

LIMITS = "{programs}/limits.py"


def limits() -> Iterator[Target]:
    polled = Target(  # who polls sleeps in between: it may read some day
        name="limits-polled",
        about="a child that writes into a full pipe is polled, and is read when it has ended",
        argv=("{python}", LIMITS, "polled"),
        verdict="timeout",
        twin="limits-polled-fixed",
    )
    yield polled
    yield fixed(polled)
    yield from hang("limits-waited", "the same, waited for without a limit", f"{LIMITS} waited", "full-pipe")
    yield live(
        "limits-polled-gives-up",
        "the same, polled for some seconds and then killed",
        f"{LIMITS} polled-gives-up",
    )
    escaped = Target(  # that one sleeps: it will end
        name="limits-escaped",
        about="a process group is killed, who has left it sleeps and holds the pipe that is read to its end",
        argv=("{python}", LIMITS, "escaped"),
        verdict="timeout",
        twin="limits-escaped-fixed",
    )
    yield escaped
    yield fixed(escaped)
    for scenario, about in (
        ("escaped-hung", "the same, and that one locks a lock twice"),
        ("child-killed", "a child is killed, its child locks a lock twice and holds the pipe that is read"),
    ):
        yield from hang(f"limits-{scenario}", about, f"{LIMITS} {scenario}", "self-deadlock")


# ---- Shells ----

LOCKED_TWICE = '"{python}" "{programs}/locks.py" lock-twice'
MAKE = 'make -s -f "{programs}/tree.mk" PYTHON="{python}" PROGRAMS="{programs}"'


def shells() -> Iterator[Target]:
    nested = '"$0" "$1" lock-twice "${{@:2}}"; true'
    for name, script in (
        ("then", f'{LOCKED_TWICE} "$@"; true'),
        ("pipeline-first", f'{LOCKED_TWICE} "$@" | cat'),
        ("pipeline-middle", f'yes | {LOCKED_TWICE} "$@" | cat'),
        ("pipeline-last", f'yes | {LOCKED_TWICE} "$@"'),
        ("background", f'{LOCKED_TWICE} "$@" & wait $!'),
        ("substitution", f'text=$({LOCKED_TWICE} "$@"); echo "$text"'),
        ("subshell", f'( {LOCKED_TWICE} "$@"; true ); true'),
        ("nested", f"bash -c '{nested}' " + '"{python}" "{programs}/locks.py" "$@"; true'),
        ("make", f'{MAKE} hangs ARGUMENTS="$*"'),
    ):
        target = Target(
            name=f"shell-{name}",
            about=f"a lock locked twice below a shell: {name}",
            argv=("bash", "-c", script, "bash"),
            verdict="deadlock",
            causes=("self-deadlock",),
            twin=f"shell-{name}-fixed",
            needs=("bash", "make") if name == "make" else ("bash",),
        )
        yield target
        yield fixed(target)
    trap = "trap 'echo done; exit' USR1; (sleep 3; kill -USR1 $$) & while :; do wait; done"
    for name, about, script in (
        ("sleep", "a shell waits for sleep(1)", "sleep 3; echo done"),
        ("sleep-pipeline", "a pipeline waits for its first", "(sleep 3; echo done) | cat | cat"),
        ("sleep-background", "three in the background", "for n in 1 2 3; do sleep 3 & done; wait; echo done"),
        ("sleep-read", "a shell reads what comes late", "read -r line < <(sleep 3; echo done); echo $line"),
        ("sleep-trap", "a trap ends a wait", trap),
        ("sleep-make", "make with shells below", f"{MAKE} -j2 sleeps"),
        ("many", "many short processes", "for n in {{1..200}}; do /bin/true; sleep 0.01; done; echo done"),
        ("timeout", "timeout(1) ends what hangs", f"timeout 4 {LOCKED_TWICE}; test $? = 124 && echo done"),
        ("kill", "a shell ends what hangs", f"{LOCKED_TWICE} & sleep 4; kill $!; wait $!; echo done"),
    ):
        yield Target(
            name=f"shell-{name}",
            about=about,
            argv=("bash", "-c", script),
            verdict="ok",
            needs=("bash", *(tool for tool in ("make", "timeout") if name.endswith(tool))),
        )
    yield Target(name="sleep", about="sleep(1)", argv=("sleep", "3"), verdict="ok", prints="")


# ---- Programs that end ----


def waiting() -> Iterator[Target]:
    for scenario, about in (
        ("sleep", "time.sleep"),
        ("event-by-timer", "Event.wait, ended by a threading.Timer"),
        ("chain-of-joins", "ten threads join one another, the last sleeps"),
        ("timed-lock", "Lock.acquire with a timeout"),
        ("lock-released-by-another", "a lock locked twice, which another thread lets go"),
        ("descriptor-of-a-thread", "a pipe whose other end is in a thread's own table"),
        ("exec-by-thread", "a lock locked twice, and a thread that executes another program"),
        ("main-thread-gone", "the main thread has ended, another sleeps"),
        ("polled-event", "Event.wait with a short timeout, in a loop"),
        ("lock-order-with-timeout", "two locks in two orders, one of the two gives up"),
        ("daemons-deadlocked", "two daemon threads are deadlocked and nobody minds"),
        ("gives-up-on-child", "subprocess.run gives a deadlocked child up"),
        ("gives-up-on-process", "Process.join gives a deadlocked process up"),
        ("gives-up-on-pool", "AsyncResult.get gives a deadlocked pool up"),
        ("thread-gives-up-on-child", "a thread ends the deadlocked child that the main thread waits for"),
        ("sibling-gives-up-on-child", "a child ends the deadlocked child that the main thread waits for"),
    ):
        yield live(f"waits-{scenario}", about, f"{{programs}}/waits.py {scenario}")
    for scenario, about in (
        ("event-by-setitimer", "Event.wait, ended by setitimer(2) and a handler"),
        ("lock-by-alarm", "Lock.acquire, ended by alarm(2) and a handler"),
        ("read-by-alarm", "a read of the process's own pipe, which a handler writes to"),
        ("raising-by-alarm", "Event.wait, ended by a handler that raises"),
        ("wait-by-alarm", "wait(2) for a deadlocked child, which a handler ends"),
        ("lock-by-posix-timer", "Lock.acquire, ended by timer_create(2) and a handler"),
        ("lock-by-child-signal", "Lock.acquire, ended by SIGUSR1 from a child"),
        ("lock-by-child-end", "Lock.acquire, ended by SIGCHLD's handler"),
        ("lock-by-stranger", "Lock.acquire, ended by SIGTERM from a process of another session"),
        ("lock-by-interrupt", "Lock.acquire, ended by SIGINT from a child, with a handler"),
        ("keyboard-interrupt", "Event.wait, ended by SIGINT from a child, with Python's handler"),
        ("keyboard-interrupt-by-thread", "Event.wait, ended by SIGINT from a thread that sleeps"),
        ("interrupt-by-alarm", "Event.wait, ended by interrupt_main from SIGALRM's handler"),
        ("join-by-alarm", "the main thread joins one that its own handler lets go"),
        ("sigwait", "sigwait(3), ended by setitimer(2)"),
        ("sigwait-in-a-thread", "Event.wait, ended by a thread in sigwait(3)"),
        ("pause", "pause(2), ended by alarm(2)"),
        ("wakeup-descriptor", "a socket pair of the process's own, written to by set_wakeup_fd"),
    ):
        yield live(f"signals-{scenario}", about, f"{{programs}}/signals.py {scenario}")
    yield Target(
        name="signals-child-ended-by-its-alarm",
        about="a deadlocked child that SIGALRM would end: /proc shows no such timer",
        argv=("{python}", "{programs}/signals.py", "child-ended-by-its-alarm"),
        verdict="deadlock",
        causes=("self-deadlock", "fork-lost-lock"),
    )
    for scenario, about in (
        ("pipe", "a pipe that a child writes to, late"),
        ("pipe-end", "a pipe's end, when a child ends"),
        ("pipe-full", "a full pipe that a child reads, late"),
        ("pipe-through-two", "a pipe that a child writes to when another has written"),
        ("socket-pair", "a socket pair that a child writes to, late"),
        ("descriptor-under-way", "a pipe whose other end lies in a socket's buffer"),
        ("pipe-opened-by-name", "a pipe of the process's own, which a child opens by its name in /proc"),
        ("event-descriptor", "eventfd(2), written to by a child"),
        ("semaphore", "multiprocessing.Semaphore"),
        ("event", "multiprocessing.Event"),
        ("condition", "multiprocessing.Condition"),
        ("barrier", "multiprocessing.Barrier"),
        ("queue", "multiprocessing.SimpleQueue"),
        ("joinable-queue", "multiprocessing.JoinableQueue.join"),
        ("process-lock", "multiprocessing.Lock, whose owner sleeps"),
        ("file-lock", "flock(2), whose owner sleeps"),
        ("record-lock", "lockf(3), whose owner sleeps"),
        ("fifo-opened-late", "open(2) of a FIFO, until a child opens it"),
        ("fifo-of-nobody", "a FIFO that nobody else holds, until a child opens it by name"),
        ("terminal", "a terminal at which a child types, late"),
        ("child-ends", "wait(2) for a child that sleeps"),
        ("child-of-child-ends", "wait(2) for a shell that waits for a shell that waits for sleep(1)"),
        ("stops-itself", "a process that stops itself, until a child continues it"),
        ("child-stopped", "wait(2) for a child that is stopped, until another continues it"),
        ("thread-beside-stopped-child", "a thread reads from a stopped child"),
    ):
        yield live(f"neighbours-{scenario}", about, f"{{programs}}/neighbours.py {scenario}")
    for scenario, about in (
        ("standard-input", "somebody outside writes to the standard input, late"),
        ("standard-input-of-a-child", "the same, read by a pipeline that is waited for"),
    ):
        yield live(f"neighbours-{scenario}", about, f"{{programs}}/neighbours.py {scenario}", fed_after_s=3.0)


def serving() -> Iterator[Target]:
    for scenario, about in (
        ("tcp-server", "accept(2) on TCP, a client comes late"),
        ("tcp-server-in-a-thread", "the same in a thread that is joined"),
        ("unix-server", "accept(2) on a Unix socket, a client comes late"),
        ("datagrams", "recv(2) on UDP"),
        ("selectors-server", "selectors (epoll)"),
        ("select-server", "select(2)"),
        ("epoll-on-own-pipe", "epoll on a pipe of the process's own, a thread writes late"),
        ("asyncio-sleep", "asyncio.sleep"),
        ("asyncio-subprocess", "asyncio waits for a child"),
        ("asyncio-queue", "an asyncio queue, filled late by a thread"),
        ("asyncio-by-signal", "an asyncio loop that only a signal wakes"),
        ("asyncio-executor", "an asyncio loop that waits for a thread"),
        ("threads-at-rest", "ThreadPoolExecutor, idle for a while"),
        ("pool-at-rest", "multiprocessing.Pool, idle for a while"),
        ("pool-sleeps", "multiprocessing.Pool, one worker sleeps"),
        ("executor-at-rest", "ProcessPoolExecutor, idle for a while"),
        ("executor-sleeps", "ProcessPoolExecutor, one worker sleeps"),
        ("manager", "multiprocessing.Manager, idle for a while"),
    ):
        yield live(f"servers-{scenario}", about, f"{{programs}}/servers.py {scenario}")


def working() -> Iterator[Target]:
    for scenario, about in (
        ("one-thread", "a thread that computes"),
        ("four-threads", "four threads that compute"),
        ("sixty-four-threads", "64 threads fight for the GIL"),
        ("sixty-four-threads-with-naps", "64 threads fight for the GIL and sleep in between"),
        ("one-lock-for-all", "32 threads take turns to sleep with a lock"),
        ("child-computes", "a child computes"),
        ("thread-pool", "ThreadPoolExecutor, busy"),
        ("process-pool", "multiprocessing.Pool, busy"),
        ("process-pool-executor", "ProcessPoolExecutor, busy"),
        ("subinterpreters", "sub-interpreters compute"),
        ("many-processes", "one short process after the other"),
        ("many-forks", "one short fork after the other"),
        ("many-threads", "one short thread after the other"),
        ("pipes", "eight pairs of processes play over pipes"),
        ("one-pair-over-pipes", "one pair of processes plays over pipes"),
        ("sockets", "eight pairs of processes play over socket pairs"),
        ("one-pair-over-sockets", "one pair of processes plays over a socket pair"),
        ("pipes-in-the-idle-class", "two pairs play over pipes, when nobody else runs"),
        ("slow-pipes", "a pair plays over pipes, slowly"),
        ("connections", "a pair plays over multiprocessing.Pipe"),
        ("process-locks", "a pair plays by semaphores in shared memory"),
        ("signals", "a pair plays by signals"),
        ("locks", "two threads play by semaphores"),
        ("conditions", "four threads play by a condition"),
        ("queues", "two threads play by queues"),
    ):
        yield live(f"work-{scenario}", about, f"{{programs}}/work.py {scenario}")


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


TARGETS = by_name(
    openmp(), native(), locks(), processes(), limits(), shells(), waiting(), serving(), working()
)
