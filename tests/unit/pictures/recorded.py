"""Pictures of real processes, as tests/guard/targets/record.py has written them beside this file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilgrid.evidence import Frame
from gilgrid.guard.proof.picture import Call, Channel, File, Futex, Gil, Picture, Process, Thread
from gilgrid.guard.proof.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gilgrid.guard.proof.waits import Stacks

FOLDER = Path(__file__).parent


def names() -> set[str]:
    return {file.stem for file in FOLDER.glob("*.json")}


def load(name: str) -> tuple[Picture, Stacks]:
    """A picture, and the stacks that were taken with it."""
    content = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    processes = [_process(**process) for process in content["processes"]]
    picture = Picture(root=content["root"], processes={process.pid: process for process in processes})
    stacks = {
        int(tid): Stack(**{side: tuple(Frame(**frame) for frame in stack[side]) for side in stack})
        for tid, stack in content["stacks"].items()
    }
    return picture, stacks


def _process(
    *,
    threads: list[dict[str, Any]],
    files: Mapping[str, dict[str, Any]] | None = None,
    handled: tuple[int, ...] = (),
    mapped: tuple[str, ...] = (),
    **facts: Any,
) -> Process:
    return Process(
        **facts,
        threads=tuple(_thread(**thread) for thread in threads),
        files={int(fd): _file(**file) for fd, file in (files or {}).items()},
        handled=frozenset(handled),
        mapped=frozenset(mapped),
    )


def _thread(*, call: dict[str, Any] | None, **facts: Any) -> Thread:
    return Thread(**facts, call=_call(**call) if call else None)


def _call(
    *,
    futex: dict[str, Any] | None = None,
    reads: tuple[int, ...] = (),
    writes: tuple[int, ...] = (),
    **facts: Any,
) -> Call:
    return Call(**facts, futex=_futex(**futex) if futex else None, reads=tuple(reads), writes=tuple(writes))


def _futex(*, gil: dict[str, Any] | None = None, **facts: Any) -> Futex:
    return Futex(**facts, gil=Gil(**gil) if gil else None)


def _file(*, channel: str, **facts: Any) -> File:
    return File(channel=Channel(channel), **facts)
