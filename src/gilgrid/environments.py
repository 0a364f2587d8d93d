"""One uv environment per distinct set of pins, resolved in one go, wheels only."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gilgrid import files
from gilgrid.errors import CancelledError, GilgridError, UnavailableError
from gilgrid.guard import Command, End, run
from gilgrid.installer import uv_program
from gilgrid.locks import lock
from gilgrid.packages import installed, recorded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gilgrid.interpreters import Interpreter, Interpreters
    from gilgrid.pins import Pins

_DEADLINE_S = 900.0
# A version that has no wheel today rarely has one tomorrow, but it may.
_UNAVAILABLE_FOR_S = 24 * 3600.0
_NOT_OF_THE_SHELL = (
    *("PYTHON", "PYTEST_"),
    *("MALLOC_", "GLIBC_TUNABLES"),
    *("OMP_", "GOMP_", "KMP_", "OPENBLAS_", "GOTO_", "MKL_", "BLIS_", "NUMEXPR_"),
)
_UNSATISFIABLE = 1  # uv's exit code; 2 is a failure of the network or of uv


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A virtual environment, and what is really in it."""

    folder: Path
    interpreter: str
    """Version of its Python, with the patch level."""
    abi: str
    versions: Mapping[str, str]
    """By distribution, read back from what was installed."""

    @property
    def python(self) -> Path:
        """The interpreter of the environment."""
        return self.folder / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        """Where its packages are."""
        return next(self.folder.glob("lib/python*/site-packages"))

    def variables(self, extra_site: Path | None = None) -> dict[str, str]:
        """The environment variables of a command that runs in it.

        ``extra_site`` is a folder with one more wheel: a subject is built far more often than environments
        differ, so it lies beside them and not in a copy of each.
        """
        # Whatever chose the Python that runs gilgrid must not choose the one of the cell.
        # Nor may its settings: PYTHONDONTWRITEBYTECODE alone makes a probe take 0.9 s instead of 0.3 s.
        # Nor may a shell decide on threads or on pytest's options: with OMP_THREAD_LIMIT=1 nothing hangs.
        # Nor on malloc: with the setting that Dask's workers have, prange-held takes 1.2 times as long.
        # What a probe is to have of these, its env in matrix.toml says.
        variables = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_NOT_OF_THE_SHELL)
            and name not in {"VIRTUAL_ENV", "CONDA_PREFIX", "UV_PYTHON"}
        }
        variables["PATH"] = os.pathsep.join(
            [
                str(self.folder / "bin"),
                *([str(extra_site / "bin")] if extra_site else []),
                variables.get("PATH", os.defpath),
            ],
        )
        variables["VIRTUAL_ENV"] = str(self.folder)
        if extra_site:
            variables["PYTHONPATH"] = str(extra_site)
        return variables


class Environments:
    """Resolutions and environments of the cache; two gilgrid processes share it safely."""

    def __init__(self, cache: Path, interpreters: Interpreters) -> None:
        self._resolutions = cache / "resolutions"
        self._folder = cache / "environments"
        self._interpreters = interpreters

    def resolve(self, pins: Pins) -> tuple[str, ...]:
        """Exact versions of all that the pins need, as ``name==version``.

        Raises ``UnavailableError`` with the resolver's reason where they cannot be had as wheels.
        """
        file = self._resolutions / f"{files.digest(asdict(pins))}.json"
        match files.read_json(file):
            case {"locked": list(known)}:
                return tuple(known)
            case {"unavailable": str(reason), "at": int() | float() as at} if (
                # A clock that was set back must not make it last for years.
                0 <= time.time() - at < _UNAVAILABLE_FOR_S
            ):
                raise UnavailableError(reason)
        try:
            locked = _resolve(pins)
        except UnavailableError as error:
            reason = f"for Python {pins.python}: {error}"
            files.write_json(file, {**asdict(pins), "unavailable": reason, "at": time.time()})
            raise UnavailableError(reason) from None
        files.write_json(file, {**asdict(pins), "locked": locked})
        return locked

    def serves(self, pins: Pins) -> bool:
        """Whether the pins resolve for their Python."""
        try:
            self.resolve(pins)
        except UnavailableError:
            return False
        return True

    def existing(self, pins: Pins) -> Environment | None:
        """The environment for these pins where it stands already. Starts no process."""
        interpreter = self._interpreters.local().get(pins.python)
        match files.read_json(self._resolutions / f"{files.digest(asdict(pins))}.json"):
            case {"locked": list(locked)} if interpreter:
                return _read(self._marker(tuple(locked), interpreter))
        return None

    def obtain(self, pins: Pins) -> Environment:
        """The environment for these pins, made where it does not stand yet.

        Raises ``UnavailableError`` where it cannot exist, ``GilgridError`` where making it failed.
        """
        interpreter = self._interpreters.obtain(pins.python)
        locked = self.resolve(pins)
        marker = self._marker(locked, interpreter)
        if found := _read(marker):
            return found
        with lock(marker.with_suffix(".lock")):
            if found := _read(marker):  # made by another process while this one waited
                return found
            return _make(marker, locked, interpreter)

    def _marker(self, locked: tuple[str, ...], interpreter: Interpreter) -> Path:
        # Written last: a folder without its marker is a leftover of an interrupted run.
        identity = interpreter.path, interpreter.version, interpreter.abi
        return self._folder / f"{files.digest(locked, *identity)}.json"


def uv_command(*arguments: str | Path, log: str) -> str:
    """Run uv under the guard and return its output. ``log`` names what it is for, in errors."""
    command = Command(
        argv=(uv_program(), *map(str, arguments)),
        # Settings of a project that happens to lie around here are not those of the cell.
        cwd=Path(tempfile.gettempdir()),
        # To resolve for a Python that it does not see, uv would download one: 9 s, to be left unused.
        env={**os.environ, "UV_NO_PROGRESS": "1", "NO_COLOR": "1", "UV_PYTHON_DOWNLOADS": "never"},
        deadline_s=_DEADLINE_S,
    )
    ending = run(command)
    if ending.end is End.CANCELLED:
        raise CancelledError(log)
    if ending.end is End.EXITED and ending.exit_code == 0:
        return ending.output
    is_offline = "network was disabled" in ending.output  # so that nothing is known of what exists
    if ending.end is End.EXITED and ending.exit_code == _UNSATISFIABLE and not is_offline:
        raise UnavailableError(_reason(ending.output))
    raise GilgridError(f"{log}: uv {ending.end}: {ending.detail or _reason(ending.output)}")


def _resolve(pins: Pins) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory(prefix="gilgrid-") as scratch:
        wanted, locked = Path(scratch, "wanted.txt"), Path(scratch, "locked.txt")
        wanted.write_text("\n".join(pins.requirements) + "\n", encoding="utf-8")
        uv_command(
            "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:",
            # Any interpreter will do: left to look for one of that version, uv asks every shim of pyenv's,
            # which takes 10 s, and fails where none is found.
            "--python", sys.executable, "--python-version", pins.python, "--output-file", locked, wanted,
            log=f"resolving {', '.join(pins.requirements)} for Python {pins.python}",
        )  # fmt: skip
        lines = locked.read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def _make(marker: Path, locked: tuple[str, ...], interpreter: Interpreter) -> Environment:
    folder = marker.with_suffix("")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # A run that was killed a moment ago may still be ending its uv: never write where that one writes.
    place = Path(tempfile.mkdtemp(dir=folder, prefix="env-"))
    wanted = folder / "locked.txt"
    wanted.write_text("\n".join(locked) + "\n", encoding="utf-8")
    named = f"environment of {', '.join(locked)}"
    try:
        uv_command("venv", "--quiet", "--allow-existing", "--python", interpreter.path, place, log=named)
        if locked:
            uv_command(
                "pip", "install", "--quiet", "--python", place, "--no-deps", "--only-binary", ":all:",
                "--requirements", wanted,
                log=named,
            )  # fmt: skip
    except UnavailableError as error:  # it resolved, so that it cannot be installed is a failure
        raise GilgridError(f"{named}: {error}") from error
    bare = Environment(folder=place, interpreter=interpreter.version, abi=interpreter.abi, versions={})
    environment = replace(bare, versions=installed(bare.site_packages))
    _check(locked, environment.versions, named)
    files.write_json(marker, {**asdict(environment), "folder": str(place), "locked": locked})
    return environment


def _check(locked: tuple[str, ...], versions: Mapping[str, str], named: str) -> None:
    for line in locked:
        requirement = Requirement(line)
        version = versions.get(str(canonicalize_name(requirement.name)))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            raise GilgridError(f"{named}: {line} was asked for, and {version or 'nothing'} is installed")


def _read(marker: Path) -> Environment | None:
    match files.read_json(marker):
        case {
            "folder": str(folder),
            "interpreter": str(interpreter),
            "abi": str(abi),
            "versions": dict(versions),
        } if _stands(Path(folder), versions):
            return Environment(folder=Path(folder), interpreter=interpreter, abi=abi, versions=versions)
    return None


def _stands(folder: Path, versions: Mapping[str, str]) -> bool:
    """Whether all of it is there, in the versions that it had when it was made."""
    found = [both for site in folder.glob("lib/python*/site-packages") for both in recorded(site).items()]
    return (folder / "bin" / "python").exists() and {*versions.items()} <= {*found}


def _reason(output: str) -> str:
    """The sentence of uv's message that says why, without the advice around it."""
    causes = [line.strip() for line in output.splitlines() if line.strip().startswith("cause:")]
    lines = causes or [line.strip() for line in output.splitlines() if line.strip()]
    text = " ".join(line.removeprefix("cause:").strip() for line in lines) or "no output"
    # Every message ends in the same conclusion from the fact that it names.
    return text.split(", we can conclude")[0].removeprefix("Because ")
