"""What gilgrid is compared with: a plain nox file that installs and builds the subject for every pair.

``pairs.py`` runs it; the pairs, the probes and where to note the time come from the environment.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import nox

if TYPE_CHECKING:
    from collections.abc import Callable

KILLED = -9  # timeout sends the signal to itself too
SPEC = json.loads(os.environ["VERSUS_SPEC"])
nox.options.default_venv_backend = SPEC["backend"]


@nox.session
@nox.parametrize("scipy", SPEC["scipy"])
@nox.parametrize("cython", SPEC["cython"])
def pair(session: nox.Session, cython: str, scipy: str) -> None:
    """Install, build, run each probe with a timeout."""
    requirements = [f"cython=={cython}", f"scipy=={scipy}", "meson-python>=0.18", "ninja", "threadpoolctl"]
    _timed("install", lambda: session.install("--only-binary=:all:", *requirements))
    build = ("--no-build-isolation", "--no-deps", "--config-settings=setup-args=-Dbindings=cython")
    _timed("build", lambda: session.install(*build, SPEC["source"]))
    for command in SPEC["probes"].values():
        _timed("probe", lambda command=command: _probe(session, command))  # type: ignore[misc]


def _probe(session: nox.Session, command: list[str]) -> None:
    # coreutils' timeout, as nox itself has none; KILL, for a thread that hangs in native code minds no TERM.
    deadline = ("timeout", "--signal=KILL", str(SPEC["deadline_s"]))
    session.run(*deadline, *command, external=True, silent=True, success_codes=[0, KILLED])


def _timed(what: str, work: Callable[[], object]) -> None:
    begin = time.monotonic()
    work()
    with Path(SPEC["times"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps([what, time.monotonic() - begin]) + "\n")
