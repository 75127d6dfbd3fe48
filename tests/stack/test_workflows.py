"""Workflows may read only, and use no action that could become another one."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from .settings import ROOT

FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"^ *(?:- )?uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


@pytest.mark.parametrize("text", [file.read_text() for file in FILES], ids=[file.stem for file in FILES])
def test_a_workflow_may_read_only_and_is_pinned(text: str) -> None:
    workflow: dict[str, Any] = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert "concurrency" in workflow
    used = [line for line in text.split("\n") if "uses:" in line]
    assert used
    assert [line for line in used if not PINNED.match(line)] == []
    assert text.count("persist-credentials: false") == text.count("actions/checkout@")
    assert "${{" not in "".join(str(step.get("run", "")) for job in workflow["jobs"].values() for step in job["steps"])


def test_every_module_of_go_is_kept_up_to_date() -> None:
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    (modules,) = [one for one in updates if one["package-ecosystem"] == "gomod"]
    assert set(modules["directories"]) == {f"/{file.parent.relative_to(ROOT).as_posix()}" for file in (ROOT / "tests").rglob("go.mod")}
