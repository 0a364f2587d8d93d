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

    Callers may overlap: the first to come in saves what it finds, the last to go out restores it. A child of
    a fork begins outside, whoever was inside. While another thread limits BLAS through threadpoolctl (3.8 or
    later), its limit stands.
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
            threads = library.get_num_threads()
            library.set_num_threads(1)
            if library.get_num_threads() == 1:
                self._saved.append((library, threads))

    def _restore(self) -> None:
        while self._saved:
            library, threads = self._saved.pop()
            _let_go(library)
            library.set_num_threads(threads)
            _let_go(library)

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


def _let_go(library: Any) -> None:
    """Let any thread set the count: threadpoolctl 3.8 has but one do so, the first, as long as it lives."""
    let_go = getattr(library, "clear_controlling_thread", None)
    if let_go is not None:
        let_go(force=True)
