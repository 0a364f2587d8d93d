"""``gilgrid plan``: what a run would do, without doing it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from gilgrid import config, files, splits
from gilgrid.errors import ExitCode
from gilgrid.records import Records
from gilgrid.report import planned, sharded, terminal
from gilgrid.selection import chosen
from gilgrid.workshop import Workshop, prospects

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from gilgrid.shards import Shard


def command(options: argparse.Namespace) -> ExitCode:
    """Print cells, environments, builds and probes: what is cached, what would run; or the parts of it."""
    matrix = config.load(options.matrix)
    workshop = Workshop.of(matrix, Records.of(matrix.project), files.cache_folder())
    if options.shards or options.github:
        _print_shards(splits.split(workshop, options.cell, options.probe, options.shards), options)
        return ExitCode.AS_EXPECTED
    selected = chosen(workshop.plan(), options.cell, options.probe)
    found = prospects(workshop, selected)
    if options.json:
        sys.stdout.write(json.dumps(planned.to_json(matrix, selected, found), indent=1) + "\n")
    else:
        terminal.print_to(terminal.console(), planned.tables(matrix, selected, found))
    return ExitCode.AS_EXPECTED


def _print_shards(parts: Sequence[Shard], options: argparse.Namespace) -> None:
    if options.github:
        sys.stdout.write(json.dumps(sharded.github(parts, options.runner)) + "\n")
    elif options.json:
        sys.stdout.write(json.dumps(sharded.to_json(parts), indent=1) + "\n")
    else:
        terminal.print_to(terminal.console(), sharded.table(parts))
