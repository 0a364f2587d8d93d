"""asv's pages without a network: what they take from CDNs stands in this package, and is served beside them.

``tools/vendor.py`` gets it from npm's registry, and writes ``vendor/assets.json``.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from gilgrid.dashboard.site import PAGE

VENDOR = Path(__file__).with_name("vendor")
_TAKEN = re.compile(r'<(?:script|link)\b[^>]*?\b(?:src|href)="(https?://[^"]+)"[^>]*>')
"""A tag that a browser fetches something for; an anchor is none."""
_OF_THE_CDN = re.compile(r'\s(?:integrity|crossorigin|referrerpolicy)="[^"]*"')


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One file of a package on npm's registry."""

    replaces: str
    """The address that asv's page has for it."""
    file: str
    package: str
    version: str
    integrity: str
    """As subresource integrity has it, ``sha256-...``."""
    same: bool
    """Whether asv's page asks for these very bytes, and not for the same version in other bytes."""


def assets() -> tuple[Asset, ...]:
    """All that is there."""
    return tuple(Asset(**one) for one in json.loads((VENDOR / "assets.json").read_text(encoding="utf-8")))


def taken(page: str) -> tuple[str, ...]:
    """The addresses that a page takes scripts and styles from, of other machines."""
    return tuple(_TAKEN.findall(page))


def offline(page: str) -> str:
    """The page with all that is in this package taken from ``vendor/`` beside it."""
    known = {asset.replaces: asset for asset in assets()}

    def replaced(tag: re.Match[str]) -> str:
        asset = known.get(tag[1])
        if asset is None:
            return tag[0]
        return _OF_THE_CDN.sub("", tag[0]).replace(tag[1], f"vendor/{asset.file}")

    return _TAKEN.sub(replaced, page)


def beside(page: str, first: str, label: str) -> str:
    """The page with a link to another in front of its own, and that one for who comes without a hash."""
    to_first = f'<script>if (!location.hash) location.replace("{first}")</script>'
    item = f'<li><a href="{first}">{label}</a></li>'
    with_script = page.replace("<head>", f"<head>{to_first}", 1)
    return with_script.replace('<li id="nav-li-"', f'{item}<li id="nav-li-"', 1)


def install(pages: Path) -> tuple[str, ...]:
    """Make the pages that asv has published work without a network; returns what they still take from it."""
    index = pages / "index.html"
    page = offline(index.read_text(encoding="utf-8"))
    shutil.copytree(VENDOR, pages / "vendor", dirs_exist_ok=True)
    if (pages / PAGE).exists():
        page = beside(page, PAGE, "Compatibility")
    index.write_text(page, encoding="utf-8")
    return taken(page)
