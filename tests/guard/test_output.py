"""What a command prints is kept, bounded, and never waited for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from gilgrid.guard import Command, End, run
from gilgrid.guard.output import Output

SOURCE = Path(__file__).parents[2] / "src"


def shell(script: str, limit: int = 256 * 1024, deadline_s: float | None = None) -> Command:
    return Command(argv=("/bin/sh", "-c", script), output_limit_bytes=limit, deadline_s=deadline_s)


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 10, 11, 1000])
def test_the_first_and_the_last_half_are_kept_however_it_arrives(limit: int) -> None:
    random = Random(limit)  # noqa: S311 - to cut a text in pieces
    for _ in range(200):
        text = random.randbytes(random.randrange(3 * limit + 5))
        output = Output(limit)
        at = 0
        while at < len(text):
            step = random.choice([1, 2, 7, limit + 1])
            output.take(text[at : at + step])
            at += step
        assert output.total_bytes == len(text)
        if len(text) <= limit:
            assert output.head + output.tail == text
        else:
            assert output.head == text[: limit // 2]
            assert output.tail == text[len(text) - (limit - limit // 2) :]


def test_both_streams_come_interleaved_as_written() -> None:
    ending = run(shell("echo one; echo two >&2; echo three; echo four >&2"))
    assert ending.output == "one\ntwo\nthree\nfour\n"
    assert not ending.output_cut


def test_what_is_no_text_comes_escaped() -> None:
    assert run(shell(r"printf 'a\377\000\303\274\n'")).output == "a\\xff\x00ü\n"


def test_output_of_just_the_limit_is_whole_and_one_byte_more_is_cut() -> None:
    assert run(shell("printf 0123456789", limit=10)).output == "0123456789"
    ending = run(shell("printf 0123456789A", limit=10))
    assert ending.output == "01234\n[gilgrid: 1 bytes of output cut here]\n6789A"
    assert (ending.output_bytes, ending.output_cut) == (11, True)


def test_the_last_words_before_the_deadline_are_kept() -> None:
    ending = run(shell("echo first; echo last; exec sleep 60", deadline_s=0.5))
    assert ending.output == "first\nlast\n"


def test_a_grandchild_that_holds_stdout_is_not_waited_for() -> None:
    ending = run(shell("setsid sleep 60 & echo done"))
    assert (ending.end, ending.output) == (End.EXITED, "done\n")
    assert [left.name for left in ending.ended] in (["sleep"], ["sh"], ["setsid"])


def test_a_stranger_that_holds_stdout_and_goes_on_writing_is_not_waited_for(tmp_path: Path) -> None:
    path, ready = tmp_path / "path", tmp_path / "ready"
    os.mkfifo(path)
    os.mkfifo(ready)
    # A process outside of the tree opens what the command prints to by way of /proc, and goes on writing.
    script = f"read stdout < {path}; exec > $stdout; echo y; echo > {ready}; exec yes"
    stranger = subprocess.Popen(["/bin/sh", "-c", script])
    try:
        ending = run(shell(f"echo /proc/$$/fd/2 > {path}; read nothing < {ready}; exit 7"))
        assert (ending.end, ending.exit_code) == (End.EXITED, 7)
        assert ending.output.startswith("y\n")
    finally:
        stranger.kill()
        stranger.wait()


def test_a_command_that_closes_its_output_is_watched_on() -> None:
    ending = run(shell("echo last; exec >&- 2>&-; exec sleep 60", deadline_s=0.5))
    assert (ending.end, ending.output) == (End.DEADLINE, "last\n")
    assert ending.cpu_seconds < 0.25


def test_a_gibibyte_is_drained_in_little_memory() -> None:
    measured = """
import json, resource
from gilgrid.guard import Command, run
run(Command(argv=("true",)))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
ending = run(Command(argv=("head", "-c", "1073741824", "/dev/zero")))
print(json.dumps({
    "exit_code": ending.exit_code, "bytes": ending.output_bytes, "kept": len(ending.output),
    "grown": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before,
    "supervisor": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
}))
"""
    argv = [sys.executable, "-c", measured]
    facts = json.loads(subprocess.check_output(argv, env={**os.environ, "PYTHONPATH": str(SOURCE)}))
    assert facts["exit_code"] == 0
    assert facts["bytes"] == 1 << 30
    assert 256 * 1024 < facts["kept"] < 257 * 1024
    assert facts["grown"] < 8 * 1024  # KiB, as are both
    assert facts["supervisor"] < 24 * 1024
