"""Every hang is proven and its cause named; its twin, and all that only looks like one, is left alone."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gilgrid.evidence import Evidence
from gilgrid.guard import Command, End, Ending, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from tests.guard.targets.build import UnavailableError, build
    from tests.guard.targets.catalogue import TARGETS, Target
else:
    sys.path.insert(0, str(Path(__file__).with_name("targets")))
    from build import UnavailableError, build
    from catalogue import TARGETS

DEADLINE_S = 120.0  # of what is to be proven, and of what ends by itself after some seconds
SPIN_DEADLINE_S = 3.0  # of what is to reach it
AT_ONCE = 2 * (os.cpu_count() or 1)  # most only wait; and no proof may depend on a machine at rest
BUILDING = threading.Lock()
VERSION = sys.version_info[:2]
# What is fed through its standard input needs gilgrid watch: tests/guard/targets/table.py has it too.
SUITABLE = [
    name for name, target in TARGETS.items() if not target.unsuitable(VERSION) and target.fed_after_s is None
]


@pytest.fixture(scope="module")
def endings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Ending]]]:
    """The ending of each target that is asked for; they run beside each other from the start."""
    mine = [item for item in request.session.items if item.path == request.path]
    names = [str(item.callspec.params["name"]) for item in mine if isinstance(item, pytest.Function)]
    folder = tmp_path_factory.mktemp("built")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(ending_of, TARGETS[name], folder) for name in names}
        pool.shutdown(cancel_futures=True)


def ending_of(target: Target, folder: Path) -> Ending:
    with BUILDING:  # a library that is built anew is another file than the one that is already loaded
        path = build(sys.executable, folder, target.needs)
    return run(
        Command(
            argv=tuple(target.command(sys.executable)),
            env=target.environment(path),
            deadline_s=SPIN_DEADLINE_S if target.verdict == "timeout" else DEADLINE_S,
            prove=True,
        )
    )


@pytest.mark.parametrize("name", SUITABLE)
def test_it_is_called_what_it_is(endings: dict[str, Future[Ending]], name: str) -> None:
    target = TARGETS[name]
    try:
        ending = endings[name].result()
    except UnavailableError as error:
        pytest.skip(str(error))
    evidence = Evidence.from_json(ending.evidence) if ending.evidence else Evidence()
    told = f"{ending.end}, {evidence.cause}\n{evidence}\n{ending.output}{ending.detail}"
    match target.verdict:
        case "ok":
            assert (ending.end, ending.exit_code) == (End.EXITED, 0), told
            assert ending.output.rstrip().endswith(target.prints), told
        case "deadlock":
            assert ending.end is End.DEADLOCK, told
            assert evidence.cause in target.causes, told
        case _:
            assert ending.end is End.DEADLINE, told
            assert not target.causes or evidence.cause in target.causes, told
