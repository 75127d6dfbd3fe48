"""Commands that are printed as a person would type them, run, and printed with their real output."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

from stack.settings import ROOT
from stack.waiting import Expectation

#: No command of the walk-through takes longer, in seconds; its own --timeout ends a wait earlier.
COMMAND_SECONDS = 120.0


class Shell:
    """A shell with one environment, in the project's folder."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = dict(env)

    def heading(self, text: str) -> None:
        """Says what comes next."""
        print(f"\n## {text}\n", flush=True)

    def say(self, text: str) -> None:
        """A remark between commands."""
        print(f"# {text}", flush=True)

    def run(self, command: str, *, expect: str = "") -> str:
        """Prints and runs a command. It must succeed, and its output hold `expect`; the output is returned."""
        print(f"$ {command}", flush=True)
        done = subprocess.run(["bash", "-o", "pipefail", "-c", command], env=self._env, cwd=ROOT, capture_output=True, text=True,
                              timeout=COMMAND_SECONDS, check=False)
        print(done.stdout + done.stderr, end="", flush=True)
        if done.returncode != 0:
            raise Expectation(f"status 0 of `{command}`", f"status {done.returncode}: {done.stdout}{done.stderr}".strip())
        if expect not in done.stdout:
            raise Expectation(f"`{expect}` in the output of `{command}`", done.stdout.strip() or "nothing")
        return done.stdout
