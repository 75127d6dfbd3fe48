"""Blocks of commands of the guides: what each is for, and what it names."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

from . import markdown
from .site import DOCS, ROOT

#: Pages beside those of `docs` that tell people what to type.
BESIDE = ("README.md", "OPERATIONS.md", "MIGRATION.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "UPGRADING.md", "SECURITY.md")
#: What is no command.
SHOWN = {"text", "yaml", "json"}
COMMANDS = {"sh", "console"}
#: What a block of commands may be for; CONTRIBUTING.md explains them.
MARKS = ("run", "stack", "build", "account")
COMPARED = "compared="


class Block(NamedTuple):
    """A block of commands."""

    page: str
    line: int
    mark: str
    code: str


def guides() -> dict[str, str]:
    """All pages with commands, by their paths."""
    paths = [*(ROOT / name for name in BESIDE), *sorted((ROOT / DOCS).rglob("*.md"))]
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in paths}


def blocks(page: str, text: str) -> tuple[list[Block], list[str]]:
    """The blocks of commands of a page, and what is wrong with its blocks."""
    found, faults = [], []
    for fence in markdown.fences(text):
        at = f"{page}:{fence.line}"
        if fence.language in SHOWN:
            faults += [f"{at}: {fence.language} bears the mark {fence.marks}"] if fence.marks else []
        elif fence.language not in COMMANDS:
            faults.append(f"{at}: a block of {fence.language or 'nothing'}; what is no command is one of {', '.join(sorted(SHOWN))}")
        elif fence.marks not in MARKS and not fence.marks.startswith(COMPARED):
            faults.append(f"{at}: nobody runs it, and it does not say what it needs: one of {', '.join(MARKS)}, {COMPARED}<test>")
        else:
            found.append(Block(page, fence.line, fence.marks, fence.code))
    return found, faults


def commands(code: str) -> list[str]:
    """Each command of a block: prompts and remarks taken away, lines that go on put together."""
    text = re.sub(r"\\\n *", "", code)
    lines = (re.sub(r"\s+# .*$", "", line.removeprefix("$ ")).strip() for line in text.split("\n"))
    return [line for line in lines if line and not line.startswith("#")]


def named_files(command: str) -> list[Path]:
    """Files of `examples` and `deploy` that a command names."""
    return [ROOT / name for name in re.findall(r"(?:examples|deploy)(?:/[\w./-]+)?(?=[\s)]|$)", command)]


def trellis_flags(command: str) -> tuple[str, list[str]]:
    """Of a command `trellis …`, the command below it and its flags; nothing of any other."""
    try:
        words = shlex.split(command)
    except ValueError:
        return "", []
    if len(words) < 2 or words[0] != "trellis" or words[1].startswith("-"):
        return "", []
    return words[1], [word.partition("=")[0] for word in words[2:] if re.match(r"--?[a-z]", word)]
