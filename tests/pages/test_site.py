"""What a page takes from elsewhere stands on it, and its links lead somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import markdown
from .reference import MADE
from .site import ROOT, TAKEN, Broken, Site, repository

SOURCE = "https://example.test/trellis"


def site(folder: Path, **pages: str) -> Site:
    """A small project: `docs_a` is the page docs/a.md, `OPERATIONS` a file beside."""
    for name, text in pages.items():
        path = folder / (name.replace("__", "/") + ".md")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Site(folder, {"table": lambda: "| made |"}, SOURCE)


OPERATIONS = ("# Operations\n\n## Costs\n\nSee [Limits](#limits), `[no](link)` and [the file](LICENSE.md).\n\n### In detail\n\nMuch.\n\n"
              "## Limits\n\nNone.\n")


def test_a_section_stands_where_the_page_takes_it_and_its_links_lead_on(tmp_path: Path) -> None:
    made = site(tmp_path, OPERATIONS=OPERATIONS, LICENSE="", docs__a="# Costs\n\n[Costs](../OPERATIONS.md#costs)<!-- body -->\n",
                docs__deep__b="# B\n\n[Limits](../../OPERATIONS.md#limits)<!-- section -->\n\n[c](../../OPERATIONS.md#in-detail)\n")
    assert made.text("docs/a.md") == ("# Costs\n\n\nSee [Limits](deep/b.md#limits), `[no](link)` and [the file](https://example.test/trellis/blob/"
                                      "main/LICENSE.md).\n\n### In detail\n\nMuch.\n\n")
    assert made.text("docs/deep/b.md") == "# B\n\n## Limits\n\nNone.\n\n\n[c](../a.md#in-detail)\n"


def test_what_is_made_of_the_code_stands_in_the_place_of_its_line(tmp_path: Path) -> None:
    made = site(tmp_path, OPERATIONS="", docs__a="[x](../OPERATIONS.md)<!-- made: table -->")
    assert made.text("docs/a.md") == "| made |"


@pytest.mark.parametrize(("page", "said"), [
    ("[x](../OPERATIONS.md#nothing)<!-- body -->", "no heading #nothing"),
    ("[x](../NOTHING.md#costs)<!-- body -->", "NOTHING.md is not there"),
    ("[x](../OPERATIONS.md)<!-- made: nothing -->", "nothing makes nothing"),
    ("[x](../OPERATIONS.md#costs) <!-- section -->", "docs/a.md"),
    ("[x](../NOTHING.md)", "NOTHING.md is not there"),
    ("[x](../OPERATIONS.md#nothing)", "no heading #nothing"),
    ("[x](../OPERATIONS.md#costs)<!-- body -->\n[x](../OPERATIONS.md#costs)<!-- section -->", "stands on two pages"),
])
def test_what_is_not_there_is_an_error(tmp_path: Path, page: str, said: str) -> None:
    made = site(tmp_path, OPERATIONS=OPERATIONS, LICENSE="", docs__a=page)
    with pytest.raises((Broken, LookupError), match=said):
        made.text("docs/a.md")


def test_anchors_are_as_github_makes_them() -> None:
    assert markdown.slug("A second Gateway in one VPC") == "a-second-gateway-in-one-vpc"
    assert markdown.slug("`trellis plan`, and [lint](x.md)") == "trellis-plan-and-lint"


def test_fences_lose_their_marks_and_keep_their_code() -> None:
    text = "```sh account\n# no heading\n[x](y)\n```\n"
    assert markdown.without_marks(text) == "```sh\n# no heading\n[x](y)\n```\n"
    assert markdown.headings(text) == []
    assert markdown.with_links(text, lambda _: "z") == text
    assert markdown.fences(text) == [markdown.Fence(1, "sh", "account", "# no heading\n[x](y)")]


def test_a_pipe_in_code_of_a_table_needs_no_backslash() -> None:
    text = "| a \\| b | `c \\| d` |\n\n`e \\| f`\n"
    assert markdown.with_bare_pipes(text) == "| a \\| b | `c | d` |\n\n`e \\| f`\n"


REAL = Site(ROOT, MADE, repository())


@pytest.mark.parametrize("file", ["OPERATIONS.md", "ARCHITECTURE.md", "MIGRATION.md", "UPGRADING.md", "cli/CODES.md"])
def test_all_that_stands_elsewhere_is_on_a_page(file: str) -> None:
    sections = {one.slug for one in markdown.headings((ROOT / file).read_text()) if one.level == 2}
    assert sections - {slug for name, slug in REAL.places if name == file} == set()


@pytest.mark.parametrize("file", [path.name for path in sorted(ROOT.glob("*.md"))])
def test_a_page_of_the_repository_leads_to_what_is_there(file: str) -> None:
    led: list[str] = []

    def lead(to: str) -> str:
        led.append(REAL.lead("docs/index.md", file, to))
        return to

    markdown.with_links((ROOT / file).read_text(), lead)
    for to in led:
        path, _, anchor = to.partition("#")
        if path.endswith(".md") and "://" not in path:
            text = REAL.text(f"docs/{path}")
            assert not anchor or anchor in {one.slug for one in markdown.headings(text)}, to


@pytest.mark.parametrize("page", sorted(REAL.pages))
def test_a_page_has_one_title_and_nothing_left_to_be_filled_in(page: str) -> None:
    text = REAL.text(page)
    assert [one.level for one in markdown.headings(text)].count(1) == 1
    assert [line for _, line in markdown.lines_outside_fences(text) if TAKEN.match(line)] == []
