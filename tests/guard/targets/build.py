"""Compiles what the targets need, once per Python, compiler and source."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).with_name("extensions")
FLAGS = ("-std=c++17", "-O1", "-g", "-Wall", "-shared", "-fPIC", "-pthread")


class UnavailableError(Exception):
    """What a target needs is not on this machine; says what."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One shared library: a source, what is defined in it, and the compilers to try, each with its flags."""

    name: str
    source: str
    compilers: tuple[tuple[str, ...], ...]


UNITS = {
    "native": (
        Unit(
            name="native",
            source="native.cpp",
            compilers=(("g++", "-ldl", "-lrt"), ("clang++", "-ldl", "-lrt")),
        ),
        Unit(name="plugin", source="plugin.cpp", compilers=(("g++",), ("clang++",))),
    ),
    # clang leaves OpenMP's pragmas alone when it is told to use libgomp.
    "libgomp": (Unit(name="openmp_gnu", source="openmp.cpp", compilers=(("g++", "-fopenmp"),)),),
    "libomp": (Unit(name="openmp_llvm", source="openmp.cpp", compilers=(("clang++", "-fopenmp=libomp"),)),),
}
TOOLS = ("bash", "make", "timeout")


def build(python: str, folder: Path, needs: tuple[str, ...]) -> list[Path]:
    """Return the folders to put on the path of that Python; raises ``UnavailableError``.

    `needs` has names of `UNITS` and of programs that must be there.
    """
    for tool in needs:
        if tool not in UNITS and shutil.which(tool) is None:
            raise UnavailableError(f"{tool} is not installed")
    return [_compiled(unit, python, folder).parent for need in needs for unit in UNITS.get(need, ())]


@functools.cache
def version(python: str) -> tuple[int, int]:
    """The version of an interpreter, as ``(3, 11)``."""
    major, minor = _facts(python)["version"]
    return major, minor


@functools.cache
def _facts(python: str) -> dict[str, Any]:
    program = (
        "import json, sys, sysconfig; print(json.dumps("
        "{'include': sysconfig.get_path('include'), 'version': sys.version_info[:2], 'full': sys.version}))"
    )
    asked = subprocess.run([python, "-c", program], check=True, capture_output=True, text=True)
    facts: dict[str, Any] = json.loads(asked.stdout)
    return facts


@functools.cache
def _compiled(unit: Unit, python: str, folder: Path) -> Path:
    """The library of that unit, compiled now if it never was."""
    facts = _facts(python)
    if not Path(facts["include"], "Python.h").exists():
        raise UnavailableError(f"no Python.h in {facts['include']}")
    source = SOURCES / unit.source
    reason = f"none of {', '.join(compiler for compiler, *_ in unit.compilers)} is installed"
    for compiler, *flags in unit.compilers:
        if shutil.which(compiler) is None:
            continue
        command = [compiler, *FLAGS, f"-DMODULE={unit.name}", f"-I{facts['include']}", str(source), *flags]
        made_by = subprocess.run([compiler, "--version"], check=True, capture_output=True, text=True).stdout
        texts = [path.read_text() for path in (source, *sorted(SOURCES.glob("*.hpp")))]
        key = hashlib.sha256("\0".join([*command, made_by, facts["full"], *texts]).encode())
        made = folder / key.hexdigest()[:16] / f"{unit.name}.so"
        if made.exists():
            return made
        made.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=made.parent)
        os.close(descriptor)
        try:
            tried = subprocess.run([*command, "-o", draft], check=False, capture_output=True, text=True)
            if tried.returncode == 0:
                Path(draft).replace(made)  # at once: others may be building the same
                return made
        finally:
            Path(draft).unlink(missing_ok=True)
        errors = [line for line in tried.stderr.splitlines() if "error" in line]
        reason = f"{compiler}: {errors[0] if errors else tried.stderr}"
    raise UnavailableError(reason)
