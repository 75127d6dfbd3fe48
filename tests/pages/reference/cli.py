"""The command line, as the built program tells of itself."""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache

from stack.settings import TARGET

#: Bounds the depth of commands below commands.
DEPTH_MAX = 3
COMMAND = re.compile(r"^  ([a-z]+) {2,}\S", re.MULTILINE)
#: Wide enough for no line to be broken in a word.
ENVIRONMENT = {"PATH": os.environ["PATH"], "NO_COLOR": "1", "COLUMNS": "100"}


@cache
def help_of(*command: str) -> str:
    """What `trellis … --help` prints."""
    done = subprocess.run([TARGET / "debug" / "trellis", *command, "--help"], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    return done.stdout


def commands(*above: str) -> list[tuple[str, ...]]:
    """All commands, those below others behind them."""
    listed = help_of(*above).partition("\nCommands:\n")[2].partition("\n\n")[0]
    found: list[tuple[str, ...]] = []
    for name in COMMAND.findall(listed):
        if name != "help":
            command = (*above, name)
            found += [command, *(commands(*command) if len(command) < DEPTH_MAX else [])]
    return found


def page() -> str:
    """A section for each command."""
    text = f"```text\n{help_of()}```\n\n"
    for command in commands():
        text += f"## trellis {' '.join(command)}\n\n```text\n{help_of(*command)}```\n\n"
    return text
