"""Constants and tables of the Rust sources, read as text."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..site import ROOT

SOURCES = ROOT / "shared" / "gateway" / "src"
CONSTANT = re.compile(r'((?:^ *///[^\n]*\n)*)^ *(?:pub(?:\([a-z]+\))? )?const ([A-Z_]+): &(?:\'static )?str = "([^"]*)";', re.MULTILINE)


class Constant(NamedTuple):
    """A constant text with what is said of it."""

    name: str
    value: str
    doc: str


def doc(comment: str) -> str:
    """A docstring in one line."""
    return " ".join(line.strip().removeprefix("///").strip() for line in comment.strip().split("\n"))


def constants(text: str) -> list[Constant]:
    """All constant texts of a source."""
    return [Constant(name, value, doc(comment)) for comment, name, value in CONSTANT.findall(text)]


def constant(path: str) -> str:
    """The value of `module::NAME`, in whatever file of the module it is."""
    module, _, name = path.rpartition("::")
    module = module.rpartition("::")[2]
    folders = [folder for folder in SOURCES.rglob(module) if folder.is_dir()]
    files = [*SOURCES.rglob(f"{module}.rs"), *(file for folder in folders for file in folder.rglob("*.rs"))]
    found = {one.value for file in files for one in constants(file.read_text()) if one.name == name}
    if len(found) != 1:
        raise LookupError(f"{path}: {sorted(found)}")
    return found.pop()
