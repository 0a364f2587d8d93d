"""The probe finds what is wrong with an answer, and says how it was asked for one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lapack_kernels import probe
from lapack_kernels.bindings import NotBuiltError
from lapack_kernels.probe import errors_eps_n, limits, main, value_errors

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Array = npt.NDArray[Any]

RNG = np.random.default_rng(0)
D, E = RNG.standard_normal((5, 12)), RNG.standard_normal((5, 11))


@pytest.fixture
def solved() -> tuple[Array, Array]:
    dense = np.stack([np.diag(row) + np.diag(off, 1) + np.diag(off, -1) for row, off in zip(D, E)])
    values, vectors = np.linalg.eigh(dense)
    return values, vectors


def wrong(errors: dict[str, float]) -> set[str]:
    return {name for name, error in errors.items() if error > limits("auto")[name]}


def test_an_answer_that_is_right_has_no_error(solved: tuple[Array, Array]) -> None:
    values, vectors = solved
    assert wrong(errors_eps_n(D, E, values, vectors)) == set()
    assert wrong(value_errors(D, E, values)) == set()


@pytest.mark.parametrize("value", [1.0, np.nan, np.inf])
def test_an_eigenvalue_that_is_off_is_found_with_vectors_and_without(
    solved: tuple[Array, Array], value: float
) -> None:
    values, vectors = solved
    values[3, 11] = values[3, 11] + value * 1e-3
    assert wrong(errors_eps_n(D, E, values, vectors)) >= {"residual"}
    assert value_errors(D, E, values)["misplaced"] == 1


def test_an_eigenvalue_that_stands_in_for_another_is_found(solved: tuple[Array, Array]) -> None:
    values, _ = solved
    values[3, 5] = values[3, 4]
    assert value_errors(D, E, values) == {"misplaced": 1, "descent": 0}


def test_eigenvalues_out_of_order_are_found(solved: tuple[Array, Array]) -> None:
    values, vectors = solved
    assert wrong(errors_eps_n(D, E, values[:, ::-1], vectors[:, :, ::-1])) == {"descent"}
    assert wrong(value_errors(D, E, values[:, ::-1])) == {"descent", "misplaced"}


def test_vectors_that_are_not_orthogonal_are_found(solved: tuple[Array, Array]) -> None:
    values, vectors = solved
    vectors[2, :, 3] = vectors[2, :, 4]
    assert wrong(errors_eps_n(D, E, values, vectors)) == {"residual", "orthogonality"}


def result_of(place: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> dict[str, Any]:
    monkeypatch.setenv("GILGRID_RESULT", str(place / "result.json"))
    assert main(arguments) == 0
    result: dict[str, Any] = json.loads((place / "result.json").read_text())
    return result


@pytest.mark.parametrize("options", [[], ["--dtype", "float32"], ["--size", "1"], ["--size", "40"]])
def test_every_binding_passes_its_probe(
    binding: str, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = result_of(tmp_path, monkeypatch, binding, "--calls", "2", "--batch", "8", *options)
    assert [check["name"] for check in result["checks"]] == ["residual", "orthogonality", "descent"]
    assert result["metrics"]["seconds_per_call_median"] > 0


def test_values_alone_are_checked_by_where_they_lie(
    binding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = result_of(tmp_path, monkeypatch, binding, "--calls", "2", "--batch", "8", "--values-only")
    assert [check["name"] for check in result["checks"]] == ["misplaced", "descent"]


def test_a_binding_that_was_not_built_is_a_mistake_in_the_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(name: str) -> None:
        raise NotBuiltError(f"the binding {name!r} was not built")

    monkeypatch.setattr(probe, "load", load)
    assert probe.main(["pointer"]) == 2
    assert capsys.readouterr().err == "the binding 'pointer' was not built\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["cffi"],
        ["threads-python", "--gil", "held"],
        ["threads-numpy", "--driver", "stevr"],
        ["pointer", "--threads", "1025"],
        ["pointer", "--dtype", "float16"],
        ["pointer", "--batch", "0"],
    ],
)
def test_a_mistake_in_the_call_is_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    assert "error: argument" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["OMP_THREAD_LIMIT", "OMP_NUM_THREADS"])
def test_a_team_that_the_environment_keeps_small_solves_all(name: str, native_bindings: list[str]) -> None:
    program = (
        "import sys; from lapack_kernels.probe import main; "
        "sys.exit(any(main([binding, '--threads', '8', '--calls', '3']) for binding in sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, *native_bindings]
    child = subprocess.run(
        command, env={**os.environ, name: "1"}, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stdout + child.stderr
