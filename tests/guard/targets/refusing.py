"""Runs a command where less is permitted: `python refusing.py {ptrace,capabilities} COMMAND ARGUMENT...`.

``ptrace``: ptrace(2) and what comes with its permission fail with EPERM, as seccomp in containers has it.
``capabilities``: root is no more than any user, who may look at what is their own and dumpable.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from pathlib import Path

NUMBERS = {  # of ptrace, process_vm_readv, kcmp, pidfd_getfd
    "x86_64": (101, 310, 312, 438),
    "aarch64": (117, 270, 272, 438),
}
# linux/prctl.h, linux/seccomp.h, linux/bpf_common.h
PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 22, 24, 38
SECCOMP_MODE_FILTER = 2
SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO = 0x7FFF0000, 0x00050000
BPF_LOAD_NUMBER, BPF_JUMP_IF_EQUAL, BPF_RETURN = 0x20, 0x15, 0x06


class Program(ctypes.Structure):
    """struct sock_fprog (linux/filter.h)."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def refuse_ptrace() -> None:
    """For this process and all that it starts."""
    numbers = NUMBERS[os.uname().machine]
    refused = len(numbers) + 1
    instructions = [(BPF_LOAD_NUMBER, 0, 0, 0)]
    instructions += [
        (BPF_JUMP_IF_EQUAL, refused - index - 1, 0, number) for index, number in enumerate(numbers)
    ]
    instructions += [
        (BPF_RETURN, 0, 0, SECCOMP_RET_ALLOW),
        (BPF_RETURN, 0, 0, SECCOMP_RET_ERRNO | errno.EPERM),
    ]
    program = Program(len(instructions), b"".join(struct.pack("=HBBI", *each) for each in instructions))
    control(PR_SET_NO_NEW_PRIVS, 1)
    control(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program))


def drop_capabilities() -> None:
    """What is executed from now on has none, be it root's (capabilities(7))."""
    if os.geteuid() != 0:
        return
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text("ascii"))
    for number in range(last + 1):
        control(PR_CAPBSET_DROP, number)


def control(*arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(*arguments, *(0,) * (5 - len(arguments))) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


HOW = {"ptrace": refuse_ptrace, "capabilities": drop_capabilities}

if __name__ == "__main__":
    HOW[sys.argv[1]]()
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - to be the command
