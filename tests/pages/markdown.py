"""Markdown as the pages are written in: headings, sections, fences and links. Nothing is read here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

FENCE = re.compile(r"^ *(`{3,}|~{3,})(.*)$")
HEADING = re.compile(r"^(#{1,6}) +(.+?) *$")
#: Code in a line, or a link: its text and where it leads.
LINK = re.compile(r"(`+)(?:.+?)\1|\]\((?P<to>[^)\s]+)\)")
INLINE = re.compile(r"\[([^\]]*)\]\([^)]*\)")


class Heading(NamedTuple):
    """A heading of a page."""

    line: int
    level: int
    text: str
    #: As GitHub makes anchors, and as mkdocs.yml has them made.
    slug: str


def slug(text: str) -> str:
    """The anchor of a heading."""
    plain = INLINE.sub(r"\1", text).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def lines_outside_fences(text: str) -> Iterator[tuple[int, str]]:
    """Lines by number that are no code."""
    inside = ""
    for number, line in enumerate(text.split("\n")):
        found = FENCE.match(line)
        if inside:
            if found and found[1].startswith(inside) and not found[2].strip():
                inside = ""
        elif found:
            inside = found[1]
        else:
            yield number, line


def headings(text: str) -> list[Heading]:
    """All headings of a page."""
    found = ((number, HEADING.match(line)) for number, line in lines_outside_fences(text))
    return [Heading(number, len(match[1]), match[2], slug(match[2])) for number, match in found if match]


def section(text: str, anchor: str) -> str:
    """A section with its heading; all of the page below its title without an anchor. An unknown one raises `LookupError`."""
    lines, all_headings = text.split("\n"), headings(text)
    if not anchor:
        return "\n".join(lines[all_headings[0].line + 1:] if all_headings and all_headings[0].level == 1 else lines)
    for index, heading in enumerate(all_headings):
        if heading.slug == anchor:
            end = next((later.line for later in all_headings[index + 1:] if later.level <= heading.level), len(lines))
            return "\n".join(lines[heading.line:end]).rstrip() + "\n"
    raise LookupError(f"no heading #{anchor}")


def without_heading(text: str) -> str:
    """A section without its first line, its headings one level higher up."""
    return text.partition("\n")[2]


def with_links(text: str, lead: Callable[[str], str]) -> str:
    """The page with each link led to where `lead` says; code stays as it is."""
    lines = text.split("\n")

    def replace(match: re.Match[str]) -> str:
        return match[0] if match["to"] is None else f"]({lead(match['to'])})"

    for number, line in lines_outside_fences(text):
        lines[number] = LINK.sub(replace, line)
    return "\n".join(lines)


class Fence(NamedTuple):
    """A block of code."""

    line: int
    #: The word behind the fence, and what stands behind that.
    language: str
    marks: str
    code: str


def fences(text: str) -> list[Fence]:
    """All blocks of code of a page."""
    lines = text.split("\n")
    outside = {number for number, _ in lines_outside_fences(text)}
    found, number = [], 0
    while number < len(lines):
        opening = FENCE.match(lines[number]) if number not in outside else None
        if not opening:
            number += 1
            continue
        end = next(later for later in range(number + 1, len(lines))
                   if (match := FENCE.match(lines[later])) and match[1].startswith(opening[1]) and not match[2].strip())
        language, _, marks = opening[2].strip().partition(" ")
        found.append(Fence(number + 1, language, marks.strip(), "\n".join(lines[number + 1:end])))
        number = end + 1
    return found


def without_marks(text: str) -> str:
    """The page with fences that bear their language alone, which is all that Python-Markdown takes."""
    lines, outside = text.split("\n"), {number for number, _ in lines_outside_fences(text)}
    for number, line in enumerate(lines):
        match = FENCE.match(line) if number not in outside else None
        if match and match[2].strip():
            lines[number] = line[:match.start(2)] + match[2].split()[0]
    return "\n".join(lines)


def with_bare_pipes(text: str) -> str:
    """The page whose tables have pipes in code as Python-Markdown takes them; GitHub wants them escaped there, too."""
    lines = text.split("\n")
    for number, line in lines_outside_fences(text):
        if line.startswith("|"):
            lines[number] = re.sub(r"`[^`]*`", lambda code: code[0].replace("\\|", "|"), line)
    return "\n".join(lines)


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table."""
    cells = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |\n" for row in cells)
