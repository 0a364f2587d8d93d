"""Get what asv's pages take from CDNs out of npm's packages, into src/gilgrid/dashboard/vendor.

usage: python tools/vendor.py

Needs npm, and asv installed. A file is compared with the integrity hash that asv's page has for it. Of Flot
and stupidtable the CDN has minified files that no registry has:
their own files are taken, as npm verified them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import asdict
from pathlib import Path

import asv

from gilgrid.dashboard.offline import VENDOR, Asset, taken

PAGE = Path(asv.__file__).with_name("www") / "index.html"
SOURCES = {
    "jquery-3.3.1.min.js": ("jquery", "3.3.1", "dist/jquery.min.js"),
    "jquery.flot.min.js": ("flot", "0.8.3", "jquery.flot.js"),
    "jquery.flot.time.min.js": ("flot", "0.8.3", "jquery.flot.time.js"),
    "jquery.flot.selection.min.js": ("flot", "0.8.3", "jquery.flot.selection.js"),
    "jquery.flot.categories.min.js": ("flot", "0.8.3", "jquery.flot.categories.js"),
    "jquery.flot.orderBars.js": ("flot-orderbars", "1.0.0", "js/jquery.flot.orderBars.js"),
    "stupidtable.min.js": ("stupid-table-plugin", "1.1.3", "stupidtable.min.js"),
    "md5.min.js": ("blueimp-md5", "2.19.0", "js/md5.min.js"),
    "bootstrap.min.js": ("bootstrap", "3.1.1", "dist/js/bootstrap.min.js"),
    "bootstrap.min.css": ("bootstrap", "3.1.1", "dist/css/bootstrap.min.css"),
}
"""By the file's name on the CDN: package, version, path within."""


def main() -> None:
    """Write all of them anew."""
    page = PAGE.read_text(encoding="utf-8")
    integrities = dict(re.findall(r'"(https://[^"]+)" integrity="([^"]+)"', page))
    with tempfile.TemporaryDirectory() as place:
        found = [_asset(url, integrities[url], Path(place)) for url in taken(page)]
    (VENDOR / "assets.json").write_text(
        json.dumps([asdict(asset) for asset in found], indent=2) + "\n", encoding="utf-8"
    )
    for asset in found:
        print(asset.file, "as asv has it" if asset.same else "in other bytes")


def _asset(url: str, wanted: str, place: Path) -> Asset:
    name = url.rpartition("/")[2]
    if name not in SOURCES:
        sys.exit(f"asv's page takes {url}: say in SOURCES which package has it")
    package, version, path = SOURCES[name]
    folder = _unpacked(package, version, place)
    file = f"{package}-{version}-{Path(path).name}"
    shutil.copy(folder / path, VENDOR / file)
    for license_file in folder.glob("LICENSE*"):
        shutil.copy(license_file, VENDOR / f"{package}-{version}-LICENSE.txt")
    content = (folder / path).read_bytes()
    same = _integrity(content, wanted.partition("-")[0]) == wanted
    return Asset(
        replaces=url,
        file=file,
        package=package,
        version=version,
        integrity=wanted if same else _integrity(content, "sha256"),
        same=same,
    )


def _unpacked(package: str, version: str, place: Path) -> Path:
    folder = place / f"{package}-{version}"
    if not folder.exists():
        npm = shutil.which("npm") or sys.exit("npm is not there: install Node.js")
        subprocess.run([npm, "pack", "--silent", f"{package}@{version}"], cwd=place, check=True)
        with tarfile.open(place / f"{package}-{version}.tgz") as tarball:
            tarball.extractall(folder, filter="data")
    return folder / "package"


def _integrity(content: bytes, algorithm: str) -> str:
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, content).digest()).decode()}"


if __name__ == "__main__":
    main()
