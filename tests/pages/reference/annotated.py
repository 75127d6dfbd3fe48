"""Annotations, from shared/gateway, each with what docs/reference/annotations.yaml says of it."""

from __future__ import annotations

import re

import yaml

from ..markdown import table
from ..site import ROOT
from .rust import SOURCES, constant, constants

TEXTS = ROOT / "docs" / "reference" / "annotations.yaml"
LIST = re.compile(r"^const ([A-Z_]+): \[&str; \d+\] =\s*\[(.*?)\];", re.MULTILINE | re.DOTALL)
#: The lists of `annotations.rs`, and whose annotations they are.
KINDS = {
    "OF_ROUTES": "HTTPRoute, GRPCRoute, TLSRoute",
    "OF_GATEWAYS": "Gateway",
    "OF_NETWORKS": "ServiceNetwork",
    "OF_EXPORTS": "ServiceExport",
    "OF_IMPORTS": "ServiceImport",
    "OF_LOG_AND_VPC_POLICIES": "AccessLogPolicy, VpcAssociationPolicy",
    "OF_AUTH_POLICIES": "IAMAuthPolicy",
}
#: Lists there that say nothing of who reads an annotation.
BESIDE = {"WRITTEN", "OF_SERVICES"}


def read() -> dict[str, list[str]]:
    """Annotation → the kinds on which it is read."""
    text = (SOURCES / "annotations.rs").read_text()
    found: dict[str, list[str]] = {}
    lists = dict(LIST.findall(text))
    if set(lists) != set(KINDS) | BESIDE:
        raise LookupError(f"lists of annotations.rs: {sorted(set(lists) ^ (set(KINDS) | BESIDE))}")
    for name, kinds in KINDS.items():
        for item in lists[name].split(","):
            if item := item.strip():
                found.setdefault(item.strip('"') if item.startswith('"') else constant(item), []).append(kinds)
    # `rule-<index>-priority` is a form and stands in no list.
    if "rule-" in text:
        found["rule-<index>-priority"] = [KINDS["OF_ROUTES"]]
    return found


def texts() -> dict[str, str]:
    """Annotation → what it asks for."""
    found: dict[str, str] = yaml.safe_load(TEXTS.read_text())
    return found


def page() -> str:
    """A table of all annotations that are read."""
    said = texts()
    return table(("Annotation", "On", "Asks for"), [(f"`{name}`", ", ".join(kinds), said[name]) for name, kinds in sorted(read().items())])


def tags() -> str:
    """A table of the tags that Trellis sets."""
    files = sorted((ROOT / "shared" / "lattice" / "src").rglob("*.rs"))
    found = [one for file in files for one in constants(file.read_text()) if one.value.startswith("trellis:")]
    return table(("Tag", "Tells"), [(f"`{one.value}`", one.doc) for one in sorted(found, key=lambda one: one.value)])
