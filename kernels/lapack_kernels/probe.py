"""One probe, `python -m lapack_kernels.probe BINDING`: solve a batch repeatedly and check every answer.

Exits 0 when all checks hold, 1 when one does not, 2 on a mistake in the call. Checks and metrics go, as JSON,
to the file that $GILGRID_RESULT names, or to standard output.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from lapack_kernels.batch import MAX_THREADS
from lapack_kernels.bindings import BINDINGS, CheckFailedError, NotBuiltError, load
from lapack_kernels.drivers import DRIVERS
from lapack_kernels.eigh import eigh_tridiagonal, eigvalsh_tridiagonal
from lapack_kernels.result import write_result

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Array = npt.NDArray[Any]

TOLERANCE_EPS_N = 8.0
"""The largest error that LAPACK may make, in units of eps n (‖A‖ but for vectors): most are under 1."""

STEVR_ORTHOGONALITY_EPS_N = 1000.0
"""The same for vectors of stevr: 1 over MINRGP, the relative gap at which LAPACK's stemr takes two values
for well separated. Measured on normally distributed matrices: up to 157."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the probe that the command line asks for; returns its exit code."""
    options = _options(arguments)
    rng = np.random.default_rng(options.seed)
    d = rng.standard_normal((options.batch, options.size)).astype(options.dtype)
    e = rng.standard_normal((options.batch, options.size - 1)).astype(options.dtype)
    how = {
        "binding": options.binding,
        "gil": options.gil,
        "threads": options.threads,
        "driver": options.driver,
    }
    start = perf_counter()
    try:
        load(options.binding)
    except NotBuiltError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    seconds_load = perf_counter() - start
    seconds: list[float] = []
    errors: list[dict[str, float]] = []
    for _ in range(options.calls):
        start = perf_counter()
        try:
            if options.values_only:
                values = eigvalsh_tridiagonal(d, e, **how)
            else:
                values, vectors = eigh_tridiagonal(d, e, **how)
        except CheckFailedError as failed:
            return _report({"checks": [{"name": failed.name, "ok": False, "detail": failed.detail}]})
        seconds.append(perf_counter() - start)
        errors.append(
            value_errors(d, e, values) if options.values_only else errors_eps_n(d, e, values, vectors)
        )
    worst = {name: max(error[name] for error in errors) for name in errors[0]}
    metrics = {
        "seconds_load": seconds_load,
        "seconds_first_call": seconds[0],
        "seconds_per_call_median": statistics.median(seconds),
        "seconds_per_call_min": min(seconds),
        **{f"{name}_max_eps_n": worst[name] for name in ("residual", "orthogonality") if name in worst},
    }
    return _report({"checks": _checks(worst, limits(options.driver)), "metrics": metrics})


def limits(driver: str) -> dict[str, float]:
    """Return what each error may come to at most, with that driver."""
    orthogonality = STEVR_ORTHOGONALITY_EPS_N if driver == "stevr" else TOLERANCE_EPS_N
    return {"residual": TOLERANCE_EPS_N, "orthogonality": orthogonality, "descent": 0.0, "misplaced": 0.0}


def errors_eps_n(d: Array, e: Array, values: Array, vectors: Array) -> dict[str, float]:
    """Measure the worst errors of a solved batch of at least one problem.

    `residual` is ‖A v - λ v‖ in units of eps n ‖A‖, `orthogonality` is |VᵀV - I| in units of eps n, with eps
    that of the type of `values`, and `descent` is the largest step down between neighbouring eigenvalues, 0
    when they ascend. Where an error is not finite it is the largest float instead, which JSON can hold.
    """
    size = d.shape[1]
    unit = float(np.finfo(values.dtype).eps) * size
    descent = _descent(values)
    norms = _norms(d, e)
    d, e, values, vectors = (np.asarray(array, np.float64) for array in (d, e, values, vectors))
    products = d[:, :, None] * vectors
    if size > 1:
        products[:, :-1] += e[:, :, None] * vectors[:, 1:]
        products[:, 1:] += e[:, :, None] * vectors[:, :-1]
    residuals = np.linalg.norm(products - values[:, None, :] * vectors, axis=1).max(axis=1)
    gram = vectors.transpose(0, 2, 1) @ vectors - np.eye(size)
    worst = {
        "residual": (residuals / norms).max() / unit,
        "orthogonality": np.abs(gram).max() / unit,
        "descent": descent,
    }
    largest = sys.float_info.max
    return {name: float(np.nan_to_num(error, nan=largest, posinf=largest)) for name, error in worst.items()}


def value_errors(d: Array, e: Array, values: Array) -> dict[str, float]:
    """Measure the worst errors of eigenvalues without their vectors.

    `misplaced` is how many are not the k-th eigenvalue within `TOLERANCE_EPS_N`, by Sylvester's law of
    inertia: A - λ I has as many negative pivots as A has eigenvalues below λ. `descent` is as in
    `errors_eps_n`.
    """
    count, size = d.shape
    tolerance = TOLERANCE_EPS_N * float(np.finfo(values.dtype).eps) * size * _norms(d, e)[:, None]
    order = np.arange(size)
    right = np.isfinite(values)
    right &= _count_below(d, e, values - tolerance) <= order
    right &= _count_below(d, e, values + tolerance) > order
    return {"misplaced": float(count * size - np.count_nonzero(right)), "descent": _descent(values)}


def _count_below(d: Array, e: Array, shifts: Array) -> Array:
    pivots = _not_zero(d[:, :1] - shifts)
    below = (pivots < 0).astype(np.int64)
    for row in range(1, d.shape[1]):
        squares = np.square(e[:, row - 1 : row], dtype=np.float64)
        pivots = _not_zero(d[:, row : row + 1] - shifts - squares / pivots)
        below += pivots < 0
    return below


def _not_zero(pivots: Array) -> Array:
    smallest = np.finfo(np.float64).tiny
    return np.asarray(np.where(np.abs(pivots) < smallest, -smallest, pivots))


def _norms(d: Array, e: Array) -> Array:
    norms = np.abs(d).max(axis=1).astype(np.float64)
    if e.size:
        norms += 2 * np.abs(e).max(axis=1)
    return np.asarray(np.maximum(norms, np.finfo(np.float64).tiny))


def _descent(values: Array) -> float:
    descent = float(np.maximum(0, -np.diff(values, axis=1)).max(initial=0))
    return descent if math.isfinite(descent) else sys.float_info.max


def _report(result: dict[str, Any]) -> int:
    if not write_result(result):
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return 0 if all(check["ok"] for check in result["checks"]) else 1


def _checks(worst: dict[str, float], at_most: dict[str, float]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "ok": error <= at_most[name],
            "detail": f"{error:.3g}, at most {at_most[name]:g}"
            + (" (in units of eps n)" if at_most[name] else ""),
        }
        for name, error in worst.items()
    ]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lapack_kernels.probe", description=__doc__.split(":")[0])
    parser.add_argument("binding", choices=BINDINGS)
    parser.add_argument("--gil", default="released", help="a mode of the binding")
    parser.add_argument("--threads", type=_positive, default=2, help=f"1 to {MAX_THREADS}")
    parser.add_argument("--driver", choices=("auto", *DRIVERS), default="auto", help="of LAPACK")
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    parser.add_argument("--values-only", action="store_true", help="no eigenvectors")
    parser.add_argument("--size", type=_positive, default=32, help="order n of each matrix")
    parser.add_argument("--batch", type=_positive, default=64, help="matrices per call")
    parser.add_argument("--calls", type=_positive, default=20)
    parser.add_argument("--seed", type=int, default=6107)
    options = parser.parse_args(arguments)
    able = BINDINGS[options.binding]
    for name, known in (("gil", able.gil_modes), ("driver", able.drivers)):
        given = getattr(options, name)
        if given not in known:
            parser.error(f"argument --{name}: {options.binding} has {', '.join(known)}, not {given}")
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
