"""References name all that the code has, and nothing else."""

from __future__ import annotations

import re

import pytest
import yaml

from stack.template import PARAMETERS, TEMPLATE

from .reference import MADE, alarms, annotated, charts, cli, conditions, iam, kinds, metrics, rust
from .site import ROOT


def test_every_right_has_a_reason_and_every_reason_a_right() -> None:
    assert {one.sid for one in iam.statements()} == set(iam.reasons())


def test_every_statement_of_the_template_is_read() -> None:
    # What is no policy of ours says who may assume a role, and bears no Sid.
    assert len(re.findall(r"- Sid: \w+", (ROOT / "template.yaml").read_text())) == len(list(iam.statements()))


def test_every_annotation_that_is_read_has_a_text_and_every_text_an_annotation() -> None:
    assert set(annotated.read()) == set(annotated.texts())


def test_a_right_or_an_annotation_without_a_text_makes_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iam, "reasons", lambda: {sid: "" for sid in yaml.safe_load(iam.REASONS.read_text()) if sid != "CreateOurs"})
    with pytest.raises(KeyError, match="CreateOurs"):
        iam.page()
    monkeypatch.setattr(annotated, "texts", dict)
    with pytest.raises(KeyError):
        annotated.page()


def test_all_parameters_and_outputs_of_the_stack_are_told() -> None:
    told = set(re.findall(r"^\| `(\w+)`", MADE["parameters"](), re.MULTILINE))
    assert told == set(PARAMETERS)
    assert set(re.findall(r"^\| `(\w+)`", MADE["outputs"](), re.MULTILINE)) == set(TEMPLATE["Outputs"])


def test_all_constants_of_conditions_and_reasons_are_read() -> None:
    for name, page in (("conditions.rs", conditions.conditions()), ("reasons.rs", conditions.reasons())):
        text = (rust.SOURCES / name).read_text()
        constants = re.findall(r'const \w+: &str = "([^"]+)"', text)
        assert len(constants) >= 15
        assert [one for one in constants if f"| `{one}` |" not in page] == []
        assert [one for one in rust.constants(text) if len(one.doc) < 10] == []


def test_all_metrics_are_read_and_say_what_they_count() -> None:
    variants = re.findall(r"^    (\w+): (?:Count|Milliseconds),$", (ROOT / "shared/telemetry/src/metric.rs").read_text(), re.MULTILINE)
    assert list(metrics.declared()) == variants
    assert [name for name, (_, said) in metrics.declared().items() if len(said) < 20] == []
    registered = (ROOT / "functions/webhook/src/metrics.rs").read_text().count("registry.register(")
    assert len(metrics.registered()) == registered >= 15
    assert "both functions" in metrics.of_the_functions()


def test_every_kind_and_every_field_has_a_description() -> None:
    page = kinds.page()
    assert [one["spec"]["names"]["kind"] for one in kinds.definitions() if f"## {one['spec']['names']['kind']}\n" not in page] == []
    rows = re.findall(r"^\| `([\w.\[\]]+)`[^|]*\|[^|]*\|\s*\|$", page, re.MULTILINE)
    # What holds the fields of an object needs none.
    assert [row for row in rows if row != "spec"] == []


def test_every_value_of_the_charts_is_told() -> None:
    page = charts.page()
    values = yaml.safe_load((charts.CHARTS / "trellis" / "values.yaml").read_text())
    assert [name for name in values if not re.search(rf"^\| `{name}[.`]", page, re.MULTILINE)] == []


def test_every_command_of_the_program_is_told() -> None:
    page = cli.page()
    declared = re.search(r"enum Commands? \{(.*?)\n\}", "".join(path.read_text() for path in (ROOT / "cli/src").rglob("*.rs")), re.DOTALL)
    assert declared is not None
    hidden = re.findall(r"hide = true\)?\]\s*(\w+)", declared[1])
    variants = set(re.findall(r"^    ([A-Z]\w+)[,({ ]", declared[1], re.MULTILINE)) - set(hidden)
    assert len(variants) >= 8
    assert {f"## trellis {name.lower()}" for name in variants} == set(re.findall(r"^## trellis \w+", page, re.MULTILINE))


def test_every_alarm_has_a_runbook_and_every_runbook_an_alarm() -> None:
    assert set(alarms.alarms()) == alarms.runbooks()


@pytest.mark.parametrize("name", alarms.alarms())
def test_an_alarm_leads_to_its_runbook_which_says_all_that_is_needed(name: str) -> None:
    assert alarms.alarms()[name]["AlarmDescription"].endswith(f"Runbook: {alarms.address(name)}")
    text = (alarms.FOLDER / f"{name}.md").read_text()
    headings = re.findall(r"^##? (.+)$", text, re.MULTILINE)
    assert headings == [name, "What it means", "What users see", "How to look", "How to mend", "When to escalate"]
    assert "```sh account\n" in text.partition("## How to look")[2].partition("## How to mend")[0]
    assert f"| [{name}]({name}.md) |" in alarms.page()
