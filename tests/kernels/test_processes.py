"""Worker processes: what becomes of a call, and what is left of it, when a worker or its parent ends.

Where a parent ends it is a program of its own, whose processes are told from all others by its session.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

import numpy as np
import pytest
from lapack_kernels import eigh_tridiagonal
from lapack_kernels.batch import NOT_FINITE_D, Batch
from lapack_kernels.bindings import BINDINGS, load
from lapack_kernels.processes import crew
from lapack_kernels.processes import start as starting
from lapack_kernels.processes.memory import FOLDER, shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lapack_kernels.processes.memory import Place
    from lapack_kernels.processes.start import WorkerProcess
    from lapack_kernels.processes.worker import Task

takes_long = pytest.mark.timeout(60)
"""NumPy and SciPy are imported twice in each program, and other programs may run beside it."""

PROCESSES = [name for name in BINDINGS if name.startswith("processes-")]


def solve(binding: str, count: int = 8, size: int = 4, threads: int = 2) -> None:
    d, e = np.ones((count, size)), np.ones((count, size - 1))
    values, _ = eigh_tridiagonal(d, e, binding=binding, threads=threads)
    expected = 1 + 2 * np.cos(np.pi * np.arange(size, 0, -1) / (size + 1))
    np.testing.assert_allclose(values, np.tile(expected, (count, 1)), atol=1e-14)


def a_batch(count: int = 3, *, driver: str = "stev") -> Batch:
    return Batch(np.ones((count, 4)), np.ones((count, 3)), threads=2, driver=driver, wants_vectors=True)


def workers_of(binding: str) -> list[WorkerProcess]:
    kept = import_module("lapack_kernels." + binding.replace("-", ".")).kept
    return list(kept.crew.workers.started())


def test_a_worker_that_dies_is_one_error_and_the_next_call_works(processes: str) -> None:
    solve(processes)
    for worker in workers_of(processes):
        os.kill(worker.pid or 0, signal.SIGSTOP)  # so that the call cannot end before its worker
        Timer(0.1, worker.kill).start()
    with pytest.raises(RuntimeError, match="a worker process died during the call"):
        solve(processes)
    solve(processes)


def test_a_worker_that_died_between_calls_is_replaced(processes: str) -> None:
    solve(processes)
    worker = workers_of(processes)[0]
    worker.kill()
    worker.join()
    solve(processes)
    assert worker not in workers_of(processes)


def test_workers_are_kept_and_more_are_started_only_for_more_threads(processes: str) -> None:
    solve(processes, threads=3)
    workers = workers_of(processes)
    solve(processes, threads=1)
    solve(processes, threads=3)
    assert set(workers) <= set(workers_of(processes))


def test_threads_may_call_at_the_same_time_for_different_numbers_of_workers(processes: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(solve, processes, 9, 5, 1 + number % 3) for number in range(24)]
    for call in calls:
        call.result()


def test_a_call_that_fails_does_not_disturb_those_of_other_threads(processes: str) -> None:
    def fail() -> None:
        with pytest.raises(
            ValueError, match=r"d must be finite, but problem 0 .* \(3 of 3 problems failed\)"
        ):
            eigh_tridiagonal(np.full((3, 4), np.nan), np.ones((3, 3)), binding=processes, threads=2)

    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(work) for work in (lambda: solve(processes), fail) * 10]
    for call in calls:
        call.result()


def test_what_a_worker_raises_the_call_raises(processes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that is not there stands for whatever may go wrong in a worker."""
    cut = crew.tasks

    def tasks_for_another(batch: Batch, place: Place) -> Iterator[Task]:
        return cut(batch, replace(place, name="psm_of_nobody"))

    monkeypatch.setattr(crew, "tasks", tasks_for_another)
    with pytest.raises(FileNotFoundError, match="psm_of_nobody"):
        solve(processes)
    monkeypatch.undo()
    solve(processes)


@pytest.mark.parametrize("processes", ["processes-queue", "processes-pipe"])
def test_an_error_that_looks_like_a_death_is_not_taken_for_one(
    processes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for what a worker may raise."""

    def fail(_answer: object) -> None:
        raise ConnectionResetError("no worker has died")

    monkeypatch.setattr("lapack_kernels.processes.worker.failure_of", fail)
    with pytest.raises(ConnectionResetError, match="no worker has died"):
        solve(processes)


def exit_code_of_fork(child: Callable[[], bool]) -> int:
    """Run `child` in a forked process, which ends with 0 if that is true."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = int(not child())
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_no_destructor_reaches_the_workers_from_a_fork_of_a_fork() -> None:
    class NoCrew:
        pass

    def nothing_is_destroyed() -> bool:
        return kept.crew is None and inherited() is not None

    kept = crew.Kept(NoCrew)  # type: ignore[arg-type]
    kept.crew = NoCrew()  # type: ignore[assignment]
    inherited = weakref.ref(kept.crew)
    assert exit_code_of_fork(lambda: exit_code_of_fork(nothing_is_destroyed) == 0) == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_process_forked_while_a_worker_starts_has_its_main_module() -> None:
    main = sys.modules["__main__"]
    with starting._main_module_hidden():  # noqa: SLF001
        assert sys.modules["__main__"] is not main
        assert exit_code_of_fork(lambda: sys.modules["__main__"] is main) == 0
    assert sys.modules["__main__"] is main


def test_the_failures_of_all_workers_are_counted(processes: str) -> None:
    d = np.ones((40, 4))
    d[5:, 2] = np.inf
    batch = Batch(d, np.ones((40, 3)), threads=2, driver="stev", wants_vectors=False)
    load(processes)(batch, gil="released")
    failure = batch.first_failure()
    assert failure is not None
    assert (failure.index, failure.info, failure.count) == (5, NOT_FINITE_D, 35)


def test_shared_memory_is_unlinked_when_a_call_raises() -> None:
    def call() -> None:
        with shared(a_batch()) as place:
            names.append(place.name)
            assert (FOLDER / place.name).exists()
            raise KeyboardInterrupt

    names: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        call()
    assert not (FOLDER / names[0]).exists()


def test_a_batch_larger_than_all_shared_memory_is_a_memory_error() -> None:
    """Of broadcast views, since the arrays themselves would have to fit into memory."""
    room = os.statvfs(FOLDER)
    if not room.f_blocks:
        pytest.skip(f"{FOLDER} has no limit")
    batch = a_batch()
    batch.count = room.f_blocks * room.f_frsize // batch.size**2
    with pytest.raises(MemoryError, match="do not fit into /dev/shm"), shared(batch):
        pass


PROGRAM = f"""
import signal, sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import active_children
import numpy as np
from lapack_kernels import eigvalsh_tridiagonal

def solve(binding, count=8, size=4):
    eigvalsh_tridiagonal(np.ones((count, size)), np.ones((count, size - 1)), binding=binding, threads=2)

for binding in {PROCESSES}:
    solve(binding)
"""

LONG_CALLS = """
# Not as inherited from a shell that started this in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
print(*(worker.pid for worker in active_children()), flush=True)
with ThreadPoolExecutor() as pool:
    for binding in sys.argv[2:]:
        pool.submit(solve, binding, 2, 40_000)
    solve(sys.argv[1], 2, 40_000)
"""


def start(tmp_path: Path, code: str, *bindings: str, options: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    script = tmp_path / "program.py"
    script.write_text(code, encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, *options, str(script), *bindings],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "not within 20 s"
        time.sleep(0.02)


def session_has_ended(session: int) -> bool:
    """Whether a program has, and all that it started: workers, their server, the resource tracker."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, _group, of_session, *_ = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(of_session) == session and state != "Z":
            return False
    return True


def segments_of(pid: int) -> set[Path]:
    """Return the shared memory that a process has mapped."""
    return {Path(name) for name in re.findall(rf"{FOLDER}/psm_\w+", Path(f"/proc/{pid}/maps").read_text())}


def segments_once_in_use(program: subprocess.Popen[str]) -> set[Path]:
    """Return the shared memory of `LONG_CALLS`, once a worker of each has a problem of it in hand."""
    assert program.stdout is not None
    workers = [int(pid) for pid in program.stdout.readline().split()]
    calls = len(program.args[2:])  # type: ignore[index]
    until(lambda: len(set().union(*(segments_of(pid) for pid in workers))) == calls)
    return segments_of(program.pid)


@takes_long
def test_nothing_is_left_and_nothing_is_said_when_a_program_ends(tmp_path: Path) -> None:
    """Nor does it need an `if __name__ == "__main__"`."""
    with start(tmp_path, PROGRAM, options=("-X", "dev", "-W", "error")) as program:
        _, errors = program.communicate()
        until(lambda: session_has_ended(program.pid))
    assert (program.returncode, errors) == (0, "")


@takes_long
def test_a_program_may_come_from_a_pipe() -> None:
    subprocess.run([sys.executable, "-"], input=PROGRAM, text=True, check=True)


FORK = """
import os
for binding in sys.argv[1:]:
    if os.fork() == 0:
        try:
            solve(binding)
        except RuntimeError as error:
            os._exit("a forked process cannot start workers" not in str(error))
    _, status = os.wait()
    assert status == 0
    solve(binding)
"""


@takes_long
def test_a_forked_process_is_told_that_it_cannot_start_workers(tmp_path: Path) -> None:
    """And leaves those of its parent alone."""
    with start(tmp_path, PROGRAM + FORK, *PROCESSES, options=("-W", "ignore")) as program:
        assert program.communicate() == ("", "")
    assert program.returncode == 0


@takes_long
def test_a_killed_program_takes_its_workers_and_its_memory_with_it(tmp_path: Path) -> None:
    """In the middle of a problem, for which SciPy holds the GIL."""
    with start(tmp_path, PROGRAM + LONG_CALLS, *PROCESSES) as program:
        segments = segments_once_in_use(program)
        program.kill()
        until(lambda: session_has_ended(program.pid))
    assert len(segments) == len(PROCESSES)
    assert not any(segment.exists() for segment in segments)


@takes_long
def test_ctrl_c_ends_a_call_its_workers_and_its_memory(tmp_path: Path, processes: str) -> None:
    with start(tmp_path, PROGRAM + LONG_CALLS, processes) as program:
        segments = segments_once_in_use(program)
        os.killpg(program.pid, signal.SIGINT)
        _, errors = program.communicate(timeout=20)
        until(lambda: session_has_ended(program.pid))
    assert program.returncode == -signal.SIGINT
    assert (errors.count("Traceback"), errors.count("resource_tracker")) == (1, 0)
    assert not any(segment.exists() for segment in segments)
