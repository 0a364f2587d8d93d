"""The supervisor: runs one command, drains it, ends all of it and reports. One process for each command.

A command in gilgrid's place is not drained: there it follows and passes on what happens between the two.

A child of its keeper, `gilgrid.guard.keeper`, which looks at the command meanwhile.
"""

from __future__ import annotations

import fcntl
import math
import os
import resource
import select
import signal
import time
from contextlib import suppress

from gilgrid.guard import handover, protocol
from gilgrid.guard.launch import launch
from gilgrid.guard.output import Output
from gilgrid.guard.protocol import CLIENT, End
from gilgrid.guard.tree import Process, Tree, look

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gilgrid.guard.protocol import Channel

_READ_BYTES = 64 * 1024
# What outlives the root gets so long to end by itself, as multiprocessing's resource tracker does
# milliseconds after its interpreter, before it counts as left behind.
_LINGER_S = 0.25
_LAST_WORDS_S = 10.0  # so long the keeper may take, at the deadline, to say what it sees
_STOPS = {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
_LONGEST_WAIT_S = 3600.0  # poll(2) counts milliseconds in an int


def supervise(spec: protocol.Message, keeper: Channel, gilgrid: int | None) -> None:
    """Run the command of `spec` to its end or to the end of gilgrid, and tell gilgrid how it ended."""
    tree = Tree()
    try:
        report = _Watch(spec, tree, keeper, gilgrid).run()
    except BaseException:
        tree.end()
        raise  # the traceback is what gilgrid reads in place of a report
    if report is not None:
        _send(report)


def _send(message: protocol.Message) -> None:
    line = memoryview(protocol.encode(message))
    with suppress(ConnectionError):  # nobody is there to be told
        while line:
            line = line[os.write(CLIENT, line) :]


class _Watch:
    """One command on its way from launch to report."""

    def __init__(self, spec: protocol.Message, tree: Tree, keeper: Channel, gilgrid: int | None) -> None:
        self._tree = tree
        self._end: End | None = None
        self._detail = ""
        self._gilgrid_lives = True
        self._keeper = keeper
        self._proves: bool = spec["prove"]
        self._keeps: bool = spec["keep"]
        self._evidence: protocol.Message | None = None
        self._looked: protocol.Message = {}
        self._output = Output(spec["output_limit_bytes"])
        self._buffer = memoryview(bytearray(_READ_BYTES))
        self._in_place: bool = spec["handed"] is not None
        self._client: int = spec["client"]
        self._pidfd = gilgrid
        self._heard = bytearray()
        self._is_stopped = False
        self._stops = 0  # so far
        if not self._in_place:
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self._hear_signal)

        self._started = time.monotonic()
        self._child = launch(spec)
        tree.root = self._child.pid
        if self._in_place:
            handover.let_go_of_inherited()
            for number in signal.sigpending():  # what came to all of the process group before it was there
                os.kill(self._child.pid, number)
        self._root_ended: float | None = None
        self._code = 0  # of the root, once it has ended; -N where signal N ended it
        self._any_left = True
        self._deadline = math.inf if spec["deadline_s"] is None else self._started + spec["deadline_s"]
        self._past = math.inf  # the deadline, once it has passed
        self._give_up_on_keeper = math.inf  # once it has been asked for its last words

        self._poll = select.poll()
        self._on: dict[int, Callable[[], object]] = {
            tree.changes: self._reap,
            CLIENT: self._hear_client,
            keeper.inward: self._hear_keeper,
        }
        if self._child.output is not None:
            self._on[self._child.output] = self._drain
        if gilgrid is not None:
            # Besides the lifeline: a fork of gilgrid that it knows nothing of may hold that open.
            self._on[gilgrid] = self._miss_client
        for fd in self._on:
            self._poll.register(fd, select.POLLIN)

    def run(self) -> protocol.Message | None:
        """Watch the command to its end, then end its tree; the report, if anybody is there to read it."""
        root = look(self._child.pid)
        started = {"root": self._child.pid, "since": root.since if root else 0}
        _send(started)
        self._keeper.say(started)
        while self._end is None:
            for fd, _ in self._poll.poll(self._patience_ms()):
                self._on[fd]()
            self._judge(time.monotonic())
        now = time.monotonic()
        seconds = (self._root_ended or min(now, self._past)) - self._started
        ended: list[Process] = []
        if self._lives_on():
            self._keeper.say({"keep": True})
            survivors = [process for process in self._tree.processes() if not process.dead]
        else:
            ended, survivors = self._tree.end()
        self._drain_rest()
        if self._is_stopped:  # what it waited for has ended
            self._signal_gilgrid(signal.SIGCONT)
        return self._report(seconds, ended, survivors) if self._gilgrid_lives else None

    def _lives_on(self) -> bool:
        """Whether what is left of the tree is none of the guard's business."""
        if self._end in (End.DEADLOCK, End.DEADLINE):
            return self._keeps
        return self._in_place and self._end in (End.EXITED, End.SIGNALLED)

    def _patience_ms(self) -> int | None:
        """Until when nothing but an event is of interest."""
        until = min(self._deadline, self._give_up_on_keeper)
        if self._root_ended is not None:
            until = self._root_ended + _LINGER_S
        if until == math.inf:
            return None
        return math.ceil(1000 * min(max(0.0, until - time.monotonic()), _LONGEST_WAIT_S))

    def _judge(self, now: float) -> None:
        if self._root_ended is not None:
            if self._in_place or not self._any_left or now >= self._root_ended + _LINGER_S:
                self._decide(*self._how_root_ended())
        elif now >= self._give_up_on_keeper:
            self._decide(End.DEADLINE)
        elif now >= self._deadline:
            self._deadline_passed(now)

    def _deadline_passed(self, now: float) -> None:
        if not self._proves:
            self._decide(End.DEADLINE)
            return
        # What it is at, and what was not permitted, is worth a moment: nothing of it is late by that.
        self._keeper.say({"why": True})
        self._give_up_on_keeper = now + _LAST_WORDS_S
        self._past, self._deadline = self._deadline, math.inf

    def _decide(self, end: End, detail: str = "") -> None:
        if self._end is None:
            self._end, self._detail = end, detail

    def _how_root_ended(self) -> tuple[End, str]:
        reason = self._child.why_not_started()
        if reason:
            return End.NOT_FOUND, reason
        return (End.SIGNALLED if self._code < 0 else End.EXITED), ""

    def _reap(self) -> None:
        self._any_left = self._tree.reap()
        if self._in_place:
            self._follow_stops()  # after reap: a change that comes from now on wakes us again
        if self._root_ended is None and self._tree.root_status is not None:
            self._root_ended = time.monotonic()
            self._code = os.waitstatus_to_exitcode(self._tree.root_status)

    def _hear_client(self) -> None:
        with suppress(ConnectionError):
            if chunk := os.read(CLIENT, 4096):
                self._heard += chunk
                *lines, self._heard = self._heard.split(b"\n")
                for message in filter(None, map(protocol.decode, lines)):
                    if "ready" in message:
                        self._stop_gilgrid(message["ready"])
                    else:
                        self._pass_on(message["signal"], message["sender"], message["stop"])
                return
        self._poll.unregister(CLIENT)
        self._decide(End.CANCELLED)

    def _pass_on(self, number: int, sender: int, stop: int) -> None:
        """Let the command have a signal that gilgrid got after a stop, unless it has got it itself."""
        if sender == os.getpid() or self._tree.root_status is not None:
            return
        if number == signal.SIGCONT:
            self._follow_stops()
            got_it = not self._is_stopped or stop != self._stops
        else:
            got_it = self._was_for_all(number, sender) and os.getpgid(self._child.pid) == os.getpgrp()
        if not got_it:
            os.kill(self._child.pid, number)

    def _was_for_all(self, number: int, sender: int) -> bool:
        """Whether a signal that gilgrid got was sent to its whole process group, which has this process too.

        The command may have left the group, as it does not lead it; without gilgrid it would, and could not.
        """
        if number in _STOPS and sender == 0:
            return True  # by a terminal; here SIGCONT may have dropped it
        same = signal.sigtimedwait({number}, 0)  # here it is held back
        return same is not None and same.si_pid == sender

    def _follow_stops(self) -> None:
        """Stop and continue gilgrid with the command: a shell that waits for it sees what it would see."""
        flags = os.WSTOPPED | os.WCONTINUED | os.WNOHANG
        while self._tree.root_status is None:
            try:
                change = os.waitid(os.P_PID, self._child.pid, flags)
            except ChildProcessError:  # it has ended, and `reap` has not seen it yet
                return
            if change is None:
                return
            self._is_stopped = change.si_code == os.CLD_STOPPED
            if self._is_stopped:
                self._stops += 1
                _send({"stopped": self._stops})
            else:
                self._signal_gilgrid(signal.SIGCONT)

    def _stop_gilgrid(self, stop: int) -> None:
        """Stop gilgrid, which has heard of a stop, if that still lasts."""
        self._follow_stops()
        if self._is_stopped and stop == self._stops:
            self._signal_gilgrid(signal.SIGSTOP)

    def _signal_gilgrid(self, number: int) -> None:
        with suppress(ProcessLookupError):
            if self._pidfd is None:
                os.kill(self._client, number)
            else:
                signal.pidfd_send_signal(self._pidfd, number)

    def _hear_signal(self, number: int, _frame: object) -> None:
        self._decide(End.LOST, f"the supervisor got signal {number}")

    def _miss_client(self) -> None:
        self._gilgrid_lives = False
        self._decide(End.CANCELLED)

    def _hear_keeper(self) -> None:
        for message in self._keeper.hear():
            if "quiet" in message or "suspects" in message:
                # Never wait for a client that is not reading: the deadline would wait with it.
                if select.select([], [CLIENT], [], 0)[1]:
                    _send(message)
            elif "looks" in message:
                self._looked = message
            elif "deadlock" in message:
                self._evidence = message["deadlock"]
                self._decide(End.DEADLOCK)
            else:
                self._evidence = message["seen"]
                self._decide(End.DEADLINE)
        if self._keeper.ended:  # without it nothing is proven, and the deadline holds
            self._poll.unregister(self._keeper.inward)
            self._proves = False
            if self._past < math.inf:
                self._decide(End.DEADLINE)

    def _drain(self) -> int:
        """Take what the pipe holds, up to one buffer; the number of bytes."""
        if self._child.output is None:
            return 0
        try:
            count = os.readv(self._child.output, [self._buffer])
        except BlockingIOError:
            return 0
        if count == 0 and self._end is None:
            self._poll.unregister(self._child.output)  # everybody has closed it, and may live on
        self._output.take(self._buffer[:count])
        return count

    def _drain_rest(self) -> None:
        """Take what the tree had written before it ended: never to the end of file, which may not come."""
        left = 0 if self._child.output is None else fcntl.fcntl(self._child.output, fcntl.F_GETPIPE_SZ)
        while left > 0 and (count := self._drain()):
            left -= count

    def _report(self, seconds: float, ended: list[Process], survivors: list[Process]) -> protocol.Message:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "end": self._end,
            "exit_code": self._code if self._end in (End.EXITED, End.NOT_FOUND) else None,
            "signal": -self._code if self._end == End.SIGNALLED else None,
            "seconds": seconds,
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "max_rss_bytes": usage.ru_maxrss * 1024,
            "head": protocol.text(self._output.head),
            "tail": protocol.text(self._output.tail),
            "output_bytes": self._output.total_bytes,
            "ended": [(process.pid, process.name) for process in ended],
            "survivors": [(process.pid, process.name) for process in survivors],
            "detail": self._detail,
            "evidence": self._evidence,
            **self._looked,
        }
