"""The processes around a suite: the one that was started, which waits, a sidecar, and the one that tests.

The first forks before any conftest is imported, and again after each hang: the rest of the suite then runs in
a process that is as fresh as the one before it was, and costs no second start of Python and pytest.
"""

from __future__ import annotations

import ctypes
import gc
import os
import pickle
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from gilgrid.guard.marks import Mark, Marks
from gilgrid.guard.relay import Relay
from gilgrid.suite import coverage, descriptors
from gilgrid.suite.journal import Found, Journal
from gilgrid.suite.off import take
from gilgrid.suite.stages import Stage

if TYPE_CHECKING:
    from typing import NoReturn

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_ENDED_BY_OTHERS = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM}
_ENDS_AT_ONCE = _ENDED_BY_OTHERS - {signal.SIGINT}
"""Pytest answers none of these with a report."""
_STOPS = {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCONT}
_FAILED = 1  # pytest.ExitCode.TESTS_FAILED
_INTERNAL_ERROR = 3
_TO_ALL_S = 0.01  # a signal to a process group reaches all of it within microseconds
_NOTHING = Mark(0, 0, 0, 0.0, 0.0, 0.0)
_TAKEN_IN = {Stage.COLLECTING, Stage.TESTING, Stage.BETWEEN, Stage.FINISHING}
"""Where another process can tell what was found, and go on."""


class Generation(NamedTuple):
    """What a process that runs the suite, or the rest of it, is given."""

    marks: Marks
    journal: Journal
    tells: int
    """The pipe of `marking.tell_sidecar`."""
    crash: int
    """A file for what faulthandler says."""
    folder: str
    """Where the sidecars of workers say what they have found."""


class _End(NamedTuple):
    """How a process ended: by itself, or ended by the sidecar for what it hung in."""

    mark: Mark
    found: Found | None
    code: int
    """As subprocess has it: -N where signal N ended it."""
    heard: frozenset[int] = frozenset()
    """The signals that came to the first process meanwhile."""


class _Suite:
    """What all generations have in common."""

    def __init__(self, *, has_workers: bool) -> None:
        self.has_workers = has_workers
        self.journal = Journal(descriptors.memory("gilgrid-journal"))
        self.folder = tempfile.mkdtemp(prefix="gilgrid-") if has_workers else ""
        self.blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def clear(self) -> None:
        """Leave nothing behind. The sidecar does it as well, which may outlive the first process."""
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def take_over(*, has_workers: bool) -> Generation:
    """Have the suite run in a process of its own, here: returns in that process, and in each that follows it.

    The process that has called it ends as the last of them does. With workers the suite itself is in these.
    """
    coverage.begin()
    gc.freeze()  # else each look for garbage copies what the processes share: the modules of pytest
    suite = _Suite(has_workers=has_workers)
    while True:
        now = _run(suite)
        if isinstance(now, Generation):
            return now
        if not _goes_on(suite, now):
            suite.clear()
            _end_as(now)


def _run(suite: _Suite) -> Generation | _End:
    """Fork; the one or the other, by which process it is."""
    marks = Marks()
    marks.set(Stage.STARTING)
    crash = descriptors.memory("gilgrid-crash")
    told, tells = descriptors.pipe()
    first = os.getpid()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    sidecar = os.fork()
    if sidecar:
        os.close(tells)
        os.close(crash)
        return _wait(sidecar, told, suite)
    os.close(told)
    keeper = os.getpid()
    try:
        heard, says = descriptors.pipe()
        child = os.fork()
    except OSError as error:
        _say(f"no process can be started for the suite: {error}")
        os._exit(_INTERNAL_ERROR)
    if child:
        os.close(says)
        _keep(suite, tells, (child, first, marks, heard, crash))
    os.close(tells)
    os.close(heard)
    _die_with(keeper)
    take()
    coverage.go_on()
    return Generation(marks, suite.journal, says, crash, suite.folder)


def _keep(suite: _Suite, tells: int, watched: tuple[int, int, Marks, int, int]) -> NoReturn:
    """Be the sidecar, and tell the first process how the child has ended."""
    code = _INTERNAL_ERROR
    child, *_ = watched
    try:
        os.write(tells, child.to_bytes(4, "little"))
        from gilgrid.suite.beside import keep  # noqa: PLC0415 - only here, where no test will be run

        end = _End(*keep(*watched))
        with suppress(BrokenPipeError), os.fdopen(tells, "wb") as answer:  # nobody may be left to hear it
            pickle.dump(end, answer, 5)
        code = 0
    except BaseException:  # noqa: BLE001 - there must be no second pytest
        sys.excepthook(*sys.exc_info())
        with suppress(OSError, AttributeError):
            sys.stderr.flush()
    finally:
        suite.clear()
        os._exit(code)


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(_INTERNAL_ERROR)


def _wait(sidecar: int, told: int, suite: _Suite) -> _End:
    """Wait for both, and pass on to the suite what signals come to this process alone."""
    relay = Relay()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)  # a terminal stops all of the process group
    heard: set[int] = set()
    said = bytearray()
    try:
        child = int.from_bytes(os.read(told, 4), "little")  # 0 where there is none
        poll = select.poll()
        poll.register(relay.fd, select.POLLIN)
        poll.register(told, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if relay.fd in ready:
                for message in relay.signals():
                    heard.add(message["signal"])
                    if child and message["sender"] and not _came_to_all(sidecar, message["signal"]):
                        with suppress(ProcessLookupError):
                            os.kill(child, message["signal"])
            if told in ready:
                chunk = os.read(told, 1 << 16)
                if not chunk:
                    break
                said += chunk
    finally:
        os.close(told)
        relay.close()
        os.waitpid(sidecar, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, suite.blocked)
    if not said:
        _say("the process beside the suite has ended, and the suite with it: nothing is known of its tests")
        return _End(_NOTHING, None, _INTERNAL_ERROR)
    end: _End = pickle.loads(said)  # noqa: S301 - our own
    if end.found and -end.code in heard & _ENDED_BY_OTHERS:
        return end._replace(found=None)  # it was to end
    return end._replace(heard=frozenset(heard))


def _came_to_all(witness: int, number: int) -> bool:
    """Whether a signal was sent to the whole process group: the sidecar, which holds it back, has it too."""
    time.sleep(_TO_ALL_S)
    with suppress(OSError), open(f"/proc/{witness}/status", encoding="ascii") as status:  # noqa: PTH123
        for row in status:
            if row.startswith("ShdPnd:"):
                return bool(int(row.split()[1], 16) >> (number - 1) & 1)
    return False


def _goes_on(suite: _Suite, end: _End) -> bool:
    """Whether another process is to run the rest, and tell what has been found."""
    found = end.found
    if found is None:
        return False
    past = suite.journal.past()
    if found.stage == Stage.COLLECTING:
        found = replace(found, collecting=past.collecting)
    is_known = found.place in {one.place for one in past.found}
    if suite.has_workers or found.stage not in _TAKEN_IN or is_known or end.heard & _ENDS_AT_ONCE:
        _say(f"{found.sentence}\n\n{found.told}")
        return False
    suite.journal.write("found", found)
    if found not in suite.journal.past().found:  # there is no room: the next process would run into the same
        _say(f"what has ended cannot be kept\n\n{found.sentence}\n\n{found.told}")
        return False
    if signal.SIGINT in end.heard:
        suite.journal.write("interrupted_by", int(signal.SIGINT))
    return True


def _say(text: str) -> None:
    with suppress(OSError, AttributeError):  # closed, or not there at all
        sys.stderr.write(f"\ngilgrid: {text}\n")
        sys.stderr.flush()


def _end_as(end: _End) -> NoReturn:
    """End as the process did that ran the last tests."""
    by_others = end.heard & _ENDS_AT_ONCE if end.found else ()
    code = -min(by_others) if by_others else end.code
    if end.found is not None and not by_others:
        os._exit(max(end.mark.item, _FAILED) if end.mark.stage == Stage.ENDING else _INTERNAL_ERROR)
    if code >= 0:
        os._exit(code)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it has left one itself
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    os._exit(128 - code)
