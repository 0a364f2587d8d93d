"""Locks between real processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HOLDER = """
import sys
from pathlib import Path
from gilgrid.locks import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
ASKER = """
import sys
from pathlib import Path
from gilgrid.locks import lock
print("asking", flush=True)
with lock(Path(sys.argv[1])):
    print("held", flush=True)
"""


def start(program: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def says(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_a_lock_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with start(HOLDER, path) as holder:
        assert says(holder) == "held"
        with start(ASKER, path) as asker:
            assert says(asker) == "asking"
            # /proc/locks marks who waits with "->": no clock has to say that the other one is blocked.
            inode = f":{path.stat().st_ino} "
            while not any(
                "->" in line and inode in line for line in Path("/proc/locks").read_text().splitlines()
            ):
                assert asker.poll() is None
            holder.communicate()
            assert says(asker) == "held"


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with start(HOLDER, path) as holder:
        assert says(holder) == "held"
        holder.kill()
        holder.wait()
        with start(ASKER, path) as asker:
            assert (says(asker), says(asker)) == ("asking", "held")
