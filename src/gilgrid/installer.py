"""Where uv is, which resolves, installs and builds."""

from __future__ import annotations

import threading

import uv

_ONE_AT_A_TIME = threading.Lock()


def uv_program() -> str:
    """The path of uv's executable."""
    # uv asks sysconfig, which fills its table without a lock in Python 3.11: two threads that are
    # the first to ask find it half full (python/cpython#92452).
    with _ONE_AT_A_TIME:
        return uv.find_uv_bin()
