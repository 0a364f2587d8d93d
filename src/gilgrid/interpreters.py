"""The Pythons of this machine that can run a cell and build an extension for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gilgrid import files
from gilgrid.errors import CancelledError, UnavailableError
from gilgrid.guard import Command, End, run
from gilgrid.installer import uv_program
from gilgrid.locks import lock

OLDEST = (3, 8)

# Two Pythons of one version may have been configured otherwise: a compiler sees that in pyconfig.h, and
# setuptools compiles with the flags that the interpreter was compiled with.
_FACTS = """
import hashlib, json, os, platform, sys, sysconfig
compiled_with = [sysconfig.get_config_var(name) for name in ("CC", "CXX", "CFLAGS", "CCSHARED", "LDSHARED")]
configured = hashlib.sha256(repr([platform.python_version(), compiled_with]).encode())
try:
    with open(sysconfig.get_config_h_filename(), "rb") as header:
        configured.update(header.read())
except OSError:
    pass
print(json.dumps({
    "python": "%d.%d" % sys.version_info[:2],
    "version": platform.python_version(),
    "abi": "%s-%s-%s" % (
        sysconfig.get_config_var("SOABI"), sysconfig.get_platform(), configured.hexdigest()[:8]
    ),
    "implementation": platform.python_implementation(),
    "has_headers": os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")),
}))
"""


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A CPython that was asked what it is."""

    path: str
    python: str
    """As cells name it: ``3.11``."""
    version: str
    abi: str
    """Extension suffix, platform and a digest of how it was configured: what a build for it depends on."""
    has_headers: bool
    modified_ns: int
    """Of its executable: an upgrade in place makes another Python of it."""


class Interpreters:
    """Finds interpreters once and remembers them in the cache, as looking for them takes a second."""

    def __init__(self, cache: Path) -> None:
        self._file = cache / "interpreters.json"
        self._known: list[Interpreter] | None = None
        self._is_fresh = False
        self._own: Interpreter | None = None
        self._refused: dict[str, str] = {}

    def local(self, *, fresh: bool = False) -> dict[str, Interpreter]:
        """By ``3.11``: the Pythons that can build an extension, gilgrid's own first, then newest first."""
        usable: dict[str, Interpreter] = {}
        for interpreter in self._all(fresh=fresh):
            if interpreter.has_headers:
                usable.setdefault(interpreter.python, interpreter)
        return usable

    def _all(self, *, fresh: bool) -> list[Interpreter]:
        if self._known is None:
            self._known = self._remembered()
        if (fresh or not self._known) and not self._is_fresh:
            self._known = _find()
            self._is_fresh = True
            files.write_json(self._file, [asdict(interpreter) for interpreter in self._known])
        return self._known

    def obtain(self, python: str) -> Interpreter:
        """That Python, downloaded where it is not here. Raises ``UnavailableError`` with uv's reason."""
        if found := self._first(python) or self.local().get(python):
            return found
        with lock(self._file.with_suffix(".lock")):  # several cells ask at once
            if found := self.local(fresh=True).get(python):
                return found
            if python not in self._refused:
                self._install(python)
            if found := self.local().get(python):
                return found
        raise UnavailableError(self._refused[python])

    def _first(self, python: str) -> Interpreter | None:
        """What runs gilgrid, which comes before any other, unless all are known already.

        To ask it takes 0.03 s, to look for all of them 1.2 s.
        """
        if self._known is None:
            self._known = self._remembered() or None
        if self._known is not None or python != _own():
            return None
        self._own = self._own or _ask(_base())
        return self._own if self._own and self._own.has_headers else None

    def _install(self, python: str) -> None:
        ending = run(Command(argv=(uv_program(), "python", "install", "--no-bin", python), deadline_s=600))
        if ending.end is End.CANCELLED:
            raise CancelledError(f"Python {python}")
        self._is_fresh = False
        if python in self.local(fresh=True):
            return
        bare = [i.path for i in self._all(fresh=False) if i.python == python]
        here = f"has no headers at {bare[0]} (install its -dev package)" if bare else "is not on this machine"
        reason = _last_cause(ending.output) or ending.detail
        self._refused[python] = (
            f"Python {python} {here}, and uv could not install one ({reason}); "
            f"pyenv install {python} or your system's packages may have it"
        )

    def _remembered(self) -> list[Interpreter]:
        try:
            remembered = [Interpreter(**facts) for facts in files.read_json(self._file) or []]
        except TypeError:  # written by another version of gilgrid
            return []
        is_whole = all(_modified_ns(Path(i.path)) == i.modified_ns for i in remembered)
        return remembered if is_whole and any(i.python == _own() for i in remembered) else []


def downloadable() -> tuple[str, ...]:
    """The CPythons that uv knows how to download, newest first; uv answers from its own list, offline."""
    ending = run(
        Command(
            argv=(uv_program(), "python", "list", "--only-downloads", "--output-format", "json"),
            deadline_s=60,
        ),
    )
    try:
        entries = _listed(ending.output)
    except ValueError:
        return ()
    versions = {
        (entry["version_parts"]["major"], entry["version_parts"]["minor"])
        for entry in entries
        if entry["implementation"] == "cpython" and not set(entry["version"]) - set("0123456789.")
    }
    return tuple(f"{major}.{minor}" for major, minor in sorted(versions, reverse=True))


def _own() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def _find() -> list[Interpreter]:
    found = [interpreter for path in _candidates() if (interpreter := _ask(path))]
    versions = {i.path: tuple(int(number) for number in i.python.split(".")) for i in found}
    return sorted(
        (i for i in found if versions[i.path] >= OLDEST),
        key=lambda i: (i.python == _own(), versions[i.path]),
        reverse=True,
    )


def _candidates() -> list[Path]:
    """The interpreter of gilgrid, what uv finds, and pyenv's versions folder, where uv does not look."""
    ending = run(
        Command(
            argv=(uv_program(), "python", "list", "--only-installed", "--output-format", "json"),
            deadline_s=60,
        ),
    )
    try:
        listed = [Path(entry["path"]) for entry in _listed(ending.output) if entry["path"]]
    except ValueError:
        listed = []
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    pyenv = sorted(root.glob("versions/*/bin/python"), reverse=True)
    # A shim of pyenv stands for another interpreter depending on the folder that it is called from.
    return list(dict.fromkeys([_base(), *(p for p in listed if p.parent != root / "shims"), *pyenv]))


def _base() -> Path:
    return Path(getattr(sys, "_base_executable", sys.executable))


def _listed(output: str) -> list[dict[str, Any]]:
    """What ``uv python list`` says, less its warnings. Raises ``ValueError`` where it says nothing."""
    line = next((line for line in output.splitlines() if line.startswith("[")), "")
    found: list[dict[str, Any]] = json.loads(line)
    return found


def _ask(path: Path) -> Interpreter | None:
    modified_ns = _modified_ns(path)
    try:
        answer = subprocess.run(
            [path, "-I", "-c", _FACTS],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        facts = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None  # a broken interpreter is as good as none
    if facts.pop("implementation") != "CPython":
        return None
    return Interpreter(path=str(path), modified_ns=modified_ns, **facts)


def _modified_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _last_cause(output: str) -> str:
    causes = [line.strip() for line in output.splitlines() if line.strip()]
    return causes[-1].removeprefix("cause: ") if causes else ""
