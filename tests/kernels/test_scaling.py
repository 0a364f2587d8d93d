"""The probe of what N threads are good for: its checks hold where they should, and fail where they should."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from lapack_kernels import NotBuiltError, scaling
from lapack_kernels.scaling import AT_ONCE, BY_TURNS, OFTEN, TICKS, Timings, checks, metrics, ticks_beside

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 20
WELL_TICKS = {"released": TICKS, "held": TICKS - 1}


def timings(**speedups: list[float]) -> dict[str, Timings]:
    """Return those of works of a second, that many times as fast with N threads, round by round.

    What is not named is as it should be on a machine with two free CPUs.
    """
    well = {name: [1.0] for name in (*BY_TURNS, "threads_scipy")} | {name: [1.8] for name in (*AT_ONCE, "c")}
    return {
        name: Timings([1.0] * ROUNDS, [1 / speedup for speedup in (each * ROUNDS)[:ROUNDS]])
        for name, each in {**well, **speedups}.items()
    }


def failing(measured: dict[str, Timings], ticks: dict[str, int] = WELL_TICKS) -> list[str]:
    return [check["name"] for check in checks(measured, ticks) if not check["ok"]]


def test_two_free_cpus_are_well() -> None:
    assert failing(timings()) == []
    assert metrics(timings()) == {
        "rounds": ROUNDS,
        **{f"speedup_{name}": 1.0 for name in (*BY_TURNS, "threads_scipy")},
        **{f"speedup_{name}": pytest.approx(1.8) for name in (*AT_ONCE, "c")},
    }


@pytest.mark.parametrize("name", AT_ONCE)
def test_one_round_with_a_second_cpu_is_enough(name: str) -> None:
    assert failing(timings(**{name: [0.9] * (ROUNDS - 1) + [1.6]})) == []


@pytest.mark.parametrize("name", AT_ONCE)
def test_what_never_has_the_second_cpu_that_other_code_has_is_told(name: str) -> None:
    often = [1.8] * OFTEN + [1.0] * (ROUNDS - OFTEN)
    assert failing(timings(**{name: [1.0], "c": often})) == [f"{name.replace('_', '-')}-at-once"]
    assert metrics(timings(**{name: [1.0], "c": often}))[f"speedup_{name}"] == 1.0


@pytest.mark.parametrize("name", AT_ONCE)
def test_where_a_second_cpu_is_hardly_ever_free_nothing_is_claimed(name: str) -> None:
    measured = timings(**{name: [1.0], "c": [1.8] * (OFTEN - 1) + [1.0] * (ROUNDS - OFTEN + 1)})
    assert failing(measured) == []
    assert metrics(measured) == {"rounds": ROUNDS}
    details = "\n".join(check["detail"] for check in checks(measured, WELL_TICKS))
    assert f"a second CPU was free in {OFTEN - 1} of {ROUNDS} rounds, too few to tell" in details


@pytest.mark.parametrize("name", BY_TURNS)
def test_what_should_take_turns_and_does_not_is_told(name: str) -> None:
    assert failing(timings(**{name: [1.0, 1.4]})) == [f"{name.replace('_', '-')}-by-turns"]


@pytest.mark.parametrize(("gil", "ticks"), [("released", TICKS - 1), ("held", TICKS)])
def test_a_gil_that_is_not_as_it_should_be_is_told(gil: str, ticks: int) -> None:
    assert failing(timings(), {**WELL_TICKS, gil: ticks}) == [f"native-{gil}-beside-python"]


def test_python_runs_beside_native_code_that_has_released_the_gil_and_only_then(indirect: str) -> None:
    assert ticks_beside(indirect, "released") >= TICKS
    assert ticks_beside(indirect, "held") < TICKS


def test_the_probe_reports_every_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, native_bindings: list[str]
) -> None:
    if "ctypes" not in native_bindings:
        pytest.skip("ctypes is not among the bindings here")
    monkeypatch.setenv("GILGRID_RESULT", str(tmp_path / "result.json"))
    monkeypatch.setattr(scaling, "LIMIT_S", 0)
    code = scaling.main([])
    result: dict[str, Any] = json.loads((tmp_path / "result.json").read_text())
    assert [check["name"] for check in result["checks"]] == [
        "threads-python-by-turns",
        "native-held-by-turns",
        "threads-numpy-at-once",
        "native-released-at-once",
        "processes-at-once",
        "native-released-beside-python",
        "native-held-beside-python",
    ]
    assert code == (not all(check["ok"] for check in result["checks"]))
    assert result["metrics"]["rounds"] == scaling.ROUNDS


@pytest.mark.parametrize("threads", ["1", "0", "1025", "many"])
def test_a_number_of_threads_that_is_none_is_a_mistake_in_the_call(threads: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        scaling.main(["--threads", threads])
    assert stopped.value.code == 2


def test_without_ctypes_there_is_nothing_to_compare_with(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(name: str) -> None:
        raise NotBuiltError(f"the binding {name!r} was not built")

    monkeypatch.setattr(scaling, "load", load)
    assert scaling.main([]) == 2
    assert "the binding 'ctypes' was not built" in capsys.readouterr().err
