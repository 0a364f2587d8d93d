"""Samples of real threads, and the files that they keep open."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gilgrid.guard.observe.sample import Sampler, _Thread

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

PATIENCE_S = 30.0
THREADS = 20
PROGRAM = f"""
import sys, threading
go_on = threading.Event()
threads = [threading.Thread(target=go_on.wait) for _ in range({THREADS - 1})]
for thread in threads: thread.start()
print("ready", flush=True)
sys.stdin.readline()
go_on.set()
for thread in threads: thread.join()
print("one", flush=True)
sys.stdin.readline()
"""


@contextmanager
def sampled_threads() -> Iterator[tuple[subprocess.Popen[str], Sampler]]:
    """A process with so many threads, all of which wait, and what samples them."""
    with (
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
        closing(Sampler(process.pid, included=True)) as sampler,
    ):
        assert process.stdout
        assert process.stdin
        try:
            assert process.stdout.readline() == "ready\n"
            yield process, sampler
        finally:
            process.kill()


def schedstats() -> list[str]:
    """The files of samples that this process has open."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # what lists them
            found.append(str(link.readlink()))
    return [name for name in found if name.endswith("/schedstat")]


def tids(pid: int) -> list[int]:
    return [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]


def test_a_sampler_keeps_one_file_open_for_each_thread_that_lives() -> None:
    with sampled_threads() as (process, sampler):
        for _ in range(3):
            sampler.sample()
        assert len(schedstats()) == THREADS

        print("go on", file=process.stdin, flush=True)
        assert process.stdout
        assert process.stdout.readline() == "one\n"
        while len(tids(process.pid)) > 1:  # joined, and about to be gone
            os.sched_yield()
        sampler.sample()
        assert schedstats() == [f"/proc/{process.pid}/task/{process.pid}/schedstat"]

        process.kill()
        process.wait()
        sampler.sample()
        assert (schedstats(), sampler.pids) == ([], [])
    assert schedstats() == []


def test_where_few_files_may_be_open_all_threads_are_sampled_even_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (4 * 5, 1 << 20))
    with sampled_threads() as (process, sampler):
        end = time.monotonic() + PATIENCE_S
        while not sampler.is_worth_a_look and time.monotonic() < end:
            sampler.sample()
            time.sleep(0.01)
        assert len(schedstats()) == 5
        assert sampler.is_worth_a_look  # all of them are known, and none runs
        assert all(sampler.last_progress({tid}) > 0 for tid in tids(process.pid))


def test_a_sampler_that_is_closed_has_nothing_open() -> None:
    with sampled_threads() as (_, sampler):
        sampler.sample()
        assert schedstats()
        sampler.close()
        assert schedstats() == []
        sampler.sample()  # and could go on
        assert len(schedstats()) == THREADS


def test_who_runs_without_a_pause_is_not_frozen(tmp_path: Path) -> None:
    """It has a CPU for itself, as most that work have on a machine at rest: it is put on it only once."""
    schedstat = tmp_path / "schedstat"
    thread = _Thread()
    for n in range(4):
        schedstat.write_text(f"{n * 50_000_000} 0 7\n", encoding="ascii")
        thread.sample(str(schedstat), float(n), 0.05)
    assert not thread.is_frozen(3)
    assert thread.last_progress == thread.last_ran == 3.0

    for n in range(4, 7):
        thread.sample(str(schedstat), float(n), 0.05)
    assert thread.is_frozen(3)
    assert thread.last_progress == 3.0
    thread.close()
