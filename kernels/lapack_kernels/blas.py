"""BLAS's own threads, held at one while a team of ours runs: two teams slow each other down."""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import TYPE_CHECKING

import scipy.linalg.cython_lapack  # noqa: F401 (so that the BLAS it calls is among those found)
from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any


class OneThread:
    """A context in which every BLAS of the process has one thread, each time that it is entered.

    Callers may overlap: the first to come in saves what it finds, the last to go out restores that, unless
    somebody else has set another count meanwhile. A child of a fork begins outside, whoever was inside.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._saved: list[tuple[Any, int]] = []
        os.register_at_fork(
            before=self._lock.acquire, after_in_parent=self._lock.release, after_in_child=self._begin_anew
        )

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._save()
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._restore()

    def _save(self) -> None:
        for library in _libraries():
            self._saved.append((library, library.get_num_threads()))
            _set_num_threads(library, 1)

    def _restore(self) -> None:
        while self._saved:
            library, threads = self._saved.pop()
            if library.get_num_threads() == 1:
                _set_num_threads(library, threads)

    def _begin_anew(self) -> None:
        self._inside = 0
        self._restore()
        self._lock.release()


one_thread = OneThread()
"""The one of this process: `with one_thread: ...`."""


@cache
def _libraries() -> list[Any]:
    """Every BLAS there is: found once, since that looks through all libraries of the process.

    But for those whose threads are OpenMP's: in a team of ours they start no other, and each thread has a
    count of its own, which nobody else can restore.
    """
    found = ThreadpoolController().select(user_api="blas").lib_controllers
    return [library for library in found if getattr(library, "threading_layer", None) != "openmp"]


def _set_num_threads(library: Any, threads: int) -> None:
    # threadpoolctl 3.8 has one thread alone set the count, the first that did, until that lets go: what
    # others set is silently ignored. But the last to go out need not be who came in first, and with a BLAS of
    # several threads four callers take 5 s instead of 0.05 s (OpenBLAS 0.3.31, stevd).
    let_go = getattr(library, "clear_controlling_thread", None)
    if let_go is not None:
        let_go(force=True)
    library.set_num_threads(threads)
    if let_go is not None:
        let_go(force=True)
