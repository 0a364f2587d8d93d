"""Targets at rest, until somebody comes after some seconds: `servers.py SCENARIO`.

Servers, event loops and pools.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import select
import selectors
import signal
import socket
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.guard.targets.programs.children import LATER_S, child
else:
    from children import LATER_S, child

fork: Any = multiprocessing.get_context("fork")


@contextmanager
def client_of(family: int, address: Any) -> Iterator[socket.socket]:
    """A server's socket to which a child connects, later."""
    with socket.socket(family) as server:
        server.bind(address)
        server.listen()

        def connect() -> None:
            with socket.socket(family) as client:
                client.connect(server.getsockname())
                client.sendall(b"x")

        with child(connect):
            yield server


def accepts(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        assert connection.recv(1) == b"x"


def tcp_server() -> None:
    with client_of(socket.AF_INET, ("127.0.0.1", 0)) as server:
        accepts(server)


def tcp_server_in_a_thread() -> None:
    with client_of(socket.AF_INET, ("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accepts, args=(server,))
        thread.start()
        thread.join()


def unix_server() -> None:
    with tempfile.TemporaryDirectory() as folder, client_of(socket.AF_UNIX, f"{folder}/socket") as server:
        accepts(server)


def datagrams() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        address = server.getsockname()
        with child(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", address)):
            assert server.recv(1) == b"x"


def selectors_server() -> None:
    with client_of(socket.AF_INET, ("127.0.0.1", 0)) as server, selectors.DefaultSelector() as selector:
        selector.register(server, selectors.EVENT_READ)
        assert len(selector.select()) == 1
        accepts(server)


def select_server() -> None:
    with client_of(socket.AF_INET, ("127.0.0.1", 0)) as server:
        assert select.select([server], [], [])[0] == [server]
        accepts(server)


def epoll_on_own_pipe() -> None:
    """One thread waits in epoll for a pipe of its own process, which another writes to, later."""
    ours, theirs = os.pipe()
    with select.epoll() as epoll:
        epoll.register(ours, select.EPOLLIN)
        threading.Timer(LATER_S, os.write, (theirs, b"x")).start()
        assert len(epoll.poll()) == 1


def asyncio_sleep() -> None:
    asyncio.run(asyncio.sleep(LATER_S))


def asyncio_subprocess() -> None:
    async def main() -> int:
        return await (await asyncio.create_subprocess_exec("sleep", str(LATER_S))).wait()

    assert asyncio.run(main()) == 0


def asyncio_queue() -> None:
    """A coroutine waits on a queue that a thread fills, later."""

    async def main() -> int:
        items: asyncio.Queue[int] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        threading.Timer(LATER_S, loop.call_soon_threadsafe, (items.put_nowait, 1)).start()
        return await items.get()

    assert asyncio.run(main()) == 1


def asyncio_by_signal() -> None:
    """A loop that nothing but a signal wakes."""

    async def main() -> None:
        event = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGALRM, event.set)
        signal.alarm(int(LATER_S))
        await event.wait()

    asyncio.run(main())


def asyncio_executor() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().run_in_executor(None, time.sleep, LATER_S)

    asyncio.run(main())


# ---- Pools at rest ----


def threads_at_rest() -> None:
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(abs, range(8))) == list(range(8))
        time.sleep(LATER_S)
        assert list(pool.map(abs, range(8))) == list(range(8))


def pool_at_rest() -> None:
    with fork.Pool(4) as pool:
        assert pool.map(abs, range(8)) == list(range(8))
        time.sleep(LATER_S)
        assert pool.map(abs, range(8)) == list(range(8))


def pool_sleeps() -> None:
    with fork.Pool(4) as pool:
        pool.map(time.sleep, [LATER_S, 0, 0, 0])


def executor_at_rest() -> None:
    with ProcessPoolExecutor(4, mp_context=fork) as pool:
        assert list(pool.map(abs, range(8))) == list(range(8))
        time.sleep(LATER_S)
        assert list(pool.map(abs, range(8))) == list(range(8))


def executor_sleeps() -> None:
    with ProcessPoolExecutor(4, mp_context=fork) as pool:
        pool.submit(time.sleep, LATER_S).result()


def manager() -> None:
    """A server process that holds a queue, at rest."""
    with fork.Manager() as server:
        items = server.Queue()
        threading.Timer(LATER_S, items.put, (1,)).start()
        assert items.get() == 1


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")]()
    print("done")
