"""What pybind11 alone has: functions that take the GIL back, and some that do without it what they must not.

Those end in a crash: they run in a process of their own. What hangs is left to the probes.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from signal import SIGABRT, SIGSEGV
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lapack_kernels import drivers, eigh_tridiagonal, probe
from lapack_kernels.batch import Batch
from lapack_kernels.result import RESULT_VARIABLE

if TYPE_CHECKING:
    from pathlib import Path

native = pytest.importorskip("lapack_kernels._pybind11", reason="built without pybind11")

RIGHT_MODES = ("held", "released", "call-guard", "reacquired")
COUNTED = ("--gil", "counted", "--size", "2", "--batch", "20000", "--calls", "5")


def batch(count: int = 100, size: int = 16, *, threads: int) -> Batch:
    rng = np.random.default_rng(count)
    d, e = rng.standard_normal((count, size)), rng.standard_normal((count, size - 1))
    return Batch(d, e, threads=threads, driver="stev", wants_vectors=True)


def run_probe(*arguments: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lapack_kernels.probe", "pybind11", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, RESULT_VARIABLE: str(folder / "result.json"), **env},
    )


@pytest.mark.parametrize("gil", RIGHT_MODES)
def test_every_mode_that_is_right_gives_the_same_bits(gil: str) -> None:
    rng = np.random.default_rng(11)
    d, e = rng.standard_normal((40, 12)), rng.standard_normal((40, 11))
    expected = eigh_tridiagonal(d, e, binding="pybind11", gil="held", threads=1)
    actual = eigh_tridiagonal(d, e, binding="pybind11", gil=gil, threads=3)
    assert all(np.array_equal(one, other) for one, other in zip(actual, expected))


@pytest.mark.parametrize("threads", [1, 3])
def test_each_chunk_is_reported_once_with_the_gil_taken_back(threads: int) -> None:
    solved = batch(threads=threads)
    reports: list[float] = []
    native.solve_reacquired(solved.address, reports.append)
    assert sum(reports) == solved.count
    assert len(reports) == -(-solved.count // solved.chunk)


def test_one_thread_may_take_the_gil_that_its_caller_holds() -> None:
    solved = batch(threads=1)
    reports: list[float] = []
    native.solve_acquired(solved.address, reports.append)
    assert sum(reports) == solved.count


def test_an_exception_in_the_team_is_raised_once_by_the_call() -> None:
    def refuse(_solved: float) -> None:
        raise KeyError("no reports, please")

    unsolved = batch(threads=4)
    for _ in range(20):
        with pytest.raises(KeyError, match="no reports, please"):
            native.solve_reacquired(unsolved.address, refuse)


def test_after_an_exception_no_further_chunk_is_solved() -> None:
    solved = batch(threads=1)
    reports: list[float] = []

    def refuse_the_third(done: float) -> None:
        reports.append(done)
        if len(reports) == 3:
            raise LookupError

    with pytest.raises(LookupError):
        native.solve_reacquired(solved.address, refuse_the_third)
    assert len(reports) == 3


@pytest.mark.parametrize("gil", RIGHT_MODES)
def test_a_value_that_is_not_finite_is_an_error_in_every_mode(gil: str) -> None:
    d = np.ones((50, 4))
    d[17, 2] = np.nan
    with pytest.raises(ValueError, match="d must be finite, but problem 17"):
        eigh_tridiagonal(d, np.ones((50, 3)), binding="pybind11", gil=gil, threads=2)


@pytest.mark.parametrize("gil", RIGHT_MODES)
def test_a_lapack_failure_is_an_error_in_every_mode(gil: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for LAPACK, in one thread: no finite input is known to make `dstev` fail."""

    @ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 7, ctypes.POINTER(ctypes.c_int))
    def fail(*arguments: Any) -> None:
        arguments[-1][0] = 4

    address = ctypes.cast(fail, ctypes.c_void_p).value
    monkeypatch.setattr(drivers, "address", lambda _driver, _dtype: address)
    with pytest.raises(np.linalg.LinAlgError, match=r"problem 0: info = 4 \(5 of 5 problems failed\)"):
        eigh_tridiagonal(np.ones((5, 4)), np.ones((5, 3)), binding="pybind11", gil=gil, driver="stev")


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.skipif(sys.version_info < (3, 10), reason="floats come from a list that all threads share")
def test_a_float_made_without_the_gil_ends_the_process(threads: str, tmp_path: Path) -> None:
    ended = run_probe("--gil", "touched", "--threads", threads, folder=tmp_path)
    assert -ended.returncode in (SIGSEGV, SIGABRT)


def test_python_in_development_mode_ends_what_makes_a_float_without_the_gil(tmp_path: Path) -> None:
    ended = run_probe("--gil", "touched", "--threads", "1", folder=tmp_path, PYTHONDEVMODE="1")
    assert -ended.returncode in (SIGSEGV, SIGABRT)
    assert "Fatal Python error" in ended.stderr


@pytest.mark.skipif(not native.ASSERTS_GIL, reason="built without pybind11's assertions")
def test_an_assertion_of_pybind11_is_an_error_before_a_reference_is_lost(tmp_path: Path) -> None:
    ended = run_probe(*COUNTED, folder=tmp_path)
    assert ended.returncode == 1
    assert "RuntimeError: pybind11::handle::inc_ref() PyGILState_Check() failure" in ended.stderr


@pytest.mark.skipif(native.ASSERTS_GIL, reason="pybind11's assertions find it")
def test_in_one_thread_no_reference_is_lost(tmp_path: Path) -> None:
    ended = run_probe(*COUNTED, "--threads", "1", folder=tmp_path, PYTHONDEVMODE="1")
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("off", [-3, 7])
def test_references_that_were_lost_are_a_check_that_failed(
    off: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(native, "solve_counted", lambda _address, _shared: off)
    monkeypatch.setenv(RESULT_VARIABLE, str(tmp_path / "result.json"))
    assert probe.main(["pybind11", "--gil", "counted"]) == 1
    (check,) = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["checks"]
    assert check == {"name": "references", "ok": False, "detail": f"{off:+d} after 64 were taken and dropped"}


def test_a_report_that_was_lost_is_a_check_that_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(native, "solve_touched", lambda _address, progress: progress.extend([1.0, 62.0]))
    monkeypatch.setenv(RESULT_VARIABLE, str(tmp_path / "result.json"))
    assert probe.main(["pybind11", "--gil", "touched"]) == 1
    (check,) = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["checks"]
    assert check == {"name": "progress", "ok": False, "detail": "63 of 64 problems were reported"}
