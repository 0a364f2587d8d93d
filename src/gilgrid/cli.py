"""The command line: ``gilgrid plan | run | merge | show | newest | news | compare | watch``."""

from __future__ import annotations

import argparse
import gc
import io
import math
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from gilgrid import durations
from gilgrid.errors import ExitCode, GilgridError, MistakesError, WatchExit

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEAST_PYTHON = (3, 11)
_FORMATS = ("table", "markdown", "json", "junit", "svg", "asv")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a mistake of the user's is a sentence, not a traceback."""
    if sys.version_info[:2] < _LEAST_PYTHON:
        _say("the command gilgrid needs Python 3.11; with this one, only pytest --gilgrid works")
        return ExitCode.MISTAKE
    return _run(_options(arguments))


def _run(options: argparse.Namespace) -> int:
    gc.set_threshold(100_000)  # to look for garbage among thousands of records takes a fifth of the time
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a table, or a probe's words, in an old locale
    try:
        # Only the command that was asked for: what another one needs takes time to import.
        code = int(import_module(f"gilgrid.commands.{options.command}").command(options))
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
        return int(options.failed)
    except Exception:  # noqa: BLE001 - Python's own exit code would say that a verdict differs
        import traceback  # noqa: PLC0415 - 5 ms of the start of a command, mostly for nothing

        traceback.print_exc()
        _say("this is a bug of gilgrid: please report it, with the lines above")
        return int(options.failed)
    gc.freeze()  # nor is there any at the end, when Python would look once more
    return code


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    options, unknown = _parser().parse_known_args(arguments)
    if unknown:  # argparse would tell it in the name of no command, with the exit code of none
        options.mistake(f"unrecognized arguments: {' '.join(unknown)}")
    return options


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)  # noqa: T201 - the one boundary where errors are told


class _Version(argparse.Action):
    """``--version``, looked up when it is asked for: that takes 30 ms."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415 - as above

        parser.exit(message=f"gilgrid {version('gilgrid')}\n")


class _Parser(argparse.ArgumentParser):
    mistake_code: int = ExitCode.MISTAKE

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(self.mistake_code, f"{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gilgrid",
        description="Build a native extension against every pair of versions, and say which pairs hang.",
        allow_abbrev=False,  # it would look at the words of a watched command too
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show it and exit")
    parser.set_defaults(failed=ExitCode.GILGRID_FAILED)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = _Parser(add_help=False)
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
    planning.add_argument("--shards", type=_count, metavar="N", help="split it into parts for N machines")
    planning.add_argument(
        "--github", action="store_true", help="the parts as a job matrix of GitHub Actions, in one line"
    )
    planning.add_argument(
        "--runner", default="ubuntu-latest", metavar="LABEL", help="of these jobs, default: %(default)s"
    )
    planning.set_defaults(command="plan")

    running = commands.add_parser("run", parents=[common], help="measure what has no record, show the matrix")
    running.add_argument("--jobs", type=_count, metavar="N", help="CPUs to use, default: all")
    running.add_argument("--rerun", action="store_true", help="measure again what has a record")
    running.add_argument(
        "--repeats", type=_count, metavar="N", help="run each probe so often, whatever matrix.toml says"
    )
    running.add_argument(
        "--executor",
        default="local",
        metavar="WHERE",
        help="local (default), dask:ADDRESS of a scheduler, or mpi below mpiexec",
    )
    running.add_argument(
        "--shard", type=_shard, metavar="K/N", help="one of the parts that gilgrid plan --shards N makes"
    )
    running.set_defaults(command="run")

    showing = commands.add_parser("show", parents=[common], help="the matrix from the records")
    showing.add_argument("--format", choices=_FORMATS, default="table")
    showing.add_argument(
        "--claims", action="store_true", help="only remedies and claims, with every cell that decides them"
    )
    showing.set_defaults(command="show")

    merging = commands.add_parser(
        "merge",
        help="join the records of several machines",
        description="Join records below these folders with those beside matrix.toml. Exit code 3: a part of "
        "the last gilgrid plan --shards has left no record of some probes.",
    )
    merging.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="a .gilgrid, or above such")
    merging.add_argument("--matrix", type=Path, default=Path("matrix.toml"), metavar="FILE")
    merging.set_defaults(command="merge")

    finding = commands.add_parser(
        "newest",
        help="a matrix.toml of the newest releases and pre-releases",
        description="Write a matrix.toml that has of each axis the newest release, and the newest "
        "pre-release where that is newer still: gilgrid run --matrix newest.toml measures them.",
    )
    finding.add_argument("--matrix", type=Path, default=Path("matrix.toml"), metavar="FILE")
    finding.add_argument(
        "--with",
        dest="packages",
        metavar="PACKAGE",
        action="append",
        default=[],
        help="also of this package, which is no axis; may be given several times",
    )
    finding.add_argument("--to", type=Path, metavar="FILE", help="default: newest.toml beside matrix.toml")
    finding.set_defaults(command="newest")

    telling = commands.add_parser(
        "news",
        help="what differs from what is expected, and did not the last time",
        description="Print what is not as expected and was the last time that gilgrid news was called, "
        "and what is as expected again; write both to .gilgrid/news, as an issue and as a comment on it.",
    )
    telling.add_argument("--matrix", type=Path, default=Path("matrix.toml"), metavar="FILE")
    telling.set_defaults(command="news")

    comparing = commands.add_parser(
        "compare",
        parents=[common],
        help="what got slower, or ends otherwise, between two commits or two versions",
        description="Run the benchmarks of asv.conf.json and the probes of matrix.toml on both sides, in "
        "turns; print what differs by more than the noise of the same run. Exit code 1: something got worse.",
    )
    for side in ("before", "after"):
        comparing.add_argument(side, metavar=side.upper(), help="a commit, or a version as scipy==1.10.1")
    comparing.add_argument(
        "--bench", metavar="REGEX", action="append", default=[], help="only these benchmarks, as asv has it"
    )
    comparing.add_argument("--only", choices=("benchmarks", "probes"), help="default: both")
    comparing.add_argument(
        "--rounds",
        type=_count,
        default=3,
        metavar="N",
        help="of the first look, default: %(default)s",
    )
    comparing.add_argument(
        "--factor",
        type=_factor,
        default=1.1,  # as asv's own
        metavar="F",
        help="smaller differences are not told, default: %(default)s",
    )
    comparing.set_defaults(command="compare")

    _add_watch(commands)
    for command in commands.choices.values():
        command.set_defaults(mistake=command.error)  # with its own usage
    return parser


def _add_watch(commands: argparse._SubParsersAction[_Parser]) -> None:
    watching = commands.add_parser(
        "watch",
        usage="gilgrid watch [--deadline S] [--json FILE] [--keep] [--] COMMAND ...\n"
        "       gilgrid watch --pid PID [--json FILE]",
        help="run any command as it would run without gilgrid; where it hangs, say why",
        description="Run any command as it would run without gilgrid; where it hangs, say why and end it.",
        epilog="Exit codes: the command's own; 128+N where signal N killed it; 121 deadlock; 124 timeout; "
        "125 gilgrid failed, or a mistake in the call; 126 not executable; 127 no such command.",
        allow_abbrev=False,
    )
    watching.mistake_code = WatchExit.GILGRID_FAILED
    watching.add_argument(
        "--deadline",
        type=_seconds,
        metavar="S",
        help="end it after so long: 30, '1.5 s', '2 min'; default: never",
    )
    watching.add_argument("--json", type=Path, metavar="FILE", help="write the result, for machines")
    watching.add_argument("--keep", action="store_true", help="leave what hangs alive, for a debugger")
    watching.add_argument("--pid", type=_count, help="look once at a process that runs already")
    watching.add_argument("argv", nargs=argparse.REMAINDER, metavar="COMMAND", help="with its own options")
    watching.set_defaults(command="watch", failed=WatchExit.GILGRID_FAILED)


def _seconds(text: str) -> float:
    try:
        return durations.seconds(text, unit="s")
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _factor(text: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 1 < factor < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' should be a number above 1, as 1.1")
    return factor


def _shard(text: str) -> tuple[int, int]:
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise argparse.ArgumentTypeError(f"'{text}' should be a part and their number, as 1/3")
    return int(number), int(of)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' should be a whole number of 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
