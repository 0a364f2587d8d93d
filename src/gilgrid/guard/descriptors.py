"""What the processes of a tree hold open, and who holds the other end of it."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

from gilgrid.guard.picture import Channel, File

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

_CHANNELS = {"pipe": Channel.PIPE, "socket": Channel.SOCKET}
_ANONYMOUS = {"anon_inode:[pidfd]": Channel.PROCESS, "anon_inode:[timerfd]": Channel.TIMER}

# linux/unix_diag.h, linux/sock_diag.h, linux/netlink.h
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST_DUMP = 0x301
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_UDIAG_SHOW_PEER = 4
_UNIX_DIAG_PEER = 2
_HEADER = struct.Struct("=IHHII")  # nlmsghdr
_REQUEST = struct.Struct("=BBHIIIII")  # unix_diag_req
_ANSWER = struct.Struct("=BBBBIII")  # unix_diag_msg
_ATTRIBUTE = struct.Struct("=HH")  # rtattr
_ALL_STATES = 0xFFFFFFFF


class Descriptors:
    """The open files of processes, read when they are asked for.

    What is held outside the tree can be released from there: `outside` names what was inherited, and every
    process that may be read is asked.
    """

    def __init__(self, pids: Sequence[int], outside: Collection[str]) -> None:
        self._pids = frozenset(pids)
        self._inherited = frozenset(outside)
        self._peers: dict[str, str] | None = None
        self._outsiders: frozenset[str] | None = None

    def of(self, pid: int) -> dict[int, File]:
        """The open files of one process."""
        return {fd: self._file(pid, fd, target) for fd, target in links(pid)}

    def _file(self, pid: int, fd: int, target: str) -> File:
        channel = _ANONYMOUS.get(target)
        if channel is Channel.PROCESS:
            return File(channel=channel, identity=target, pid=int(_fdinfo(pid, fd).get("Pid", "0")))
        if channel is not None:
            return File(channel=channel, identity=target)
        channel = _CHANNELS.get(target.partition(":[")[0])
        if channel is None:
            return File(channel=Channel.OTHER, identity=target)
        peer = self._peer(target) if channel is Channel.SOCKET else ""
        if channel is Channel.SOCKET and not peer:
            return File(channel=Channel.OTHER, identity=target)  # of the network, or listening
        access = int(_fdinfo(pid, fd).get("flags", "2"), 8) & os.O_ACCMODE
        held = self._held_outside()
        return File(
            channel=channel,
            identity=target,
            peer=peer,
            reads=access != os.O_WRONLY,
            writes=access != os.O_RDONLY,
            outside=target in held or peer in held,
        )

    def _peer(self, identity: str) -> str:
        if self._peers is None:
            self._peers = dict(_unix_peers())
        return self._peers.get(identity, "")

    def _held_outside(self) -> frozenset[str]:
        if self._outsiders is None:
            found = set(self._inherited)
            for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib costs 15 ms to import
                if name.isdigit() and int(name) not in self._pids:
                    found.update(target for _, target in links(int(name)))
            self._outsiders = frozenset(found)
        return self._outsiders


def links(pid: int) -> Iterator[tuple[int, str]]:
    """Each descriptor of a process and what it refers to; none where they may not be read."""
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208 - as above
            with suppress(OSError):
                yield int(name), os.readlink(f"/proc/{pid}/fd/{name}")  # noqa: PTH115 - as above


def _fdinfo(pid: int, fd: int) -> dict[str, str]:
    with suppress(OSError), open(f"/proc/{pid}/fdinfo/{fd}", encoding="utf-8") as file:  # noqa: PTH123
        return dict(line.rstrip().split(":\t", 1) for line in file if ":\t" in line)
    return {}


def _unix_peers() -> Iterator[tuple[str, str]]:
    """Each Unix socket of this network namespace that is connected, and its peer (sock_diag(7))."""
    import socket  # noqa: PLC0415 - 8 ms that most pictures do not need

    request = _REQUEST.pack(socket.AF_UNIX, 0, 0, _ALL_STATES, 0, _UDIAG_SHOW_PEER, 0, 0)
    header = _HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST_DUMP, 0, 0)
    with suppress(OSError), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as diag:
        diag.settimeout(1.0)
        diag.sendto(header + request, (0, 0))
        while True:
            answer = diag.recv(1 << 17)
            while answer:
                length, kind, *_ = _HEADER.unpack_from(answer)
                if kind in (_NLMSG_ERROR, _NLMSG_DONE):
                    return
                inode, peer = _ends(answer[_HEADER.size : length])
                if peer:
                    yield f"socket:[{inode}]", f"socket:[{peer}]"
                answer = answer[(length + 3) & ~3 :]


def _ends(message: bytes) -> tuple[int, int]:
    """The inode of a socket and of its peer, 0 where it has none."""
    inode = _ANSWER.unpack_from(message)[4]
    attributes = message[_ANSWER.size :]
    while len(attributes) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(attributes)
        if kind == _UNIX_DIAG_PEER:
            return inode, int.from_bytes(attributes[4:8], "little")
        attributes = attributes[max(4, (length + 3) & ~3) :]
    return inode, 0
