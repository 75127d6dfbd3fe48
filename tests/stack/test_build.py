"""What the local stack deploys is template.yaml with the programs' folders, and nothing else."""

from __future__ import annotations

import pytest

from stack.build import packaged
from stack.settings import ROOT
from stack.waiting import Expectation

TEXT = (ROOT / "template.yaml").read_text()


def test_only_the_folders_of_the_programs_differ_from_the_template() -> None:
    text, programs = packaged(TEXT)
    changed = [(old.strip(), new.strip()) for old, new in zip(TEXT.splitlines(), text.splitlines(), strict=True) if old != new]
    assert changed == [("CodeUri: .", f"CodeUri: {program}") for program in programs]
    assert len(set(programs)) == len(programs) == TEXT.count("AWS::Serverless::Function\n")


def test_a_function_without_a_program_is_no_function_to_deploy() -> None:
    for broken in (TEXT.replace("Binary: drift", "Makefile: drift"), TEXT.replace("CodeUri: .", "CodeUri: ./functions"), ""):
        with pytest.raises(Expectation, match="CodeUri"):
            packaged(broken)
