"""The built site asks nobody else for anything. `make docs` builds it before."""

from __future__ import annotations

import re

from .site import ROOT

SITE = ROOT / ".state" / "site"
#: What a browser loads by itself: scripts, styles, pictures, fonts; links to follow are none of it.
ADDRESS = r"(?:https?:)?//[^\"'\s>)]+"
LOADED = re.compile(rf"""<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=["']?({ADDRESS})|url\(["']?({ADDRESS})""")


def test_no_page_loads_anything_from_elsewhere() -> None:
    pages = [*SITE.rglob("*.html"), *SITE.rglob("*.css")]
    assert len(pages) > 40
    assert LOADED.search('<script src="https://example.test/x.js">')
    assert {(path.name, found) for path in pages for pair in LOADED.findall(path.read_text()) for found in pair if found} == set()


def test_what_is_for_the_repository_alone_is_not_on_the_site() -> None:
    assert [path for path in SITE.rglob("*") if path.suffix in {".yaml", ".py", ".md"}] == []
    assert "<!-- " not in (SITE / "operate" / "networks.html").read_text().partition("<article")[2].partition("</article")[0]
