"""Records a target as a picture for the tests of the proof: `python tests/guard/targets/record.py --help`.

The target runs in a session of its own until its tree is quiet. What it is then at is written as JSON, with
all that tells of this machine, this user and this run left out: processes are 100, 200 and so on, the threads
of 100 are 100, 101 and so on, and what the rules never read is not written.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilgrid.evidence import Frame
from gilgrid.guard.observe.collect import collect
from gilgrid.guard.observe.descriptors import links
from gilgrid.guard.observe.sample import Sampler
from gilgrid.guard.observe.stacks import NoStacksError, stacks
from gilgrid.guard.observe.verify import verified
from gilgrid.guard.proof.picture import Channel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.guard.targets.build import build, version
    from tests.guard.targets.catalogue import TARGETS, Target

    from gilgrid.guard.proof.picture import Call, File, Futex, Picture, Process
    from gilgrid.guard.proof.stack import Stack
else:
    from build import build, version
    from catalogue import TARGETS

SAMPLE_S = 0.05
STILL_S = 0.5  # for so long it must have been worth a look
MOST_FRAMES = 20
COLUMNS = 110
STANDARD_LIBRARY = re.compile(r".*/lib/(python\d\.\d+/)((?!site-packages|dist-packages).*)")
INTERPRETER = re.compile(r"libpython\d|python[\d.]*$")
# Of the interpreter's own frames, the ways into its locks; all others are how Python calls Python.
TELLING = re.compile(
    r"take_gil|Py(GILState|Thread|Eval_[RA])|acquire_timed|Py_Final|wait_for_thread|PyImport_"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("target", choices=TARGETS, metavar="TARGET")
    parser.add_argument("file", type=Path, help="where to write the picture")
    parser.add_argument("--python", default=sys.executable, help="the Python that runs the target")
    parser.add_argument("--patience", type=float, default=3.0, help="seconds for a tree to become quiet")
    asked = parser.parse_args()
    # What is started in the background has SIGINT ignored; with a handler here, execve(2) gives the default.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    recorded = record(TARGETS[asked.target], asked.python, asked.patience)
    asked.file.write_text(pretty(recorded) + "\n", encoding="utf-8")


def record(target: Target, python: str, patience_s: float) -> dict[str, Any]:
    """Return the picture of a target and its stacks, as JSON can carry them."""
    paths = build(python, Path(tempfile.gettempdir(), "gilgrid-targets"), target.needs)
    env = {**os.environ, **target.env, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    with subprocess.Popen(
        target.command(python),
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as command:
        sampler = Sampler(os.getpid())
        try:
            wait_until_quiet(sampler, patience_s)
            outside = {name for _, name in links(os.getpid())}
            picture = collect(sampler.pids, command.pid, sampler.pollers, outside)
            picture = verified(picture, {thread.tid for _, thread in picture.threads()})
            found: dict[int, Stack] = {}
            for pid in picture.processes:
                with suppress(NoStacksError):
                    found |= stacks(pid)
        finally:
            for pid in reversed(sampler.pids or [command.pid]):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    major, minor = version(python)
    return {"target": target.name, "by": f"CPython {major}.{minor}"} | Plain(picture).of(picture, found)


def wait_until_quiet(sampler: Sampler, patience_s: float) -> None:
    end = time.monotonic() + patience_s
    since = time.monotonic()
    while time.monotonic() < min(end, since + STILL_S):
        sampler.walk()
        sampler.sample()
        if not sampler.is_worth_a_look:
            since = time.monotonic()
        time.sleep(SAMPLE_S)


class Plain:
    """A picture without what is of this machine and this run."""

    def __init__(self, picture: Picture) -> None:
        self._tids = {0: 0}
        for number, process in enumerate(picture.processes.values(), 1):
            self._tids[process.pid] = 100 * number
            others = sorted(process.tids - {process.pid})
            self._tids |= {tid: 100 * number + 1 + index for index, tid in enumerate(others)}
        self._identities: dict[str, str] = {"": "", "?": "?"}

    def of(self, picture: Picture, stacks: dict[int, Stack]) -> dict[str, Any]:
        """Return it, processes first."""
        return {
            "root": self._tids[picture.root],
            "processes": [self._process(process) for process in picture.processes.values()],
            "stacks": {
                str(self._tids[tid]): {
                    "python": [self._frame(frame) for frame in stack.python[:MOST_FRAMES]],
                    "native": [self._frame(frame) for frame in telling(stack.native)],
                }
                for tid, stack in sorted(stacks.items())
                if tid in self._tids
            },
        }

    def _process(self, process: Process) -> dict[str, Any]:
        waited_on = {
            fd
            for thread in process.threads
            if thread.call
            for fd in (*thread.call.reads, *thread.call.writes)
        }
        return without_defaults(process) | {
            "pid": self._tids[process.pid],
            "parent": self._tids.get(process.parent, 1),
            "threads": [
                without_defaults(thread)
                | {"tid": self._tids[thread.tid], "call": thread.call and self._call(thread.call)}
                for thread in sorted(process.threads, key=lambda thread: self._tids[thread.tid])
            ],
            "files": {
                str(fd): self._file(file)
                for fd, file in sorted(process.files.items())
                if file.channel is not Channel.OTHER or fd in waited_on
            },
            "mapped": sorted(map(self._identity, process.mapped)),
            "memory": self._tids.get(process.memory, 0),
        }

    def _call(self, call: Call) -> dict[str, Any]:
        found = without_defaults(replace(call, stack=0, code=0, futex=None, library=library(call.library)))
        if call.who and call.who > 0:
            found["who"] = self._tids.get(call.who, 1)
        if call.futex:
            found["futex"] = self._futex(call.futex)
        return found

    def _futex(self, futex: Futex) -> dict[str, Any]:
        found = without_defaults(replace(futex, shared=self._identity(futex.shared)))
        if futex.owner:
            found["owner"] = self._tids[futex.owner]
            if not futex.is_mutex:  # the word is the id of the thread that is joined
                found["expected"] = found["word"] = found["owner"]
        if futex.gil:
            found["gil"] = {"holder": futex.gil.holder and self._tids[futex.gil.holder], "switches": 1}
        return found

    def _file(self, file: File) -> dict[str, Any]:
        pid = self._tids.get(file.pid, 1)
        identity, peer = self._identity(file.identity), self._identity(file.peer)
        return without_defaults(replace(file, identity=identity, peer=peer, pid=pid))

    def _frame(self, frame: Frame) -> dict[str, Any]:
        if frame.library:
            return without_defaults(Frame(function=frame.function, library=library(frame.library)))
        if not frame.file.startswith("/"):
            return without_defaults(frame)
        standard = STANDARD_LIBRARY.match(frame.file)
        file = f"/usr/lib/{standard[1]}{standard[2]}" if standard else f"/project/{Path(frame.file).name}"
        return without_defaults(replace(frame, file=file))

    def _identity(self, identity: str) -> str:
        kind = identity.partition(":[")[0] if ":[" in identity else "memory"
        return self._identities.setdefault(identity, f"{kind}:[{len(self._identities) - 1}]")


def pretty(value: Any, indent: str = "") -> str:
    """Return JSON that has on one line what fits there."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent + line) <= COLUMNS or not isinstance(value, (dict, list)):
        return line
    deeper = indent + " "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {pretty(part, deeper)}" for key, part in value.items()]
    else:
        parts = [pretty(part, deeper) for part in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return "\n".join([opening, ",\n".join(deeper + part for part in parts), indent + closing])


def library(path: str) -> str:
    """Return the path with its name only; the rules look at nothing else."""
    return f"/usr/lib/{Path(path).name}" if path.startswith("/") else path


def telling(frames: Sequence[Frame]) -> Iterator[Frame]:
    """The frames but for those that only say how Python calls Python; and the outermost."""
    is_silent = False
    for index, frame in enumerate(frames):
        was_silent, is_silent = is_silent, is_like_any_other(frame)
        is_outermost = index == len(frames) - 1
        if is_outermost or (index < MOST_FRAMES and not (was_silent and is_silent)):
            yield frame


def is_like_any_other(frame: Frame) -> bool:
    name = frame.library.rpartition("/")[2]
    return bool(INTERPRETER.match(name)) and not TELLING.match(frame.function)


def without_defaults(thing: Any) -> dict[str, Any]:
    """Return a dataclass as a dictionary of what differs from its defaults."""
    return {
        field.name: plain(value)
        for field in fields(thing)
        if (value := getattr(thing, field.name)) != default_of(field)
    }


def plain(thing: Any) -> Any:
    """Return it as JSON can carry it."""
    if isinstance(thing, (frozenset, set)):
        return sorted(thing)
    if isinstance(thing, (tuple, list)):
        return [plain(part) for part in thing]
    if isinstance(thing, Enum):
        return thing.value
    return without_defaults(thing) if is_dataclass(thing) else thing


def default_of(field: Any) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


if __name__ == "__main__":
    main()
