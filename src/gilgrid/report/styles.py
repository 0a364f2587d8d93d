"""The colour of each verdict, as rich names it."""

from __future__ import annotations

from gilgrid.model import Verdict

STYLES = {
    Verdict.OK: "green",
    Verdict.WRONG: "magenta",
    Verdict.FAILED: "magenta",
    Verdict.CRASH: "bright_red",
    Verdict.DEADLOCK: "red",
    Verdict.TIMEOUT: "red",
    Verdict.FLAKY: "yellow",
    Verdict.BUILD_FAILED: "blue",
    Verdict.UNAVAILABLE: "bright_black",
    Verdict.ERROR: "reverse red",
}
