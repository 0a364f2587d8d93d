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
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from gilgrid.guard.marks import Mark, Marks
from gilgrid.guard.relay import Relay
from gilgrid.suite import coverage
from gilgrid.suite.journal import Found, Journal
from gilgrid.suite.stages import Stage

if TYPE_CHECKING:
    from typing import NoReturn

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_ENDED_BY_OTHERS = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM}
_STOPS = {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCONT}
_suites: set[int] = set()
_FAILED = 1  # pytest.ExitCode.TESTS_FAILED
_INTERNAL_ERROR = 3


_TO_ALL_S = 0.01  # a signal to a process group reaches all of it within microseconds
_NOTHING = Mark(0, 0, 0, 0.0, 0.0, 0.0)


class Generation(NamedTuple):
    """What a process that runs the suite, or the rest of it, is given."""

    marks: Marks
    journal: Journal
    files: int
    """A pipe to say which files hold what pytest has captured."""
    crash: int
    """A file for what faulthandler says."""


class _End(NamedTuple):
    """How a process ended: by itself, or ended by the sidecar for what it hung in."""

    mark: Mark
    found: Found | None
    code: int
    """As subprocess has it: -N where signal N ended it."""


def take_over() -> Generation:
    """Have the suite run in a process of its own, here: returns in that process, and in each that follows it.

    The process that has called it ends as the last of them does.
    """
    coverage.begin()
    gc.freeze()  # else each look for garbage copies what the processes share: the modules of pytest
    journal = Journal()
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    while True:
        now = _run(journal, blocked)
        if isinstance(now, Generation):
            return now
        if not _goes_on(journal, now):
            _end_as(now)


def has_taken_over() -> bool:
    """Whether this process is one of a suite, as where a test runs another suite within it."""
    return os.getpid() in _suites


def _run(journal: Journal, blocked: Any) -> Generation | _End:
    """Fork; the one or the other, by which process it is."""
    marks = Marks()
    marks.set(Stage.STARTING)
    crash = os.memfd_create("gilgrid-crash", os.MFD_CLOEXEC)
    told, tells = os.pipe2(os.O_CLOEXEC)
    first = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    sidecar = os.fork()
    if sidecar:
        os.close(tells)
        os.close(crash)
        return _wait(sidecar, told, blocked)
    os.close(told)
    named, names = os.pipe2(os.O_CLOEXEC)
    try:
        keeper = os.getpid()
        suite = os.fork()
        if not suite:
            os.close(tells)
            os.close(named)
            _die_with(keeper)
            _suites.add(os.getpid())
            coverage.go_on()
            return Generation(marks, journal, names, crash)
    except OSError:  # there can be no further process
        os._exit(_INTERNAL_ERROR)
    os.close(names)
    code = _INTERNAL_ERROR
    try:
        os.write(tells, suite.to_bytes(4, "little"))
        from gilgrid.suite.beside import keep  # noqa: PLC0415 - only here, where no test will be run

        with os.fdopen(tells, "wb") as answer:
            pickle.dump(_End(*keep(suite, first, marks, named, crash)), answer, 5)
        code = 0
    except BaseException:  # noqa: BLE001 - there must be no second pytest
        sys.excepthook(*sys.exc_info())
        with suppress(OSError):
            sys.stderr.flush()
    finally:
        os._exit(code)


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(_INTERNAL_ERROR)


def _wait(sidecar: int, told: int, blocked: Any) -> _End:
    """Wait for both, and pass on to the suite what signals come to this process alone."""
    relay = Relay()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)  # a terminal stops all of the process group
    heard: set[int] = set()
    said = bytearray()
    try:
        suite = int.from_bytes(os.read(told, 4), "little")
        poll = select.poll()
        poll.register(relay.fd, select.POLLIN)
        poll.register(told, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if relay.fd in ready:
                for message in relay.signals():
                    heard.add(message["signal"])
                    if message["sender"] and not _came_to_all(sidecar, message["signal"]):
                        with suppress(ProcessLookupError):
                            os.kill(suite, message["signal"])
            if told in ready:
                chunk = os.read(told, 1 << 16)
                if not chunk:
                    break
                said += chunk
    finally:
        os.close(told)
        relay.close()
        os.waitpid(sidecar, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    if not said:
        return _End(_NOTHING, None, _INTERNAL_ERROR)  # the sidecar has said why
    end: _End = pickle.loads(said)  # noqa: S301 - our own
    if end.found and -end.code in heard & _ENDED_BY_OTHERS:
        return end._replace(found=None)  # it was to end
    return end


def _came_to_all(witness: int, number: int) -> bool:
    """Whether a signal was sent to the whole process group: the sidecar, which holds it back, has it too."""
    time.sleep(_TO_ALL_S)
    with suppress(OSError), open(f"/proc/{witness}/status", encoding="ascii") as status:  # noqa: PTH123
        for row in status:
            if row.startswith("ShdPnd:"):
                return bool(int(row.split()[1], 16) >> (number - 1) & 1)
    return False


def _goes_on(journal: Journal, end: _End) -> bool:
    """Whether another process is to run the rest, and tell what has been found."""
    found = end.found
    if found is None:
        return False
    before = journal.past()
    found.collecting = before.collecting if found.stage == Stage.COLLECTING else ""
    place = found.stage, found.item, found.phase, found.collecting
    known = {(one.stage, one.item, one.phase, one.collecting) for one in before.found}
    if found.stage not in {Stage.TESTING, Stage.COLLECTING} or place in known:
        where = f"{Stage(found.stage).name_for_people} {found.collecting}".rstrip()
        sys.stderr.write(f"\ngilgrid: {found.verdict} while {where}: {found.reason}\n\n{found.told}\n")
        sys.stderr.flush()
        return False
    journal.write("found", found)
    return True


def _end_as(end: _End) -> NoReturn:
    """End as the process did that ran the last tests."""
    if end.found is not None:
        os._exit(max(end.mark.item, _FAILED) if end.mark.stage == Stage.ENDING else _INTERNAL_ERROR)
    if end.code >= 0:
        os._exit(end.code)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it has left one itself
    signal.signal(-end.code, signal.SIG_DFL)
    os.kill(os.getpid(), -end.code)
    os._exit(128 - end.code)
