"""The service directory's page in a real browser: a thousand services, which are searched, filtered and read in light and dark."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ColorScheme = Literal["light", "dark"]

ROOT = Path(__file__).resolve().parents[2]
SERVICES = 1_000
#: For people to look at.
PICTURES = ROOT / ".state" / "directory"
#: Nobody waits so long for a page.
PATIENCE_MS = 10_000
#: The contrast of text that WCAG 2.2 asks for (1.4.3, level AA).
CONTRAST = 4.5


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = ROOT / "target" / "debug" / "examples" / "large"
    path = tmp_path_factory.mktemp("directory") / "directory.html"
    path.write_text(subprocess.run([program, str(SERVICES)], check=True, capture_output=True, text=True, timeout=60).stdout)
    PICTURES.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        program = (ROOT / ".tools" / "browser").read_text().strip()
        started = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


def opened(browser: Browser, file: Path, *, scripts: bool = True, scheme: ColorScheme = "light", fragment: str = "") -> Page:
    """The page, which must ask nobody else for anything and tell of no error."""
    page = browser.new_page(java_script_enabled=scripts, color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    strange: list[str] = []
    page.on("request", lambda request: strange.append(request.url) if not request.url.startswith("file:") else None)
    page.on("pageerror", lambda error: strange.append(str(error)))
    page.on("console", lambda message: strange.append(message.text) if message.type == "error" else None)
    page.goto(f"file://{file}{fragment}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert strange == []
    return page


@pytest.fixture
def page(browser: Browser, page_file: Path) -> Iterator[Page]:
    made = opened(browser, page_file)
    yield made
    made.close()


def services(page: Page) -> int:
    """How many services are to be seen."""
    return page.locator("#service-rows tr:not([hidden])").count()


def test_everything_is_there_also_without_scripts(browser: Browser, page_file: Path) -> None:
    page = opened(browser, page_file, scripts=False)
    assert services(page) == SERVICES
    assert page.locator("#route-rows tr").count() == SERVICES
    expect(page.get_by_role("heading", name="To look at")).to_be_visible()
    page.close()


def test_a_search_finds_by_all_its_words_and_says_how_many(page: Page) -> None:
    page.get_by_role("searchbox").fill("stock-0042 blue")
    expect(page.get_by_role("status")).to_have_text("0 of 1000 services, 0 of 1000 routes")
    page.get_by_role("searchbox").fill("STOCK-0042")
    expect(page.get_by_role("status")).to_have_text("1 of 1000 services, 1 of 1000 routes")
    expect(page.locator("#service-rows tr:visible")).to_contain_text("stock-0042.example.test")
    page.get_by_role("searchbox").fill("")
    expect(page.get_by_role("status")).to_have_text("1000 services, 1000 routes")


def test_a_cluster_and_a_network_are_chosen_and_the_address_keeps_the_choice(browser: Browser, page_file: Path, page: Page) -> None:
    page.get_by_label("Cluster", exact=True).select_option("catalogue")
    expect(page.get_by_role("status")).to_have_text("250 of 1000 services, 250 of 1000 routes")
    page.get_by_label("Service network", exact=True).select_option("partners")
    expect(page.get_by_role("status")).to_contain_text("83 of 1000 services")
    fragment = page.evaluate("location.hash")
    again = opened(browser, page_file, fragment=fragment)
    expect(again.get_by_role("status")).to_contain_text("83 of 1000 services")
    expect(again.get_by_label("Cluster", exact=True)).to_have_value("catalogue")
    again.close()


def test_the_keyboard_is_enough(page: Page) -> None:
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("media-0004")
    expect(page.get_by_role("status")).to_contain_text("1 of 1000 services")
    page.keyboard.press("Escape")
    expect(page.get_by_role("status")).to_have_text("1000 services, 1000 routes")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Cluster", exact=True)).to_be_focused()


def luminance(color: str) -> float:
    """Relative luminance of `rgb(r, g, b)` (WCAG 2.2)."""
    parts = [int(part) / 255 for part in color[color.index("(") + 1:-1].split(",")[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_read_in_light_and_dark(browser: Browser, page_file: Path, scheme: ColorScheme) -> None:
    page = opened(browser, page_file, scheme=scheme)
    page.screenshot(path=PICTURES / f"{scheme}.png")
    color = "(selector) => getComputedStyle(document.querySelector(selector)).color"
    paper = luminance(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (paper > 0.5) is (scheme == "light")
    for selector in ("body", ".dim", ".healthy", ".degraded", ".down", ".Refused"):
        ink = luminance(page.evaluate(color, selector))
        contrast = (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05)
        assert contrast >= CONTRAST, (selector, contrast)
    page.close()


def test_it_fits_a_telephone(browser: Browser, page_file: Path) -> None:
    page = opened(browser, page_file)
    page.set_viewport_size({"width": 390, "height": 844})
    page.screenshot(path=PICTURES / "narrow.png")
    # Wide tables move within their frames; the page itself does not.
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.close()


def test_typing_among_a_thousand_services_shows_its_result_at_the_next_frames(page: Page) -> None:
    figures = []
    for word in ("c", "ch", "che", "checkout", "checkout-0995"):
        began = time.monotonic()
        page.get_by_role("searchbox").fill(word)
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        figures.append(time.monotonic() - began)
        assert 0 < services(page) <= SERVICES
    print(f"milliseconds from a key to its result: {', '.join(f'{1000 * one:.0f}' for one in figures)}")
    expect(page.get_by_role("status")).to_contain_text("1 of 1000 services")
