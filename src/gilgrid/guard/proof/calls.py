"""The system calls that threads wait in, by architecture; pure."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# asm/unistd_64.h and asm-generic/unistd.h
_X86_64 = {
    0: "read", 1: "write", 7: "poll", 19: "readv", 20: "writev", 23: "select", 24: "sched_yield", 34: "pause",
    35: "nanosleep", 43: "accept", 44: "sendto", 45: "recvfrom", 46: "sendmsg", 47: "recvmsg", 56: "clone",
    58: "vfork", 61: "wait4", 72: "fcntl", 73: "flock", 128: "rt_sigtimedwait", 130: "rt_sigsuspend",
    202: "futex", 219: "restart_syscall", 230: "clock_nanosleep", 232: "epoll_wait", 247: "waitid",
    270: "pselect6", 271: "ppoll", 281: "epoll_pwait", 288: "accept4", 435: "clone3", 441: "epoll_pwait2",
    449: "futex_waitv",
}  # fmt: skip
_AARCH64 = {
    22: "epoll_pwait", 25: "fcntl", 32: "flock", 63: "read", 64: "write", 65: "readv", 66: "writev",
    72: "pselect6", 73: "ppoll", 95: "waitid", 98: "futex", 101: "nanosleep", 115: "clock_nanosleep",
    124: "sched_yield", 128: "restart_syscall", 133: "rt_sigsuspend", 137: "rt_sigtimedwait", 202: "accept",
    206: "sendto", 207: "recvfrom", 211: "sendmsg", 212: "recvmsg", 220: "clone", 242: "accept4",
    260: "wait4", 435: "clone3", 441: "epoll_pwait2", 449: "futex_waitv",
}  # fmt: skip
_NAMES = {"x86_64": _X86_64, "aarch64": _AARCH64}

KCMP = {"x86_64": 312, "aarch64": 272}
PIDFD_GETFD = {"x86_64": 438, "aarch64": 438}

READS = frozenset({"read", "readv", "recvfrom", "recvmsg"})
WRITES = frozenset({"write", "writev", "sendto", "sendmsg"})
POLLS = frozenset({"poll", "ppoll", "select", "pselect6"})
_LASTING = READS | WRITES | POLLS | {"futex", "wait4", "waitid"}
SLEEPS = frozenset({"nanosleep", "clock_nanosleep", "restart_syscall"})
# What the kernel takes up again after a stop, where others fail with EINTR (signal(7)).
RESTARTED = POLLS | SLEEPS | {"futex", "wait4", "waitid", "sched_yield", "read", "readv", "write", "writev"}
# Which argument says when the call ends by itself: it points at a struct timespec or timeval, or is an int of
# milliseconds, where a negative one is no limit.
TIMEOUT = {
    "futex": 3, "ppoll": 2, "select": 4, "pselect6": 4, "rt_sigtimedwait": 2, "epoll_pwait2": 3,
    "futex_waitv": 3,
}  # fmt: skip
MILLISECONDS = {"poll": 2, "epoll_wait": 3, "epoll_pwait": 3}


def is_timed(name: str, arguments: Sequence[int]) -> bool:
    """Whether a call with these arguments ends by itself."""
    if name in MILLISECONDS:
        return arguments[MILLISECONDS[name]] & 0x80000000 == 0
    return name in SLEEPS or (name in TIMEOUT and arguments[TIMEOUT[name]] != 0)


def may_never_end(name: str, arguments: Sequence[int]) -> bool:
    """Whether only another thread could end a call with these arguments."""
    return name in _LASTING and not is_timed(name, arguments)


def names() -> Mapping[int, str]:
    """Names by number on this machine; of an architecture that nobody has tried, none."""
    return _NAMES.get(os.uname().machine, {})
