"""One wheel per distinct build key: what the compiler sees, and nothing else."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gilgrid import files
from gilgrid.diagnosis import first_error
from gilgrid.environments import uv_command
from gilgrid.errors import BuildFailedError, CancelledError, GilgridError
from gilgrid.guard import Command, End, run
from gilgrid.installer import uv_program
from gilgrid.locks import lock
from gilgrid.packages import is_whole, unmet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gilgrid.environments import Environment
    from gilgrid.matrix import Matrix, Subject
    from gilgrid.model import Cell

_DEADLINE_S = 3600.0
_NOT_COMPILED = ("matrix.toml", "newest.toml", "asv.conf.json")
"""What says what is measured: it may lie in the subject's folder, and changes oftener than what is built."""
_FLAGS = ("CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS")
# Besides them: where gcc, clang and pkg-config look, which linker they take, and how build backends are told.
_ALSO_READ = re.compile(
    r"CPATH|(C|CPLUS|OBJC)_INCLUDE_PATH|LIBRARY_PATH|LD_RUN_PATH|COMPILER_PATH|GCC_EXEC_PREFIX"
    r"|AR|ARFLAGS|AS|CPP|FC|FFLAGS|LD|LDSHARED|LDCXXSHARED|RANLIB|(CC|CXX|FC)_LD"
    r"|(CMAKE|CYTHON|DISTUTILS|MESON|NPY|PKG_CONFIG|SETUPTOOLS|SKBUILD)_.+"
)
_LEAST_FREE_BYTES = 16 * 1024 * 1024
_LOG_LIMIT_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Build:
    """The subject, built once for all cells that have this key."""

    key: str
    site: Path
    """A folder with the wheel's content, to be put on ``PYTHONPATH``."""
    log: Path
    seconds: float
    versions: Mapping[str, str]
    """What was installed while it was built."""
    requires: tuple[str, ...]
    """What the wheel says that it needs while it runs."""

    def check_runs_in(self, environment: Environment) -> None:
        """Raise ``GilgridError`` where an environment has not what the wheel needs."""
        if missing := unmet(self.requires, environment):
            sentence = (
                f"the subject needs {', '.join(missing)} while it runs, and the environment has it not; "
                "name it in its run-requires"
            )
            raise GilgridError(sentence)


class Builds:
    """The wheels of the cache; two gilgrid processes share it safely, and no half wheel ever stands there."""

    def __init__(self, cache_folder: Path, matrix: Matrix) -> None:
        self._folder = cache_folder / "builds"
        self._inputs = cache_folder / "inputs"
        self._matrix = matrix
        self._sources: dict[Path | str, str] = {}

    def key(self, recipe: Subject, cell: Cell, abi: str, inputs_from: Environment | None) -> str:
        """The key of a build: files, ABI, build-time versions or contents, settings, compiler and flags.

        ``recipe`` is the subject with the settings of that cell (``Matrix.recipe``), and ``inputs_from``
        an environment with the build-time versions of the axes that name build inputs.
        """
        seen: dict[str, str] = {}
        for name in recipe.build_axes:
            axis, coordinate = self._matrix.axis(name), cell.coordinate(name)
            if coordinate is None:
                raise GilgridError(f"{cell} has no {name}, so {recipe.name} has no build there")
            if axis.build_inputs and inputs_from:
                seen[name] = self._content(inputs_from, name, axis.build_inputs)
            else:
                seen[name] = coordinate.version
        if inputs_from:
            # What the axes bring along (NumPy with SciPy) and the build asks for by name is compiled in too,
            # in the version that follows from theirs.
            for line in recipe.build_requires:
                name = str(canonicalize_name(Requirement(line).name))
                if name in inputs_from.versions:
                    seen.setdefault(name, inputs_from.versions[name])
        return files.digest(
            self._source_digest(recipe),
            abi,
            seen,
            recipe.build_requires,
            recipe.build_settings,
            toolchain(),
        )

    def _source_digest(self, subject: Subject) -> str:
        # Once a run: a file that is saved meanwhile must not split one run into two subjects.
        if subject.source not in self._sources:
            self._sources[subject.source] = source_digest(subject)
        return self._sources[subject.source]

    def existing(self, key: str) -> Build | None:
        """The build of that key where it stands already."""
        folder = self._folder / key
        match files.read_json(folder / "build.json"):
            case {"seconds": float(seconds), "versions": dict(versions), "requires": list(requires)} if (
                is_whole(folder / "site")
            ):
                return Build(
                    key=key,
                    site=folder / "site",
                    log=folder / "build.log",
                    seconds=seconds,
                    versions=versions,
                    requires=tuple(requires),
                )
        return None

    def obtain(self, recipe: Subject, key: str, environment: Environment) -> Build:
        """Build what the key is of in that environment, unless it stands. Raises ``BuildFailedError``."""
        if found := self.existing(key):
            return found
        with lock(self._folder / f"{key}.lock"):
            if found := self.existing(key):  # built by another process while this one waited
                return found
            for leftover in self._folder.glob(f".{key}-*"):  # of a run that was killed
                shutil.rmtree(leftover, ignore_errors=True)
            draft = Path(tempfile.mkdtemp(dir=self._folder, prefix=f".{key}-"))
            try:
                self._build(recipe, draft, environment)
                shutil.rmtree(self._folder / key, ignore_errors=True)  # of which a part was removed
                draft.replace(self._folder / key)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        found = self.existing(key)
        if found is None:
            raise GilgridError(f"the build {key} was removed from the cache while it was made")
        return found

    def _build(self, subject: Subject, draft: Path, environment: Environment) -> None:
        begin = time.monotonic()
        if subject.folder:
            # Some backends write beside the sources, where another build reads.
            _copy(subject.folder, draft / "source")
            if source_digest(replace(subject, source=draft / "source")) != self._source_digest(subject):
                raise GilgridError(f"{subject.folder} was changed since this run began: run again")
        log = _compile(subject, draft, environment)
        (draft / "build.log").write_text(log, encoding="utf-8")
        wheel = next((draft / "wheel").glob("*.whl"))
        uv_command(
            "pip", "install", "--quiet", "--python", environment.python, "--no-deps",
            "--target", draft / "site", wheel,
            log=f"unpacking {wheel.name}",
        )  # fmt: skip
        (distribution,) = distributions(path=[str(draft / "site")])
        files.write_json(
            draft / "build.json",
            {
                "seconds": round(time.monotonic() - begin, 3),
                "versions": {**environment.versions, "python": environment.interpreter},
                "requires": distribution.requires or [],
            },
        )

    def _content(self, environment: Environment, axis: str, patterns: tuple[str, ...]) -> str:
        version = environment.versions.get(axis, "")
        remembered = self._inputs / f"{files.digest(str(environment.folder), axis, version, patterns)}.json"
        if known := files.read_json(remembered):
            return str(known["digest"])
        root = environment.site_packages
        found = {file for pattern in patterns for file in root.glob(pattern) if file.is_file()}
        missing = [pattern for pattern in patterns if not any(root.glob(pattern))]
        if missing:
            raise GilgridError(
                f"[axes.{axis}] build-inputs: '{missing[0]}' matches no file of {axis} {version}; "
                "what is not looked at could change a build unseen",
            )
        content = files.digest_of_files(root, found)
        files.write_json(remembered, {"digest": content, "axis": axis, "version": version})
        return content


def source_digest(subject: Subject) -> str:
    """A digest of the subject's own files, or of its requirement."""
    if subject.folder is None:
        # Before 2026-11 pip's own cache could stand in for a build with other versions.
        return files.digest(str(subject.source), "built anew")
    about_it = {subject.folder / name for name in _NOT_COMPILED}
    found = (file for file in files.source_files(subject.folder) if file not in about_it)
    return files.digest_of_files(subject.folder, found)


@cache
def toolchain() -> tuple[str, ...]:
    """The compilers, as they name themselves, and what they and build backends read of the environment."""
    named = [os.environ.get("CC", "cc"), os.environ.get("CXX", "c++")]
    also = sorted(name for name in os.environ if _ALSO_READ.fullmatch(name))
    return (
        *map(_compiler_version, named),
        *(f"{name}={os.environ.get(name, '')}" for name in (*_FLAGS, *also)),
    )


def _compiler_version(name: str) -> str:
    try:
        answer = subprocess.run(
            [*shlex.split(name), "--version"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return f"{name}: none"
    return answer.stdout.partition("\n")[0]


def _copy(folder: Path, to: Path) -> None:
    for file in files.source_files(folder):
        copy = to / file.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, copy)


def _compile(subject: Subject, draft: Path, environment: Environment) -> str:
    """Make ``draft/wheel/*.whl``, of ``draft/source`` or of an sdist, and return the output of all tools."""
    wheel = draft / "wheel"
    settings = [f"--config-setting={key}={value}" for key, value in subject.build_settings]
    if subject.folder:
        argv = (
            uv_program(), "build", "--wheel", "--no-build-isolation", "--color=never",
            "--python", str(environment.python), "--out-dir", str(wheel), *settings, str(draft / "source"),
        )  # fmt: skip
    else:
        argv = (
            str(environment.python), "-m", "pip", "wheel", "--no-build-isolation", "--no-deps",
            # pip keeps the wheels that it built by their sdist alone, whatever they were built with.
            "--no-binary=:all:", "--no-cache-dir", "--no-input", "--disable-pip-version-check", "--verbose",
            "--wheel-dir", str(wheel), *settings, str(subject.source),
        )  # fmt: skip
    ending = run(
        Command(
            argv=argv,
            cwd=draft,
            env={**environment.variables(), "NO_COLOR": "1"},
            deadline_s=_DEADLINE_S,
            output_limit_bytes=_LOG_LIMIT_BYTES,
        ),
    )
    if ending.end is End.CANCELLED:
        raise CancelledError("building")
    shutil.rmtree(draft / "source", ignore_errors=True)
    if ending.end in {End.NOT_FOUND, End.LOST}:
        raise GilgridError(f"building: {ending.detail}")
    if ending.end is End.DEADLINE:
        raise BuildFailedError(f"still building after {_DEADLINE_S:.0f} s", ending.output)
    if ending.exit_code != 0:
        # An assembler may say nothing of a full disk: what is left is the better witness.
        for place in (draft, Path(tempfile.gettempdir())):
            if shutil.disk_usage(place).free < _LEAST_FREE_BYTES:
                raise GilgridError(f"building: no room is left in {place}; make some and run again")
        raise BuildFailedError(first_error(ending.output), ending.output)
    return ending.output
