"""Pages of the site, and what they take from elsewhere: a page has a text in one place, and the site shows it where it belongs.

A line `[Networks](../../OPERATIONS.md#networks)<!-- section -->` is a link for who reads the repository; the site has the
section in its place. `<!-- body -->` leaves its heading out, and `[…](…)<!-- made: metrics -->` stands for what a module of
`pages.reference` makes of the code.
"""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from . import markdown

ROOT = Path(__file__).resolve().parents[2]
DOCS = "docs"
TAKEN = re.compile(r"^\[[^\]]*\]\(([^)#\s]+)(?:#([\w-]+))?\)<!-- (section|body|made)(?:: ([a-z-]+))? -->$")
ELSEWHERE = re.compile(r"^(?:[a-z]+:|//)")


def repository() -> str:
    """Where the sources are, as Cargo.toml says."""
    return str(tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["repository"])


class Broken(Exception):
    """A page names something that is not there."""


class Site:
    """All pages below `docs`, by their paths in the repository."""

    def __init__(self, root: Path, made: dict[str, Callable[[], str]], source: str) -> None:
        self.root = root
        self.made = made
        self.source = source

    @cached_property
    def pages(self) -> dict[str, str]:
        """The pages as they are written."""
        return {path.relative_to(self.root).as_posix(): path.read_text() for path in sorted((self.root / DOCS).rglob("*.md"))}

    @cached_property
    def places(self) -> dict[tuple[str, str], tuple[str, str]]:
        """Of each section that a page takes, by file and anchor: the page and the anchor there. The file as a whole has an empty one."""
        places: dict[tuple[str, str], tuple[str, str]] = {}
        for page, text in self.pages.items():
            for file, anchor, how, _ in self._taken(page, text):
                if how == "made":
                    continue
                taken = markdown.section(self._read(page, file), anchor)
                for index, heading in enumerate(markdown.headings(taken)):
                    is_gone = how == "body" and index == 0 and anchor
                    place = (page, "" if is_gone else heading.slug)
                    if places.setdefault((file, heading.slug), place) != place:
                        raise Broken(f"{file}#{heading.slug} stands on two pages: {places[file, heading.slug][0]} and {page}")
                if not anchor:
                    places[file, ""] = (page, "")
        return places

    def text(self, page: str) -> str:
        """The page as the site has it, in Markdown. Raises `Broken` where it names what is not there."""
        done = []
        for line in self.pages[page].split("\n"):
            found = self._directive(page, line)
            if found is None:
                done.append(line)
                continue
            file, anchor, how, name = found
            if how == "made":
                if name not in self.made:
                    raise Broken(f"{page}: nothing makes {name}")
                self._read(page, file)
                done.append(self.made[name]())
                continue
            try:
                taken = markdown.section(self._read(page, file), anchor)
            except LookupError as error:
                raise Broken(f"{page}: {file} has {error}") from error
            taken = markdown.without_heading(taken) if how == "body" and anchor else taken
            done.append(markdown.with_links(taken, lambda to, file=file: self.lead(page, file, to)))  # type: ignore[misc]
        joined = "\n".join(done)
        # Of what was taken the links lead already: from the page they stay as they are.
        led = markdown.with_links(joined, lambda to: self.lead(page, page, to))
        return markdown.with_bare_pipes(markdown.without_marks(led))

    def lead(self, page: str, file: str, to: str) -> str:
        """Where a link of `file` leads from `page`."""
        if ELSEWHERE.match(to):
            return to
        path, _, anchor = to.partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(file), path)) if path else file
        place = self.places.get((target, anchor))
        if place is None and target.startswith(f"{DOCS}/") and target.endswith(".md"):
            place = (target, anchor)
        if place is None:
            return self._outside(page, target, anchor)
        if place[0] == page and place[1]:
            return f"#{place[1]}"
        there = posixpath.relpath(place[0], posixpath.dirname(page))
        return there + (f"#{place[1]}" if place[1] else "")

    def _outside(self, page: str, target: str, anchor: str) -> str:
        path = self.root / target
        if target.startswith("..") or not path.exists():
            raise Broken(f"{page}: {target} is not there")
        if anchor and path.suffix == ".md" and anchor not in {one.slug for one in markdown.headings(path.read_text())}:
            raise Broken(f"{page}: {target} has no heading #{anchor}")
        return f"{self.source}/{'tree' if path.is_dir() else 'blob'}/main/{target}" + (f"#{anchor}" if anchor else "")

    def _read(self, page: str, file: str) -> str:
        path = self.root / file
        if not path.exists():
            raise Broken(f"{page}: {file} is not there")
        return path.read_text() if path.is_file() else ""

    def _taken(self, page: str, text: str) -> list[tuple[str, str, str, str]]:
        found = (self._directive(page, line) for _, line in markdown.lines_outside_fences(text))
        return [one for one in found if one]

    @staticmethod
    def _directive(page: str, line: str) -> tuple[str, str, str, str] | None:
        match = TAKEN.match(line)
        if not match:
            if line.rstrip().endswith("-->") and re.search(r"<!-- (section|body|made)\b", line):
                raise Broken(f"{page}: {line}")
            return None
        file, anchor, how, name = match.groups("")
        return posixpath.normpath(posixpath.join(posixpath.dirname(page), file)), anchor, how, name
