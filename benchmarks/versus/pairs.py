"""gilgrid against a plain nox file: the same subject, pairs, probes and deadline, each side from cold.

usage: python benchmarks/versus/pairs.py {grid,column} [--rounds N] [--backend virtualenv|uv]

``grid`` is 3 Cythons x 3 SciPys, ``column`` one Cython x 12 SciPys. The two sides run in turn, each round
with empty caches and an empty home, on the Python that runs this. Needs nox and gilgrid installed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 5
PAIRS = {
    "grid": (["0.29.37", "3.0.12", "3.3.1"], ["1.10.1", "1.11.4", "1.17.1"]),
    "column": (
        ["3.3.1"],
        [
            *("1.9.3", "1.10.0", "1.10.1", "1.11.1", "1.11.2", "1.11.3", "1.11.4", "1.12.0"),
            *("1.13.1", "1.14.1", "1.15.3", "1.17.1"),
        ],
    ),
}
PROBES = {
    f"callback-{gil}": [
        *("python", "-m", "lapack_kernels.probe", "callback", "--gil", gil, "--threads", "2"),
    ]
    for gil in ("held", "released")
}


def main() -> None:
    """Run both sides in turn and print every round, the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("which", choices=PAIRS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backend", default="virtualenv", help="of the plain nox file")
    options = parser.parse_args()
    cython, scipy = PAIRS[options.which]
    seconds: dict[str, list[float]] = {"plain nox": [], "gilgrid": []}
    for number in range(1, options.rounds + 1):
        for side, run in (("plain nox", _plain), ("gilgrid", _gilgrid)):
            with tempfile.TemporaryDirectory(prefix="versus-") as place:
                took, parts = run(Path(place), cython, scipy, options.backend)
            seconds[side].append(took)
            shares = ", ".join(f"{what} {spent:.0f} s" for what, spent in parts.items())
            print(f"round {number}  {side:10} {took:7.1f} s  ({shares})", flush=True)
    plain, ours = (statistics.median(values) for values in seconds.values())
    print(f"{options.which}: {len(cython) * len(scipy)} pairs, plain nox with {options.backend} as backend")
    print(f"median: plain nox {plain:.1f} s, gilgrid {ours:.1f} s, ratio {plain / ours:.2f}")


def _plain(place: Path, cython: list[str], scipy: list[str], backend: str) -> tuple[float, dict[str, float]]:
    times = place / "times"
    spec = {
        "backend": backend,
        "cython": cython,
        "scipy": scipy,
        "source": str(_copied_subject(place)),
        "probes": PROBES,
        "deadline_s": DEADLINE_S,
        "times": str(times),
    }
    noxfile = Path(__file__).with_name("plain_noxfile.py")
    command = [
        *(sys.executable, "-m", "nox", "--noxfile", str(noxfile), "--envdir", str(place / "envs")),
        "--stop-on-first-error",
    ]
    took, output = _timed(command, place, {"VERSUS_SPEC": json.dumps(spec)})
    noted = [json.loads(line) for line in times.read_text(encoding="utf-8").splitlines()]
    parts = {what: sum(spent for kind, spent in noted if kind == what) for what in dict(noted)}
    if [what for what, _ in noted].count("probe") != len(cython) * len(scipy) * len(PROBES):
        sys.exit(f"the plain side is not whole:\n{output[-3000:]}")
    parts["the rest"] = took - sum(parts.values())
    return took, parts


def _gilgrid(
    place: Path, cython: list[str], scipy: list[str], _backend: str
) -> tuple[float, dict[str, float]]:
    source = _copied_subject(place)
    probes = "\n".join(
        f'[[probe]]\nname = "{name}"\ncommand = {json.dumps(command)}\n'
        f'threads = 2\ndeadline = "{DEADLINE_S} s"\n'
        for name, command in PROBES.items()
    )
    (place / "matrix.toml").write_text(
        f'[subject]\nname = "lapack-kernels"\nsource = "{source.name}"\n'
        'build-requires = ["meson-python>=0.18", "ninja"]\n'
        'build-settings = { setup-args = "-Dbindings=cython" }\n'
        f'[axes.cython]\nversions = {json.dumps(cython)}\nstages = ["build"]\n'
        f"[axes.scipy]\nversions = {json.dumps(scipy)}\n"
        'build-inputs = ["scipy/linalg/cython_lapack.pxd"]\n'
        f"{probes}",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "gilgrid.cli", "run", "--matrix", str(place / "matrix.toml")]
    took, output = _timed(command, place, {})
    spent = re.search(r"^spent: (.+)$", output, re.MULTILINE)
    if not spent or len(list(place.glob(".gilgrid/records/*/*.json"))) != len(cython) * len(scipy) * len(
        PROBES
    ):
        sys.exit(f"gilgrid's side is not whole:\n{output[-3000:]}")
    return took, {what: float(s) for what, s in re.findall(r"(\w+) ([\d.]+) s", spent[1])}


def _copied_subject(place: Path) -> Path:
    return Path(shutil.copytree(ROOT / "kernels", place / "subject"))


def _timed(command: list[str], place: Path, extra: dict[str, str]) -> tuple[float, str]:
    home = place / "home"
    caches = {
        "PIP_CACHE_DIR": "pip",
        "UV_CACHE_DIR": "uv",
        "GILGRID_CACHE_DIR": "gilgrid",
        "XDG_CACHE_HOME": "x",
    }
    home.mkdir()
    environment = {
        # A PYTHONDONTWRITEBYTECODE, say, would slow down the side that does not drop it.
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        **{name: str(home / folder) for name, folder in caches.items()},
        "HOME": str(home),
        **extra,
    }
    begin = time.monotonic()
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    return time.monotonic() - begin, done.stdout + done.stderr


if __name__ == "__main__":
    main()
