"""Measures the deployed stack and prints figures; nothing fails because it is slow.

    python -m bench [--routes N] [--pollers N] [--output table|json]

VPC Lattice's delays are those of the walk-through (`python -m bench --help` prints them).
"""

from __future__ import annotations

import argparse
import json
import sys

from stack.pollers import pollers
from stack.settings import Settings
from stack.stack import running
from stack.world import World

from .figures import measure


def main() -> int:
    """Starts a stack, measures, prints and ends it."""
    settings = Settings(name="bench")
    parser = argparse.ArgumentParser(prog="bench", description="Measures the deployed stack.",
                                     epilog=f"VPC Lattice's delays here: {settings.delays.describe()}.")
    parser.add_argument("--routes", type=int, default=50, help="how many routes are applied at once (default 50)")
    parser.add_argument("--pollers", type=int, default=10, help="batches worked on at once, as MaximumConcurrency of template.yaml (10)")
    parser.add_argument("--output", choices=("table", "json"), default="table", help="how the figures are printed")
    arguments = parser.parse_args()
    with running(settings) as stack:
        world = World(stack, "bench")
        world.create()
        with pollers(stack, arguments.pollers):
            figures = measure(world, arguments.routes)
    print(json.dumps(figures.as_json(), indent=2) if arguments.output == "json" else figures.table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
