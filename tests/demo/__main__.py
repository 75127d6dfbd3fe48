"""Runs the walk-through on a stack of its own; the status is 0 when every step showed what it should."""

from __future__ import annotations

import sys

from stack.processes import tail
from stack.stack import running
from stack.waiting import Expectation

from .guide import Guide, settings


def main() -> int:
    """Starts the stack, walks, and ends it."""
    chosen = settings()
    print(f"VPC Lattice's delays here: {chosen.delays.describe()}.", flush=True)
    try:
        with running(chosen) as stack:
            try:
                Guide(stack).walk()
            except Expectation:
                stack.save_function_logs()
                raise
    except Expectation as failed:
        sys.stdout.flush()
        print(f"\nFAILED\n{failed}\nLogs: {chosen.state / 'logs'}", file=sys.stderr)
        print(tail(chosen.state / "logs" / "trellis-reconcile.log"), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
