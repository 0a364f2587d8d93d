"""The process above the supervisor: it proves deadlocks, and ends what a dead supervisor left.

Started by `gilgrid.guard.command`, once for each command. Above, not beside: where Yama restricts ptrace(2)
to descendants, this is who may look at the command; and a supervisor that the command kills is survived.
"""

from __future__ import annotations

import math
import os
import select
import signal
import time
from contextlib import suppress

from gilgrid.guard import handover, protocol
from gilgrid.guard.lookout import Lookout
from gilgrid.guard.observe.sample import Sampler
from gilgrid.guard.protocol import CLIENT, Channel
from gilgrid.guard.tree import Tree

_FIRST_SAMPLE_S = 0.1  # most commands that are well have ended by then
_AFTER_A_FAILURE_S = 1.0
_ORPHANED_S = 10.0  # so long a supervisor may take to end its tree when gilgrid has died
_IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP)  # a terminal's


def main() -> int:
    """Run the command that stdin tells of, under a supervisor; the exit code is the supervisor's."""
    spec = _receive()
    if spec is None:
        return 0  # gilgrid ended before it had said what to run
    gilgrid = _pidfd(spec["client"])
    if os.getppid() != spec["client"]:
        return 0  # it has just ended
    in_place = spec["handed"] is not None
    signal.pthread_sigmask(signal.SIG_SETMASK, handover.HELD_BACK if in_place else ())
    tree = Tree()
    if not in_place:
        for number in _IGNORED:
            signal.signal(number, signal.SIG_IGN)
    ours, theirs = Channel.pair()
    tree.root = os.fork()
    if tree.root == 0:
        from gilgrid.guard.watch import supervise  # noqa: PLC0415 - the supervisor's alone

        ours.close()
        supervise(spec, theirs, gilgrid)
        return 0
    theirs.close()
    if in_place:
        # Out of the command's process group and session, whose end it must survive. The supervisor remains:
        # with a parent in another group of its session no process group is orphaned (setpgid(2)).
        os.setsid()
        handover.remember_inherited()
    try:
        keep = _Keeper(spec, tree, ours, gilgrid).run()
    except BaseException:
        tree.end()
        raise  # the traceback is what gilgrid reads
    if not keep:
        tree.end()  # nothing is left, unless the supervisor was killed
    return os.waitstatus_to_exitcode(tree.root_status or 0) & 0xFF


def _receive() -> protocol.Message | None:
    line = bytearray()
    while not line.endswith(b"\n"):
        chunk = os.read(CLIENT, 1 << 20)
        if not chunk:
            return None
        line += chunk
    return protocol.decode(line)


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None  # it has ended, or Linux is older than 5.3


class _Keeper:
    """Keeps a supervisor company until it has ended."""

    def __init__(self, spec: protocol.Message, tree: Tree, channel: Channel, gilgrid: int | None) -> None:
        self._spec = spec
        self._tree = tree
        self._channel = channel
        self._sampler = Sampler(tree.root or 0)
        self._lookout = Lookout(
            self._sampler,
            protocol.raw(spec["packages"]),
            on_suspicion=lambda: self._channel.say({"suspects": True}),
        )
        self._next = math.inf
        self._keep = False
        self._told_quiet = False
        self._heard_all = False
        self._poll = select.poll()
        self._on = {tree.changes: tree.reap, channel.inward: self._hear}
        if gilgrid is not None:
            self._on[gilgrid] = self._miss_client
        for fd in self._on:
            self._poll.register(fd, select.POLLIN)
        self._gilgrid = gilgrid

    def run(self) -> bool:
        """Until the supervisor has ended; whether what is left of its tree shall live on."""
        while self._tree.root_status is None:
            left_s = max(0.0, self._next - time.monotonic())
            for fd, _ in self._poll.poll(None if left_s == math.inf else math.ceil(1000 * left_s)):
                self._on[fd]()
            if time.monotonic() >= self._next:
                try:
                    self._look()
                except OSError:  # a machine that is out of files or memory; the command is none the worse
                    self._next = time.monotonic() + _AFTER_A_FAILURE_S
        # Its last words may have come after the last look at the channel.
        while not self._heard_all and select.select([self._channel.inward], [], [], 0)[0]:
            self._hear()
        return self._keep

    def _look(self) -> None:
        before = self._lookout.looks
        evidence = self._lookout.look()
        if self._lookout.looks != before:
            self._say_how_often()
        self._next = self._lookout.next
        if self._sampler.is_quiet != self._told_quiet:
            self._told_quiet = not self._told_quiet
            self._channel.say({"quiet": self._told_quiet})
        if evidence is not None:
            self._channel.say({"deadlock": evidence.to_json()})
            self._next = math.inf

    def _say_last_words(self) -> None:
        evidence = self._lookout.last_words()
        self._say_how_often()
        self._channel.say({"deadlock" if evidence.is_proof else "seen": evidence.to_json()})

    def _say_how_often(self) -> None:
        self._channel.say({"looks": self._lookout.looks, "stops": self._lookout.stops})

    def _hear(self) -> None:
        for message in self._channel.hear():
            if "root" in message and self._spec["prove"]:
                self._lookout.command = message["root"]
                self._lookout.begin()
                self._next = time.monotonic() + _FIRST_SAMPLE_S
            elif "keep" in message:
                self._keep = True
            elif "why" in message:
                with suppress(OSError):  # as above; the supervisor does not wait for long
                    self._say_last_words()
                self._next = math.inf
        if self._channel.ended:
            self._heard_all = True
            self._poll.unregister(self._channel.inward)
            self._next = math.inf

    def _miss_client(self) -> None:
        # The supervisor has seen it as well, and ends its tree. It may have been stopped by that tree.
        self._poll.unregister(self._gilgrid or 0)
        until = time.monotonic() + _ORPHANED_S
        while self._tree.root_status is None and time.monotonic() < until:
            select.select([self._tree.changes], [], [], 0.1)
            self._tree.reap()
        if self._tree.root_status is None:
            with suppress(ProcessLookupError):
                os.kill(self._tree.root or 0, signal.SIGKILL)
