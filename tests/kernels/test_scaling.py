"""The probe of what N threads are good for: its checks hold where they should, and fail where they should."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from lapack_kernels import scaling
from lapack_kernels.scaling import OFTEN, TICKS, Timings, checks, ticks_beside

if TYPE_CHECKING:
    from pathlib import Path


def timings(*, python: float = 1.0, native: list[float], c: list[float]) -> dict[str, Timings]:
    """Return those of works of a second, that many times as fast with N threads, round by round."""
    speedups = {"threads_python": [python] * len(c), "native": native, "c": c}
    return {
        name: Timings([1.0] * len(c), [1.0] * len(c), [1 / speedup for speedup in each])
        for name, each in speedups.items()
    }


def failing(measured: dict[str, Timings], ticks: int = TICKS) -> list[str]:
    return [check["name"] for check in checks(measured, ticks, "native") if not check["ok"]]


def test_two_free_cpus_are_well() -> None:
    assert failing(timings(native=[1.8] * 9, c=[1.8] * 9)) == []


def test_one_round_with_a_second_cpu_is_enough() -> None:
    assert failing(timings(native=[0.9] * 8 + [1.6], c=[1.0] * 9)) == []


def test_native_code_that_never_has_the_second_cpu_that_other_code_has_is_told() -> None:
    measured = timings(native=[1.0] * 20, c=[1.8] * OFTEN + [1.0] * (20 - OFTEN))
    assert failing(measured) == ["native-works-at-once"]


def test_where_a_second_cpu_is_hardly_ever_free_the_check_says_that_it_cannot_tell() -> None:
    rounds = 20
    measured = timings(native=[1.0] * rounds, c=[1.8] * (OFTEN - 1) + [1.0] * (rounds - OFTEN + 1))
    assert failing(measured) == []
    detail = checks(measured, TICKS, "native")[1]["detail"]
    assert f"in {OFTEN - 1} of 20 rounds: a second CPU was not free often enough to tell" in detail


def test_pure_python_that_scales_is_told() -> None:
    assert "threads-python-take-turns" in failing(timings(python=1.4, native=[1.8] * 9, c=[1.8] * 9))


def test_what_else_runs_makes_no_speedup() -> None:
    """One thread had to wait for its CPU for half of the time, N had not."""
    assert Timings(alone=[2.0], alone_cpu=[1.0], together=[1.0]).speedups == [1.0]


def test_python_runs_beside_native_code_that_has_released_the_gil_and_only_then(indirect: str) -> None:
    assert ticks_beside(indirect, "released") >= TICKS
    assert ticks_beside(indirect, "held") < TICKS


def test_the_probe_reports_every_speedup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, native_bindings: list[str]
) -> None:
    if not set(native_bindings) & set(scaling.NATIVE):
        pytest.skip("neither is built")
    monkeypatch.setenv("GILGRID_RESULT", str(tmp_path / "result.json"))
    monkeypatch.setattr(scaling, "LIMIT_S", 0)
    scaling.main([])
    result = json.loads((tmp_path / "result.json").read_text())
    assert [check["name"] for check in result["checks"]] == [
        "threads-python-take-turns",
        "native-works-at-once",
        "python-runs-beside-native",
    ]
    kinds = ("threads_python", "threads_numpy", "threads_scipy", "native_released", "c", "processes")
    assert set(result["metrics"]) == {"rounds", *(f"speedup_{kind}" for kind in kinds)}
    assert result["metrics"]["rounds"] == scaling.ROUNDS


@pytest.mark.parametrize("threads", ["1", "0", "1025", "many"])
def test_a_number_of_threads_that_is_none_is_a_mistake_in_the_call(threads: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        scaling.main(["--threads", threads])
    assert stopped.value.code == 2


def test_without_a_native_binding_there_is_nothing_to_compare_with(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scaling, "NATIVE", ())
    assert scaling.main([]) == 2
    assert "built" in capsys.readouterr().err
