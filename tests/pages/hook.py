"""What MkDocs calls: each page is what `pages.site` makes of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pages.reference import MADE  # noqa: E402
from pages.site import DOCS, ROOT, Broken, Site, repository  # noqa: E402

SITE = Site(ROOT, MADE, repository())


def on_page_markdown(text: str, page: Any, **_: Any) -> str:
    """The page's Markdown with what it takes from elsewhere."""
    try:
        return SITE.text(f"{DOCS}/{page.file.src_uri}")
    except Broken as broken:
        raise PluginError(str(broken)) from broken
