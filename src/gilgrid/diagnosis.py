"""The line of a build's output that says what is wrong. Pure."""

from __future__ import annotations

import re

# Ordered: a compiler's own line says more than the build tool's summary of it.
_ERROR_LINES = (
    re.compile(r"^\S+\.(?:pyx|pxd|pxi|py):\d+:\d+: (?!warning).+"),
    re.compile(r"^\S+:\d+(?::\d+)?: (?:fatal )?error: .+"),
    re.compile(r"^\S*meson\.build:\d+:\d+: ERROR: .+"),
    re.compile(r".*(?:undefined reference|cannot find -l).*"),
    re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Exit): .+"),
    re.compile(r".*(?:not found|No such file).*"),
    re.compile(r".*\b(?:ERROR|[Ee]rror):? .+"),
)


def first_error(log: str) -> str:
    """The line of a build's output that says what is wrong."""
    lines = [line.strip() for line in log.splitlines()]
    for pattern in _ERROR_LINES:
        for line in lines:
            if pattern.match(line):
                return line
    return next((line for line in reversed(lines) if line), "no output")
