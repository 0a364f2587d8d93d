"""One probe, `python -m lapack_kernels.probe BINDING`: solve a batch repeatedly and check every answer.

Exits 0 when all checks hold, 1 when one does not, 2 on a mistake in the call. Checks and metrics go, as JSON,
to the file that $GILGRID_RESULT names, or to standard output.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from lapack_kernels.batch import MAX_THREADS
from lapack_kernels.bindings import BINDINGS, GIL_MODES, load
from lapack_kernels.eigh import eigh_tridiagonal
from lapack_kernels.result import write_result

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

TOLERANCE_EPS_N = 8.0
"""The largest error that LAPACK may make, in units of eps n (‖A‖ for residuals): most are under 1."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the probe that the command line asks for; returns its exit code."""
    options = _options(arguments)
    rng = np.random.default_rng(options.seed)
    d = rng.standard_normal((options.batch, options.size))
    e = rng.standard_normal((options.batch, options.size - 1))
    start = perf_counter()
    load(options.binding)
    seconds_load = perf_counter() - start
    seconds: list[float] = []
    errors: list[dict[str, float]] = []
    for _ in range(options.calls):
        start = perf_counter()
        values, vectors = eigh_tridiagonal(
            d, e, binding=options.binding, gil=options.gil, threads=options.threads
        )
        seconds.append(perf_counter() - start)
        errors.append(errors_eps_n(d, e, values, vectors))
    worst = {name: max(error[name] for error in errors) for name in errors[0]}
    result: dict[str, Any] = {
        "checks": _checks(worst),
        "metrics": {
            "seconds_load": seconds_load,
            "seconds_first_call": seconds[0],
            "seconds_per_call_median": statistics.median(seconds),
            "seconds_per_call_min": min(seconds),
            "residual_max_eps_n": worst["residual"],
            "orthogonality_max_eps_n": worst["orthogonality"],
        },
    }
    if not write_result(result):
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return 0 if all(check["ok"] for check in result["checks"]) else 1


def errors_eps_n(d: Array, e: Array, values: Array, vectors: Array) -> dict[str, float]:
    """Measure the worst errors of a solved batch of at least one problem.

    `residual` is ‖A v - λ v‖ in units of eps n ‖A‖, `orthogonality` is |VᵀV - I| in units of eps n, and
    `descent` is the largest step down between neighbouring eigenvalues, 0 when they ascend. Where an error is
    not finite it is the largest float instead, which JSON can hold.
    """
    size = d.shape[1]
    unit = np.finfo(np.float64).eps * size
    norms = np.abs(d).max(axis=1)
    products = d[:, :, None] * vectors
    if size > 1:
        norms += 2 * np.abs(e).max(axis=1)
        products[:, :-1] += e[:, :, None] * vectors[:, 1:]
        products[:, 1:] += e[:, :, None] * vectors[:, :-1]
    norms = np.maximum(norms, np.finfo(np.float64).tiny)
    residuals = np.linalg.norm(products - values[:, None, :] * vectors, axis=1).max(axis=1)
    gram = vectors.transpose(0, 2, 1) @ vectors - np.eye(size)
    descents = np.maximum(0, -np.diff(values, axis=1)).max(axis=1, initial=0)
    worst = {
        "residual": (residuals / norms).max() / unit,
        "orthogonality": np.abs(gram).max() / unit,
        "descent": descents.max(),
    }
    largest = sys.float_info.max
    return {name: float(np.nan_to_num(error, nan=largest, posinf=largest)) for name, error in worst.items()}


def _checks(worst: dict[str, float]) -> list[dict[str, Any]]:
    limits = {"residual": TOLERANCE_EPS_N, "orthogonality": TOLERANCE_EPS_N, "descent": 0.0}
    return [
        {
            "name": name,
            "ok": worst[name] <= limit,
            "detail": f"{worst[name]:.3g}, at most {limit:g}" + (" (in units of eps n)" if limit else ""),
        }
        for name, limit in limits.items()
    ]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lapack_kernels.probe", description=__doc__.split(":")[0])
    parser.add_argument("binding", choices=BINDINGS)
    parser.add_argument("--gil", choices=GIL_MODES, default="released", help="around the native call")
    parser.add_argument("--threads", type=_positive, default=2, help=f"1 to {MAX_THREADS}")
    parser.add_argument("--size", type=_positive, default=32, help="order n of each matrix")
    parser.add_argument("--batch", type=_positive, default=64, help="matrices per call")
    parser.add_argument("--calls", type=_positive, default=20)
    parser.add_argument("--seed", type=int, default=6107)
    options = parser.parse_args(arguments)
    if options.threads > MAX_THREADS:
        parser.error(f"argument --threads: must be at most {MAX_THREADS}, not {options.threads}")
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())
