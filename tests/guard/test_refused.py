"""What is still proven where the guard is refused to look, and what it says of that."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.guard.targets.build import UnavailableError, build
    from tests.guard.targets.catalogue import TARGETS
else:
    sys.path.insert(0, str(Path(__file__).with_name("targets")))
    from build import UnavailableError, build
    from catalogue import TARGETS

REFUSING = Path(__file__).with_name("targets") / "refusing.py"
DEADLINE_S = 30.0
SPIN_DEADLINE_S = 3.0
PERMIT = "--cap-add=SYS_PTRACE"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("built")


def watch(
    refused: str, name: str, folder: Path, result: Path, deadline_s: float = DEADLINE_S
) -> dict[str, Any]:
    """What gilgrid says of that target where that is refused to it."""
    target = TARGETS[name]
    if reason := target.unsuitable(sys.version_info[:2]):
        pytest.skip(reason)
    try:
        path = build(sys.executable, folder, target.needs)
    except UnavailableError as error:
        pytest.skip(str(error))
    return judge(refused, target.command(sys.executable), result, deadline_s, target.environment(path))


def judge(
    refused: str, command: list[str], result: Path, deadline_s: float, env: dict[str, str] | None = None
) -> dict[str, Any]:
    gilgrid = [
        sys.executable,
        "-m",
        "gilgrid.cli",
        "watch",
        f"--deadline={deadline_s}",
        "--json",
        str(result),
    ]
    subprocess.run(
        [sys.executable, str(REFUSING), refused, *gilgrid, "--", *command],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=2 * DEADLINE_S,
    )
    found = json.loads(result.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    "name",
    [
        "openmp-barrier-gnu-passive-4",
        "native-join-pthread",
        "native-mutex",
        "native-lock-order",
        "native-mutex-twice",
        "native-second-state",
        "processes-full-pipe",
        "processes-pipes",
    ],
)
def test_without_ptrace_proc_alone_proves_and_names(name: str, built: Path, tmp_path: Path) -> None:
    said = watch("ptrace", name, built, tmp_path / "result.json")
    assert (said["verdict"], said["cause"]) == ("deadlock", TARGETS[name].causes[0])
    assert PERMIT in said["not_permitted"]


@pytest.mark.parametrize(
    "name",
    [
        "native-condition",
        "native-static-init",
        "python-condition-unnotified",
        "python-lock-lost-in-fork",
        "python-lock-order",
        "processes-waitpid",
    ],
)
def test_without_ptrace_what_only_a_stack_could_tell_is_proven_and_has_no_cause(
    name: str, built: Path, tmp_path: Path
) -> None:
    said = watch("ptrace", name, built, tmp_path / "result.json")
    assert (said["verdict"], said["cause"]) == ("deadlock", None)
    assert "Operation not permitted" in said["not_permitted"]
    assert PERMIT in said["not_permitted"]


def test_without_ptrace_a_barrier_that_is_spun_at_comes_to_its_deadline(built: Path, tmp_path: Path) -> None:
    said = watch("ptrace", "openmp-barrier-gnu-active-2", built, tmp_path / "result.json", SPIN_DEADLINE_S)
    assert (said["verdict"], said["cause"]) == ("timeout", "spinning")
    assert PERMIT in said["not_permitted"]


@pytest.mark.parametrize("refused", ["ptrace", "capabilities"])
@pytest.mark.parametrize(
    "name",
    [
        "openmp-barrier-gnu-passive-4-fixed",
        "native-static-init-fixed",
        "processes-socket-pair-fixed",
        "signals-lock-by-alarm",
        "signals-lock-by-stranger",
    ],
)
def test_what_is_well_is_left_alone_whatever_is_refused(
    refused: str, name: str, built: Path, tmp_path: Path
) -> None:
    assert watch(refused, name, built, tmp_path / "result.json")["verdict"] == "ok"


@pytest.mark.parametrize(
    "name",
    [
        "openmp-barrier-gnu-passive-4",
        "openmp-barrier-gnu-active-2",
        "native-static-init",
        "python-lock-order",
        "processes-socket-pair",
    ],
)
def test_any_user_may_look_at_what_is_their_own(name: str, built: Path, tmp_path: Path) -> None:
    said = watch("capabilities", name, built, tmp_path / "result.json")
    assert (said["verdict"], said["cause"]) == ("deadlock", TARGETS[name].causes[0])
    assert said["not_permitted"] == ""


def test_of_what_hides_itself_only_the_deadline_is_left_and_why_is_said(tmp_path: Path) -> None:
    hides = (
        "import ctypes, threading\n"
        "assert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0\n"  # PR_SET_DUMPABLE
        "threading.Event().wait()\n"
    )
    command = [sys.executable, "-c", hides]
    said = judge("capabilities", command, tmp_path / "result.json", SPIN_DEADLINE_S)
    assert (said["verdict"], said["cause"]) == ("timeout", None)
    assert "/syscall: " in said["not_permitted"]  # and what the kernel says, which is not the same to all
    assert PERMIT in said["not_permitted"]
