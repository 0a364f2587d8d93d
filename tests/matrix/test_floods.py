"""What a probe prints costs gilgrid no memory."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.matrix.conftest import Project

MATRIX = """
[axes.iniconfig]
versions = ["2.0.0"]

[[probe]]
name = "prints"
command = ["python", "-m", "tiny.probe", "print", "{megabytes}"]
deadline = "120 s"
"""
MEGABYTES = 300
LIMIT_KB = 150 * 1024
# VmHWM and not ru_maxrss for gilgrid itself: the latter begins with what the parent had at the fork.
MEASURING = """
import re, resource, sys
from pathlib import Path
from gilgrid.cli import main
code = main(sys.argv[1:])
own = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print("PEAK", own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def test_a_probe_that_prints_much_is_cut_and_neither_gilgrid_nor_its_supervisors_grow(
    project: Project,
) -> None:
    project.write(MATRIX.replace("{megabytes}", "1"))
    project.run()  # what is compiled is not measured
    project.write(MATRIX.replace("{megabytes}", str(MEGABYTES)))
    done = project.run("run", via=(sys.executable, "-c", MEASURING))
    assert done.code == 0
    (attempt,) = project.records["iniconfig2.0.0 prints"]["attempts"]
    assert attempt["output_bytes"] == MEGABYTES * 1024 * 1024
    assert len(attempt["output"]) < 100_000
    own_kb, largest_child_kb = map(int, done.err.split()[1:])
    assert own_kb < LIMIT_KB
    assert largest_child_kb < LIMIT_KB


def test_what_was_cut_from_a_failing_probe_is_said_where_it_was_cut(project: Project) -> None:
    project.write(
        """
        [axes.iniconfig]
        versions = ["2.0.0"]
        stages = ["run"]

        [axes.six]
        versions = ["1.17.0"]
        stages = ["build"]

        [[probe]]
        name = "prints"
        axes = ["iniconfig"]
        command = ["python", "-c", "print('begin' + 'x' * 1000000 + 'end'); raise SystemExit(1)"]
        """
    )
    assert project.run().code == 1
    (attempt,) = project.records["iniconfig2.0.0 prints"]["attempts"]
    assert attempt["output"].startswith("begin")
    assert attempt["output"].endswith("end\n")
    assert "bytes of output cut here]" in attempt["output"]
