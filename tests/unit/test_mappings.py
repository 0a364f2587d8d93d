"""What a process maps: here, this one, and files in the form of /proc/PID/maps."""

from __future__ import annotations

import builtins
import ctypes
import io
import mmap
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gilgrid.guard.observe.collect import collect
from gilgrid.guard.observe.mappings import Mappings
from gilgrid.guard.observe.verify import verified
from gilgrid.guard.proof import calls
from gilgrid.guard.proof.fixed_point import dead
from gilgrid.guard.proof.waits import waits

if TYPE_CHECKING:
    from collections.abc import Iterator

MAPS = """\
00400000-00401000 r-xp 00000000 fd:01 11                                 /usr/bin/python3.11
00401000-00402000 rw-p 00001000 fd:01 11                                 /usr/bin/python3.11
00402000-00405000 rw-p 00000000 00:00 0
00500000-00501000 rw-p 00000000 00:00 0                                  [heap]
7f0000000000-7f0000001000 r-xp 00000000 fd:01 12                         /usr/lib/lib gomp/libgomp.so.1.0.0
7f0000001000-7f0000002000 rw-s 00000000 00:01 77                         /dev/zero (deleted)
7f0000002000-7f0000003000 rw-s 00000000 00:1a 78                         /dev/shm/sem.mp-x (deleted)
7f0000003000-7f0000004000 rw-s 00000000 00:1a 79                         /dev/shm/named
7f0000004000-7f0000005000 rw-p 00000000 fd:01 13                         /usr/lib/libc.so.6 (deleted)
7ffff0000000-7ffff0001000 r-xp 00000000 00:00 0                          [vdso]
"""


def show(monkeypatch: pytest.MonkeyPatch, maps: str) -> None:
    monkeypatch.setattr("gilgrid.guard.observe.mappings.folder", lambda pid: f"/proc/{pid}")
    monkeypatch.setattr(builtins, "open", lambda *_, **__: io.StringIO(maps))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Mappings:
    """The mappings above; a fake, since no process can be made to have just these."""
    show(monkeypatch, MAPS)
    return Mappings(1)


@pytest.fixture
def shared() -> Iterator[tuple[mmap.mmap, int]]:
    """A page of shared memory without a name, and its address."""
    with mmap.mmap(-1, mmap.PAGESIZE) as page:
        word = ctypes.c_uint32.from_buffer(page)
        address = ctypes.addressof(word)
        del word
        yield page, address


@pytest.mark.parametrize(
    ("address", "file"),
    [
        (0x400000, "/usr/bin/python3.11"),
        (0x400FFF, "/usr/bin/python3.11"),
        (0x403000, ""),
        (0x405000, ""),
        (0x3FFFFF, ""),
        (0, ""),
        (0x7F0000000010, "/usr/lib/lib gomp/libgomp.so.1.0.0"),
        (0x7FFFF0000000, "[vdso]"),
        (0x7FFFF0001000, ""),
    ],
)
def test_code_is_of_the_file_that_is_mapped_there(drawn: Mappings, address: int, file: str) -> None:
    assert drawn.library(address) == file


def test_memory_without_a_name_is_shared_with_those_that_were_forked_alone(drawn: Mappings) -> None:
    assert drawn.shared == {"00:01:77", "00:1a:78"}


@pytest.mark.parametrize(
    ("address", "identity"),
    [
        (0x7F0000001010, "00:01:77"),
        (0x7F0000002010, "00:1a:78"),
        (0x7F0000003010, "?"),  # any process may open what has a name
        (0x7F0000004010, ""),
        (0x500010, ""),
        (0x600000, "?"),  # unknown
    ],
)
def test_a_word_is_in_memory_that_is_private_shared_or_open_to_all(
    drawn: Mappings, address: int, identity: str
) -> None:
    assert drawn.shared_at(address) == identity


def test_an_openmp_runtime_is_seen(drawn: Mappings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn.has_openmp
    without = MAPS.replace("libgomp.so", "libgomposer.txt")
    show(monkeypatch, without)
    assert not Mappings(1).has_openmp


@pytest.mark.parametrize("name", ["libgomp.so.1", "libomp.so", "libiomp5.so", "libgomp-a34b3233.so.1.0.0"])
def test_every_openmp_runtime_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    line = f"7f0000000000-7f0000001000 r-xp 00000000 fd:01 12    /usr/lib/{name}\n"
    show(monkeypatch, line)
    assert Mappings(1).has_openmp


def test_a_python_is_seen(drawn: Mappings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn.has_python
    show(monkeypatch, MAPS.replace("python", "perl"))
    assert not Mappings(1).has_python


def test_room_for_the_stack_of_a_thread_is_a_page_that_guards_it_and_what_follows(
    drawn: Mappings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not drawn.has_stacks
    guard, stack = "7f00000{}000-7f0000010000 ---p 0 00:00 0\n", "7f0000010000-7f0000810000 rw-p 0 00:00 0\n"
    show(monkeypatch, guard.format("0f") + stack)
    assert Mappings(1).has_stacks
    show(monkeypatch, guard.format("0e") + stack)  # the end of an arena of malloc
    assert not Mappings(1).has_stacks


def test_the_stack_of_a_thread_that_has_ended_is_there_in_a_fork() -> None:
    program = "import os, threading; t = threading.Thread(); t.start(); t.join(); print(os.fork() or input())"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert Mappings(child).has_stacks
        process.communicate("\n")


def test_writable_memory_of_a_program_has_its_bss(drawn: Mappings) -> None:
    assert list(drawn.writable_of_python()) == [(0x401000, 0x402000), (0x402000, 0x405000)]


def test_of_this_process_memory_without_a_name_is_known(shared: tuple[mmap.mmap, int]) -> None:
    _, address = shared
    found = Mappings(os.getpid())
    assert found.shared_at(address) in found.shared


def test_of_this_process_private_memory_is_private() -> None:
    word = (ctypes.c_uint64 * 1024)()
    assert Mappings(os.getpid()).shared_at(ctypes.addressof(word)) == ""


def test_of_this_process_memory_with_a_name_is_open_to_all(tmp_path: Path) -> None:
    file = tmp_path / "memory"
    file.write_bytes(bytes(mmap.PAGESIZE))
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 0) as page:
        word = ctypes.c_uint32.from_buffer(page)
        address = ctypes.addressof(word)
        del word
        assert Mappings(os.getpid()).shared_at(address) == "?"


def test_the_mappings_of_a_process_that_is_not_there_may_not_be_read() -> None:
    with pytest.raises(OSError, match="No such"):
        Mappings(1 << 30)


WAITS = """
import ctypes, mmap, sys
libc, page = ctypes.CDLL(None), mmap.mmap(int(sys.argv[1]), mmap.PAGESIZE)
semaphore = ctypes.byref(ctypes.c_char.from_buffer(page))
libc.sem_init(semaphore, 1, 0)
libc.sem_wait(semaphore)
"""


def test_memory_of_which_others_may_hold_a_descriptor_may_be_mapped_outside_the_tree() -> None:
    descriptor = os.memfd_create("memory")
    os.truncate(descriptor, mmap.PAGESIZE)
    command = [sys.executable, "-S", "-c", WAITS, str(descriptor)]
    with subprocess.Popen(command, pass_fds=[descriptor]) as waiter:
        os.close(descriptor)
        while not wait_channel(waiter.pid).startswith("futex"):
            time.sleep(0.01)
        picture = collect([waiter.pid], waiter.pid, (), ())
        found = dead(waits(verified(picture, picture.tids), {}))
        waiter.kill()
    assert found == set()


def test_memory_under_another_name_than_it_was_mapped_by_may_be_mapped_outside_the_tree() -> None:
    """As sem_open(3) does: it links what it has mapped to the name that was asked for."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        file.truncate(mmap.PAGESIZE)
        name = f"{file.name}-linked"
        os.link(file.name, name)
        with mmap.mmap(file.fileno(), mmap.PAGESIZE) as page:
            Path(file.name).unlink()
            word = ctypes.c_uint32.from_buffer(page)
            address = ctypes.addressof(word)
            del word
            named = Mappings(os.getpid()).shared_at(address)
            Path(name).unlink()
            unnamed = Mappings(os.getpid()).shared_at(address)
            Path(file.name).touch()  # for the context, which unlinks it
    assert named == "?"
    assert unnamed not in ("", "?")


def wait_channel(pid: int) -> str:
    number = Path(f"/proc/{pid}/syscall").read_text(encoding="utf-8").split()[0]
    return calls.names().get(int(number), "") if number.isdigit() else ""
