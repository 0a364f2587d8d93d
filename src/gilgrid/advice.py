"""What is known of each cause: why it hangs, what to change, and the rule behind it. Pure.

``docs/causes.md`` says the same at length, with the smallest example of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gilgrid.evidence import Cause
from gilgrid.since.dataclasses import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Advice:
    """For people who have never met this cause. `change` has one thing to do, or to know, in each."""

    title: str
    why: str
    change: tuple[str, ...]
    link: str


_PYTHON = "https://docs.python.org/3"
_C_API = f"{_PYTHON}.13/c-api/init.html"  # the release before these sections moved
_LOCKS_OF_C_PLUS_PLUS = "https://github.com/pybind/pybind11/blob/master/docs/advanced/deadlock.md"

_RELEASE = "`with nogil:` (Cython), gil_scoped_release (pybind11), Py_BEGIN_ALLOW_THREADS (C)"

ADVICE: Final[Mapping[Cause, Advice]] = {
    Cause.GIL_VS_OPENMP_BARRIER: Advice(
        title="the GIL against an OpenMP barrier",
        why="The thread that holds the GIL waits at the end of an OpenMP region for its workers. A worker "
        "waits for the GIL, which is not released before all workers have arrived.",
        change=(
            f"Release the GIL around the parallel region: {_RELEASE}.",
            "A function declared `nogil` may run without the GIL; that alone does not release it.",
            "If workers need no Python, see what takes the GIL: mostly Cython 3's check after each call.",
            "Declare what they call `noexcept`, or rebuild against SciPy >= 1.11, whose declarations do.",
            "Do rebuild: the check is in the binary, whichever version is installed later.",
            "OPENBLAS_NUM_THREADS=1 does not help: these threads are OpenMP's, not OpenBLAS's.",
        ),
        link="https://github.com/cython/cython/issues/6107",
    ),
    Cause.GIL_VS_JOIN: Advice(
        title="the GIL against the join of a thread",
        why="The thread that holds the GIL waits in native code for another thread to end, and that one "
        "needs the GIL to get there.",
        change=(
            f"Release the GIL around the join: {_RELEASE}.",
            "Destructors of thread pools and of futures join as well: release it around these too.",
            "Or keep Python out of the thread that is joined.",
        ),
        link="https://pybind11.readthedocs.io/en/stable/advanced/misc.html",
    ),
    Cause.GIL_VS_MUTEX: Advice(
        title="the GIL against a mutex",
        why="A thread holds the GIL and waits for a mutex; the thread that holds the mutex waits for the "
        "GIL.",
        change=(
            f"Release the GIL before the mutex is taken: {_RELEASE}.",
            "Or call no Python while the mutex is held: no callback, no logging, and no Py_DECREF.",
        ),
        link=_LOCKS_OF_C_PLUS_PLUS,
    ),
    Cause.GIL_VS_CONDITION: Advice(
        title="the GIL against a condition variable",
        why="The thread that holds the GIL waits in native code to be notified, and every thread that could "
        "do so waits for the GIL.",
        change=(
            f"Release the GIL around the wait: {_RELEASE}.",
            "Waiting for a native future, semaphore, latch or queue is such a wait.",
        ),
        link=f"{_C_API}#c.Py_BEGIN_ALLOW_THREADS",
    ),
    Cause.GIL_VS_STATIC_INIT: Advice(
        title="the GIL against the initialisation of a C++ static",
        why="A thread gave the GIL away while it initialised a static variable, and waits to have it back. "
        "The one that has it waits for that initialisation to end, as C++ demands.",
        change=(
            "Use py::gil_safe_call_once_and_store (pybind11) in place of the static variable.",
            "Or initialise it while the module is imported, before other threads can get there.",
            "Importing, calling Python and dropping a reference can all give the GIL away.",
        ),
        link=_LOCKS_OF_C_PLUS_PLUS,
    ),
    Cause.GIL_VS_CALL_ONCE: Advice(
        title="the GIL against std::call_once",
        why="The thread inside of call_once waits for the GIL; the one that holds the GIL waits for that "
        "call to return.",
        change=(
            f"Release the GIL before call_once and take it inside: {_RELEASE}.",
            "Or use py::gil_safe_call_once_and_store (pybind11), which does both.",
        ),
        link=_LOCKS_OF_C_PLUS_PLUS,
    ),
    Cause.GIL_VS_LOADER_LOCK: Advice(
        title="the GIL against the dynamic loader's lock",
        why="The loader runs constructors and callbacks under its own lock, and one of them waits for "
        "the GIL. The thread that holds the GIL waits for the loader.",
        change=(
            "Take no GIL in constructors of global objects, nor in callbacks of dl_iterate_phdr.",
            "Or load the library once, before threads are started.",
        ),
        link="https://github.com/python/cpython/issues/157573",
    ),
    Cause.GIL_HELD_BY_WAITER: Advice(
        title="a thread that waits for the GIL which it holds itself",
        why="A thread that takes the GIL twice waits for itself: only PyGILState_Ensure looks first whether "
        "it has it already.",
        change=(
            "Pair each PyEval_SaveThread with one PyEval_RestoreThread, on the same thread.",
            "Use PyGILState_Ensure where native code may or may not hold the GIL.",
            "In a sub-interpreter do not: PyGILState_Ensure knows the main one only.",
        ),
        link=f"{_C_API}#c.PyEval_RestoreThread",
    ),
    Cause.LOCK_ORDER: Advice(
        title="locks taken in opposite orders",
        why="Each thread holds a lock that the next one waits for.",
        change=(
            "Take the locks in one order everywhere, or hold one lock where several are held now.",
            "Call no callbacks while a lock is held: they take locks of their own.",
        ),
        link="https://wiki.sei.cmu.edu/confluence/x/i2I-BQ",
    ),
    Cause.SELF_DEADLOCK: Advice(
        title="a thread that waits for a lock which it holds itself",
        why="The lock is not reentrant, and nobody else can release it.",
        change=(
            "Split the function: one part takes the lock, the other expects that it is held.",
            "Or use threading.RLock, or std::recursive_mutex.",
            "Signal handlers and finalisers run in the midst of locked code: they must take no locks.",
        ),
        link=f"{_PYTHON}/library/threading.html#rlock-objects",
    ),
    Cause.IMPORT_LOCK: Advice(
        title="the import of a module against a thread",
        why="A module that is being imported waits for a thread, and that thread waits for the same import "
        "to end.",
        change=(
            "Wait for no thread while a module is imported: do it in a function that is called later.",
            "Or import, before threads are started, what they will need.",
        ),
        link="https://github.com/python/cpython/issues/125037",
    ),
    Cause.FORK_LOST_LOCK: Advice(
        title="a lock that nobody holds any more after a fork",
        why="Another thread held the lock when the process forked. The child has the lock, still taken, but "
        "not that thread: nobody is there to release it.",
        change=(
            "Start processes by `spawn` or `forkserver`, or before any thread is started.",
            "Or do nothing but exec in the child, as subprocess does without preexec_fn.",
        ),
        link="https://pubs.opengroup.org/onlinepubs/9699919799/functions/fork.html",
    ),
    Cause.OPENMP_AFTER_FORK: Advice(
        title="OpenMP after a fork",
        why="The parent had OpenMP threads. The child has the memory that says so, but not the threads, and "
        "waits for them.",
        change=(
            "Start processes by `spawn` or `forkserver`, which multiprocessing takes as a context.",
            "Or enter no parallel region before the fork.",
            "GCC's runtime (libgomp) cannot be used after a fork; LLVM's and Intel's can.",
        ),
        link="https://gcc.gnu.org/legacy-ml/gcc-patches/2014-02/msg00813.html",
    ),
    Cause.FULL_PIPE: Advice(
        title="a full pipe that nobody reads",
        why="A process writes to a pipe that is full. The one that should read it waits for that process to "
        "end instead.",
        change=(
            "Read while the process runs, as Popen.communicate does and Popen.wait does not.",
            "Or send output that nobody needs to DEVNULL, and what is needed later to a file.",
        ),
        link=f"{_PYTHON}/library/subprocess.html#subprocess.Popen.wait",
    ),
    Cause.PIPE_CYCLE: Advice(
        title="processes that wait for each other's data",
        why="Each process waits to read what only another could write, or to write what only another could "
        "read.",
        change=(
            "Close, in every process, the ends that it does not use: data end when every writer is gone.",
            "Flush what the other side waits for, and agree on who reads first.",
        ),
        link="https://man7.org/linux/man-pages/man7/pipe.7.html",
    ),
    Cause.QUEUE_JOIN: Advice(
        title="a queue that is joined before it is empty",
        why="The one that should take the items waits for the queue, or for the process that filled it. A "
        "process ends when all that it put on a queue is in the pipe, and the pipe is full.",
        change=(
            "Take everything off the queue first, then join.",
            "Or use a Pool, a ProcessPoolExecutor or a manager's queue, which read while they wait.",
            "With queue.Queue, call task_done for each item, in a worker that fails as well.",
        ),
        link=f"{_PYTHON}/library/multiprocessing.html#programming-guidelines",
    ),
    Cause.JOIN: Advice(
        title="the join of a thread or a process that cannot end",
        why="A thread waits for another to end, and that one waits for what only the first could do.",
        change=(
            "Tell it to end before it is joined: a sentinel in its queue, an event that it checks.",
            "Hold no lock that it needs while it is joined.",
        ),
        link=f"{_PYTHON}/library/threading.html#threading.Thread.join",
    ),
    Cause.JOIN_AT_SHUTDOWN: Advice(
        title="the interpreter's shutdown against a thread",
        why="At its end the interpreter joins each thread that is no daemon, and one of them waits for what "
        "nobody is left to do.",
        change=(
            "End the thread before the main thread returns, in a `with` or a `finally`.",
            "An atexit handler comes too late: these run after the join.",
            "Or start it with daemon=True, if it may be stopped at any point.",
        ),
        link=f"{_PYTHON}/library/threading.html#thread-objects",
    ),
    Cause.LOST_WAKEUP: Advice(
        title="a wait that nobody is left to end",
        why="Each thread that could release it waits itself: the notification came before the wait, or "
        "never.",
        change=(
            "Set state under the lock and then notify; wait with condition.wait_for(lambda: state).",
            "See that a thread that fails still releases, sets and puts what others wait for.",
        ),
        link=f"{_PYTHON}/library/threading.html#condition-objects",
    ),
    Cause.SPINNING: Advice(
        title="a thread that runs without end",
        why="It still ran when the deadline came. Nothing is proven: it may be slow, or never stop.",
        change=(
            "If it is slow, give it a longer deadline.",
            "If not, bound the loop that its frames show.",
            "A loop that polls with the GIL held keeps the thread that it waits for from running.",
        ),
        link=f"{_PYTHON}/library/faulthandler.html",
    ),
}
