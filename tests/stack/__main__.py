"""Command line of the local stack."""

from __future__ import annotations

import argparse
import sys

from . import background
from .build import build
from .settings import Settings
from .waiting import Expectation


def main() -> int:
    """Runs one command and returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m stack", description="Trellis on one machine, on loopback.")
    parser.add_argument("command", choices=["build", "up", "down", "hold"],
                        help="build: make the binaries; up: start and leave running; down: end that; hold: run until a signal comes")
    parser.add_argument("--name", default="demo", help="name of the stack and of its folder (default: demo)")
    options = parser.parse_args()
    settings = Settings(name=options.name)
    try:
        if options.command == "build":
            build(settings.state.parent / "build")
        else:
            {"up": background.up, "down": background.down, "hold": background.hold}[options.command](settings)
    except Expectation as failed:
        print(failed, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
