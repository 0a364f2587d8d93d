"""One probe: does what its name says, counts itself, and holds where it is told to."""

import json
import os
import sys
import time
from pathlib import Path

from tiny import _tiny

WHAT, NAME = sys.argv[1], sys.argv[-1]


def main() -> int:
    """Do it."""
    # Appended in one write, after which the position is where that ended, whoever else writes.
    tally = os.open(os.environ["TINY_TALLY"], os.O_RDWR | os.O_APPEND)
    os.write(tally, f"probe {NAME}\n".encode())
    so_far = os.pread(tally, os.lseek(tally, 0, os.SEEK_CUR), 0)
    times = so_far.splitlines().count(f"probe {NAME}".encode())
    if os.environ.get("TINY_HOLD") == NAME:
        with Path(os.environ["TINY_ROLL"]).open("w") as roll:
            roll.write(f"{NAME}\n")
            roll.flush()
            Path(os.environ["TINY_GO"]).read_bytes()  # waits until the test opens it
    answer = _tiny.answer()
    if WHAT == "raise":
        raise RuntimeError("as asked for")
    if WHAT == "crash":
        _tiny.crash()
    if WHAT == "sleep":
        time.sleep(3600)
    if WHAT == "print":
        line = b"x" * 1023 + b"\n"
        for _ in range(int(sys.argv[2])):
            os.write(1, line * 1024)
    checks = [
        {"name": "answer", "ok": answer == (41 if WHAT == "wrong" else 42), "detail": f"it is {answer}"}
    ]
    with Path(os.environ["GILGRID_RESULT"]).open("w") as file:
        json.dump({"checks": checks, "metrics": {"answer": answer}}, file)
    return times % 2 if WHAT == "alternate" else 0


if __name__ == "__main__":
    sys.exit(main())
