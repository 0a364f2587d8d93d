"""The command line: ``gilgrid plan | run | show``."""

from __future__ import annotations

import argparse
import io
import os
import sys
import traceback
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from gilgrid.errors import ExitCode, GilgridError, MistakesError

if TYPE_CHECKING:
    from collections.abc import Sequence

_FORMATS = ("table", "markdown", "json", "junit", "svg")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a mistake of the user's is a sentence, not a traceback."""
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a table, or a probe's words, in an old locale
    try:
        # Only the command that was asked for: what another one needs takes time to import.
        return int(import_module(f"gilgrid.commands.{options.command}").command(options))
    except MistakesError as error:
        for mistake in error.mistakes:
            _say(mistake)
        return ExitCode.MISTAKE
    except GilgridError as error:
        _say(str(error))
        return error.exit_code
    except KeyboardInterrupt:  # outside of a run, or before it began: nothing is under way
        _say("interrupted")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:  # as in gilgrid show | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.NOBODY_READS
    except OSError as error:  # no room, no permission: the machine's, and nothing of it is a bug
        where = f"{error.filename}: " if error.filename else ""
        _say(
            f"{where}{error.strerror}; the cache folder is $GILGRID_CACHE_DIR, records lie beside matrix.toml"
        )
        return ExitCode.GILGRID_FAILED
    except Exception:  # noqa: BLE001 - Python's own exit code would say that a verdict differs
        traceback.print_exc()
        _say("this is a bug of gilgrid: please report it, with the lines above")
        return ExitCode.GILGRID_FAILED


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)  # noqa: T201 - the one boundary where errors are told


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gilgrid",
        description="Build a native extension against every pair of versions, and say which pairs hang.",
    )
    parser.add_argument("--version", action="version", version=f"gilgrid {version('gilgrid')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--matrix",
        type=Path,
        default=Path("matrix.toml"),
        metavar="FILE",
        help="default: ./matrix.toml",
    )
    for name, example in (("--cell", "*scipy1.10.1*"), ("--probe", "*-held")):
        common.add_argument(
            name,
            metavar="PATTERN",
            action="append",
            default=[],
            help=f"only these {name[2:]}s, as '{example}'; may be given several times",
        )

    planning = commands.add_parser("plan", parents=[common], help="what a run would do")
    planning.add_argument("--json", action="store_true", help="for machines")
    planning.set_defaults(command="plan")

    running = commands.add_parser("run", parents=[common], help="measure what has no record, show the matrix")
    running.add_argument("--jobs", type=_count, metavar="N", help="CPUs to use, default: all")
    running.add_argument("--rerun", action="store_true", help="measure again what has a record")
    running.set_defaults(command="run")

    showing = commands.add_parser("show", parents=[common], help="the matrix from the records")
    showing.add_argument("--format", choices=_FORMATS, default="table")
    showing.set_defaults(command="show")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' should be a whole number of 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
