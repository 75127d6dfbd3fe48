"""Commands of the guides are run here, compared elsewhere, or say what they need."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from stack.settings import TARGET

from .commands import COMPARED, Block, blocks, commands, guides, named_files, trellis_flags
from .reference import cli
from .site import ROOT

FOUND = {page: blocks(page, text) for page, text in guides().items()}
ALL = [block for found, _ in FOUND.values() for block in found]
RUN_SECONDS = 60


def named(block: Block) -> str:
    return f"{block.page}:{block.line}"


def test_every_block_says_what_it_is() -> None:
    assert [fault for _, faults in FOUND.values() for fault in faults] == []
    assert len(ALL) >= 40


@pytest.mark.parametrize(("fence", "fault"), [
    ("sh", "nobody runs it"), ("sh someday", "nobody runs it"), ("", "a block of nothing"), ("yaml run", "bears the mark"),
    ("sh account", ""), ("console compared=cli/tests/commands.rs", ""), ("text", "")])
def test_a_block_that_says_nothing_is_a_fault(fence: str, fault: str) -> None:
    _, faults = blocks("a.md", f"```{fence}\nls\n```\n")
    assert len(faults) == (1 if fault else 0)
    assert all(fault in one for one in faults)


@pytest.mark.parametrize("block", [one for one in ALL if one.mark == "run"], ids=named)
def test_a_block_to_run_runs(block: Block) -> None:
    environment = {"PATH": f"{TARGET / 'debug'}:{os.environ['PATH']}", "HOME": "/nowhere"}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", block.code], cwd=ROOT, env=environment, capture_output=True, text=True,
                          timeout=RUN_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("block", [one for one in ALL if one.mark.startswith(COMPARED)], ids=named)
def test_a_block_that_is_compared_is_compared_by_that_test(block: Block) -> None:
    test = ROOT / block.mark.removeprefix(COMPARED)
    assert block.page in test.read_text()
    assert all(line.startswith("trellis ") for line in re.findall(r"^\$ (.*)", block.code, re.MULTILINE))


@pytest.mark.parametrize("block", [one for one in ALL if one.mark == "build"], ids=named)
def test_a_block_that_builds_or_starts_something_does_nothing_else(block: Block) -> None:
    # What a target of make does its own tests show; no account and no cluster of anybody's is behind it.
    assert [command for command in commands(block.code) if not re.match(r"make [a-z]|cargo build ", command)] == []


def test_blocks_for_the_local_stack_are_run_there() -> None:
    (page,) = {block.page for block in ALL if block.mark == "stack"}
    assert f'PAGE = "{page}"' in (ROOT / "tests" / "e2e" / "test_first_hour.py").read_text()


@pytest.mark.parametrize("block", [one for one in ALL if not one.mark.startswith(COMPARED)], ids=named)
def test_a_block_is_a_script(block: Block) -> None:
    # <that name> stands for what the reader puts in.
    text = re.sub(r"<[a-z][^<>\n]*>", "NAME", block.code)
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_what_commands_name_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for block in ALL:
        for command in commands(block.code):
            assert [path for path in named_files(command) if not path.exists()] == [], named(block)
            for target in re.findall(r"^make ([a-z-]+)", command):
                assert target in targets, named(block)


def test_flags_of_trellis_are_those_of_the_program() -> None:
    checked = 0
    for block in ALL:
        for command in commands(block.code):
            below, flags = trellis_flags(command)
            if below:
                checked += 1
                told = cli.help_of(below)
                assert [flag for flag in flags if not re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", told)] == [], named(block)
    assert checked >= 10
