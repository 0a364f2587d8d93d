"""``python -m gilgrid.dashboard.serve FOLDER [--port N]``: pages to this machine alone, until Ctrl-C.

``asv preview`` serves them to the whole network, and no longer once they are published again.
"""

from __future__ import annotations

import argparse
import errno
import itertools
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_HOST = "127.0.0.1"
_FIRST_PORT = 8080


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, help=f"by default the first that is free from {_FIRST_PORT} on")
    options = parser.parse_args()
    if not options.folder.is_dir():
        parser.error(f"there is no folder {options.folder}: asv publish makes the one of asv.conf.json")
    try:
        serving = server(options.folder, options.port)
    except (OSError, OverflowError) as error:
        parser.error(f"--port {options.port}: {error}; leave it out for the first that is free")
    with serving:
        host, port, *_ = serving.server_address
        print(f"the pages are at http://{host!s}:{port}/ until Ctrl-C", flush=True)  # noqa: T201
        with suppress(KeyboardInterrupt):
            serving.serve_forever()


def server(folder: Path, port: int | None = None) -> ThreadingHTTPServer:
    """One that listens. Raises ``OSError`` where the port that was asked for is taken, or is none."""
    handler = partial(_Quiet, directory=str(folder.absolute()))
    for candidate in itertools.count(_FIRST_PORT) if port is None else [port]:
        try:
            return ThreadingHTTPServer((_HOST, candidate), handler)
        except OSError as error:
            if port is not None or error.errno != errno.EADDRINUSE:
                raise
    raise AssertionError


class _Quiet(SimpleHTTPRequestHandler):
    def translate_path(self, path: str) -> str:
        """As it does, of what can be a path: %00 is in none."""
        return super().translate_path(path.replace("%00", "%EF%BF%BD"))

    def log_message(self, *_: Any) -> None:
        """Nothing: a page asks for dozens of files."""


if __name__ == "__main__":
    main()
