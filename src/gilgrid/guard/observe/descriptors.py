"""What the processes of a tree hold open, and who holds the other end of it."""

from __future__ import annotations

import os
import struct
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from gilgrid.guard.proof.picture import Channel, File
from gilgrid.guard.tree import folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

_CHANNELS = {"pipe": Channel.PIPE, "socket": Channel.SOCKET}
_ANONYMOUS = {"anon_inode:[pidfd]": Channel.PROCESS, "anon_inode:[timerfd]": Channel.TIMER}

# linux/unix_diag.h, linux/sock_diag.h, linux/netlink.h
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST_DUMP = 0x301
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_UDIAG_SHOW_PEER, _UDIAG_SHOW_RQLEN = 0x4, 0x10
_UNIX_DIAG_PEER, _UNIX_DIAG_RQLEN = 2, 4
_HEADER = struct.Struct("=IHHII")  # nlmsghdr
_REQUEST = struct.Struct("=BBHIIIII")  # unix_diag_req
_ANSWER = struct.Struct("=BBBBIII")  # unix_diag_msg
_ATTRIBUTE = struct.Struct("=HH")  # rtattr
_ALL_STATES = 0xFFFFFFFF


class Descriptors:
    """The open files of processes.

    What is held outside the tree can be released from there: `outside` names what was inherited, and every
    process that may be read is asked. So can what is on its way through a socket (SCM_RIGHTS, unix(7)).
    """

    def __init__(self, pids: Sequence[int], outside: Collection[str]) -> None:
        self._links = {pid: list(links(pid)) for pid in pids}
        held = {target for found in self._links.values() for _, target in found}
        sockets = _unix_sockets() if any(target.startswith("socket:") for target in held) else []
        self._peers = {identity: peer for identity, peer, _ in sockets if peer}
        self._unread = {
            identity for identity, peer, unread in sockets if unread and (identity in held or peer in held)
        }
        # Through such a socket any other user's process may have been sent a descriptor.
        self._speaks_outside = any(one in held and peer not in held for one, peer in self._peers.items())
        self._inherited = frozenset(outside)
        self._outsiders: frozenset[str] | None = None
        self._is_blind = False  # for what processes of other users hold

    def of(self, pid: int) -> dict[int, File]:
        """The open files of one process."""
        return {fd: self._file(pid, fd, target) for fd, target in self._links[pid]}

    def _file(self, pid: int, fd: int, target: str) -> File:
        channel = _ANONYMOUS.get(target)
        if channel is Channel.PROCESS:
            return File(channel=channel, identity=target, pid=int(_fdinfo(pid, fd).get("Pid", "0")))
        if channel is not None:
            return File(channel=channel, identity=target)
        channel = _CHANNELS.get(target.partition(":[")[0])
        peer = self._peers.get(target, "")
        if channel is None or (channel is Channel.SOCKET and not peer):
            return File(channel=Channel.OTHER, identity=target)  # of the network, say, or listening
        access = int(_fdinfo(pid, fd).get("flags", "2"), 8) & os.O_ACCMODE
        ends = {target, peer}
        return File(
            channel=channel,
            identity=target,
            peer=peer,
            reads=access != os.O_WRONLY,
            writes=access != os.O_RDONLY,
            outside=not ends.isdisjoint(self._held_outside())
            or bool(self._unread - ends)
            or (self._speaks_outside and self._is_blind),
        )

    def _held_outside(self) -> frozenset[str]:
        if self._outsiders is None:
            found = set(self._inherited)
            for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib costs 15 ms to import
                if name.isdigit() and int(name) not in self._links:
                    found.update(target for _, target in links(int(name)))
                    self._is_blind = self._is_blind or not os.access(f"/proc/{name}/fd", os.R_OK)
            self._outsiders = frozenset(found)
        return self._outsiders


def links(pid: int) -> Iterator[tuple[int, str]]:
    """Each descriptor of a process and what it refers to; none where they may not be read."""
    with suppress(OSError):
        place = f"{folder(pid)}/fd"
        for name in os.listdir(place):  # noqa: PTH208 - as above
            with suppress(OSError):
                yield int(name), os.readlink(f"{place}/{name}")  # noqa: PTH115 - as above


def _fdinfo(pid: int, fd: int) -> dict[str, str]:
    with suppress(OSError), open(f"{folder(pid)}/fdinfo/{fd}", encoding="utf-8") as file:  # noqa: PTH123
        return dict(line.rstrip().split(":\t", 1) for line in file if ":\t" in line)
    return {}


def _unix_sockets() -> list[tuple[str, str, bool]]:
    """Each Unix socket of this network namespace, its peer or '', and whether something waits in it."""
    import socket  # noqa: PLC0415 - 8 ms that most pictures do not need

    shown = _UDIAG_SHOW_PEER | _UDIAG_SHOW_RQLEN
    request = _REQUEST.pack(socket.AF_UNIX, 0, 0, _ALL_STATES, 0, shown, 0, 0)
    header = _HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST_DUMP, 0, 0)
    found: list[tuple[str, str, bool]] = []
    with suppress(OSError), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as diag:
        diag.settimeout(1.0)
        diag.sendto(header + request, (0, 0))
        while True:
            answer = diag.recv(1 << 17)
            while answer:
                length, kind, *_ = _HEADER.unpack_from(answer)
                if kind in (_NLMSG_ERROR, _NLMSG_DONE):
                    return found
                message = answer[_HEADER.size : length]
                inode = _ANSWER.unpack_from(message)[4]
                attributes = dict(_attributes(message[_ANSWER.size :]))
                peer = attributes.get(_UNIX_DIAG_PEER, 0)
                unread = attributes.get(_UNIX_DIAG_RQLEN, 0) > 0
                found.append((f"socket:[{inode}]", f"socket:[{peer}]" if peer else "", unread))
                answer = answer[(length + 3) & ~3 :]
    return found


def _attributes(message: bytes) -> Iterator[tuple[int, int]]:
    """The attributes of an answer, and the first number of each (rtnetlink(7))."""
    while len(message) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(message)
        yield kind, int.from_bytes(message[_ATTRIBUTE.size : _ATTRIBUTE.size + 4], sys.byteorder)
        message = message[max(_ATTRIBUTE.size, (length + 3) & ~3) :]
