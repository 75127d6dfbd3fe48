"""The page of the first hour: its blocks for the local stack, one after the other, as a person gives them."""

from __future__ import annotations

from demo.shell import Shell
from pages.commands import blocks
from stack.settings import ROOT
from stack.stack import Stack
from stack.waiting import wait_for
from stack.world import PROGRAMMED_SECONDS

PAGE = "docs/start/laptop.md"


def test_the_first_hour_goes_as_its_page_says(stack: Stack) -> None:
    shell = Shell(stack.environment() | {"TRELLIS_CURL_ONE": stack.connect_to(0)})
    found = [block.code for block in blocks(PAGE, (ROOT / PAGE).read_text())[0] if block.mark == "stack"]
    assert len(found) == 4
    first, second, look, last = found
    shell.run("kubectl config use-context trellis-one")
    try:
        shell.run(first)
        # The data plane follows the API after a moment.
        ask = "\n".join(first.split("\n")[first.split("\n").index(next(line for line in first.split("\n") if line.startswith("name="))):])
        wait_for("an answer", lambda: shell.run(ask), within=PROGRAMMED_SECONDS, until=lambda answer: "parking handler pod" in answer)
        shell.run(second)
        shell.run("kubectl wait httproute/inventory --timeout=60s "
                  "--for=jsonpath='{.status.parents[0].conditions[?(@.type==\"Programmed\")].status}'=True")
        shell.run(look, expect="inventory-default\tACTIVE")
    finally:
        shell.run(last)
    wait_for("nothing left of it", lambda: shell.run(look), within=PROGRAMMED_SECONDS,
             until=lambda left: "rates-default" not in left and "inventory-default" not in left)
