"""The committed page in a headless browser: what it loads, how it fits, what its controls do."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
)

PAGE = Path(__file__).resolve().parents[2] / "results" / "report.html"
BROWSER = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium on the path, and CHROMIUM names none")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=BROWSER)
        yield opened
        opened.close()


@pytest.fixture
def opened(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page that was opened from disk, with ``requests`` and ``complaints`` of what it did."""
    context = browser.new_context(**getattr(request, "param", {"viewport": {"width": 1440, "height": 900}}))
    context.set_default_timeout(180_000)  # a machine with other work may take long to draw all plots
    page = context.new_page()
    page.requests, page.complaints = [], []
    page.on("request", lambda sent: page.requests.append(sent.url))
    page.on("console", lambda said: page.complaints.append(f"{said.type}: {said.text}"))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(PAGE.as_uri())
    yield page
    context.close()


def draw(page: Any, first: int | None = None) -> int:
    """Scroll past plots, the first ones or all, so that they are drawn; how many there are."""
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    places = page.query_selector_all("figure:has([data-plot])")[:first]
    for place in places:
        place.scroll_into_view_if_needed()
        # Waiting for a function would evaluate its text, which the page's security policy forbids.
        place.query_selector("[data-plot]").wait_for_selector(".panel .nsewdrag", state="attached")
    return len(places)


@pytest.mark.parametrize("opened", [{"viewport": {"width": 360, "height": 900}}], indirect=True, ids=["360"])
def test_it_draws_everything_alone_and_everything_fits(opened: Any) -> None:
    """On a telephone, where it is narrowest."""
    assert draw(opened) > 10
    inside = "data:", "blob:", PAGE.as_uri()
    assert [url for url in opened.requests if not url.startswith(inside)] == []
    assert opened.complaints == []
    fits(opened)


def test_a_window_may_be_wide_and_may_be_made_narrow(opened: Any) -> None:
    draw(opened, 8)
    fits(opened)
    opened.set_viewport_size({"width": 768, "height": 900})
    while opened.evaluate("document.documentElement.scrollWidth") > 768:
        opened.wait_for_timeout(200)  # plots follow the window, one after the other
    fits(opened)


def fits(opened: Any) -> None:
    """Nothing is wider than the page, and plots have room."""
    width = opened.evaluate("document.documentElement.clientWidth")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    # Wide tables scroll in a region of their own; everything else ends at the page's edge.
    beyond = """edge => [...document.querySelectorAll('main *')]
        .filter(one => !one.closest('.scroll, pre, svg, .sr') && one.getBoundingClientRect().width > 0
            && one.getBoundingClientRect().right > edge + 1)
        .map(one => one.outerHTML.slice(0, 120))"""
    assert opened.evaluate(beyond, width) == []
    # A legend or long names at a narrow plot's side would leave nothing of the plot.
    drawn = "[...document.querySelectorAll('.panel .nsewdrag')].map(one => one.getBoundingClientRect().width)"
    assert min(opened.evaluate(drawn)) > 150


def test_every_link_and_every_picture_resolves(opened: Any) -> None:
    links = opened.evaluate("[...document.querySelectorAll('a[href]')].map(one => one.getAttribute('href'))")
    ids = set(opened.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)"))
    within = {link[1:] for link in links if link.startswith("#")}
    files = {link for link in links if not link.startswith(("#", "https://"))}
    assert within and within <= ids
    assert files and [file for file in files if not (PAGE.parent / file).exists()] == []
    opened.evaluate("document.querySelectorAll('img').forEach(one => one.loading = 'eager')")
    opened.evaluate("Promise.all([...document.images].map(one => one.decode()))")
    assert opened.evaluate("[...document.images].filter(one => !one.naturalWidth || !one.alt).length") == 0


def shown(page: Any) -> tuple[set[str], set[str]]:
    """The claims that are seen in the overview, and those told in full."""
    seen = """selector => [...document.querySelectorAll(selector)].filter(one => one.offsetParent)
        .map(one => one.dataset.claim)"""
    return tuple(set(page.evaluate(seen, part)) for part in ("tr.claim", "article.claim"))  # type: ignore[return-value]


def test_the_filter_and_the_search(opened: Any) -> None:
    everything, full = shown(opened)
    assert everything == full and len(everything) >= 30
    for verdict in ("violated", "not reproduced"):
        opened.click(f".tile[data-verdict='{verdict}']")
    having = """[...document.querySelectorAll('tr.claim')]
        .filter(one => one.dataset.verdicts.split('|').some(v => ['violated', 'not reproduced'].includes(v)))
        .map(one => one.dataset.claim)"""
    some, full = shown(opened)
    assert some == full == set(opened.evaluate(having)) and 0 < len(some) < len(everything)
    assert opened.inner_text("#status") == f"{len(some)} of {len(everything)} claims"
    opened.fill("#search", "ACKLEY bbi")
    assert shown(opened)[0] == {claim for claim in some if claim.startswith("ackley")} & shown(opened)[1]
    opened.fill("#search", "no such claim")
    assert shown(opened) == (set(), set()) and opened.is_visible("#nothing")
    opened.click("#nothing button")
    assert shown(opened)[0] == everything and opened.input_value("#search") == ""


def test_a_link_leads_to_what_was_filtered_away_or_folded(opened: Any) -> None:
    opened.fill("#search", "zakharov")
    opened.evaluate("location.hash = '#ackley-barrier'")
    opened.wait_for_selector("#ackley-barrier", state="visible")
    run = opened.query_selector("details.run").get_attribute("id")
    opened.evaluate("name => { location.hash = name }", f"#{run}")
    opened.wait_for_selector(f"#{run} dl", state="visible")


def test_the_keyboard_reaches_the_filter_and_a_plot_s_legend(opened: Any) -> None:
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.className") == "skip"
    opened.focus(".tile")
    opened.keyboard.press("Enter")
    assert opened.get_attribute(".tile", "aria-pressed") == "true"
    opened.keyboard.press("Enter")
    draw(opened, 2)
    button = opened.query_selector(".legend:not([hidden]) button")
    button.focus()
    opened.keyboard.press("Space")
    assert button.get_attribute("aria-pressed") == "false"
    name = button.inner_text()
    hidden = """name => document.activeElement.closest('.live').querySelector('.panel').data
        .filter(one => one.legendgroup === name).every(one => one.visible === false)"""
    assert opened.evaluate(hidden, name)


@pytest.mark.parametrize(
    ("opened", "claims"),
    [
        ({"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"}, ""),
        ({"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"}, "ackley"),
    ],
    indirect=["opened"],
    ids=["light", "dark"],
)
def test_axe_finds_nothing_serious(opened: Any, claims: str) -> None:
    """Of the whole page, and where it is dark of some claims, which have all that only a colour changes."""
    draw(opened, 2)  # the others are like them, and axe takes seconds for each
    opened.fill("#search", claims)
    response = axe.Axe().run(opened).response
    assert response["passes"]
    serious = [
        (one["id"], one["nodes"][0]["html"][:200])
        for one in response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []


@pytest.mark.parametrize("opened", [{"java_script_enabled": False}], indirect=True, ids=["no scripts"])
def test_without_scripts_there_are_pictures_and_no_controls(opened: Any) -> None:
    assert not opened.is_visible("#controls")
    pictures = opened.locator("article.claim figure a.static")
    assert pictures.count() > 15 and all(one.is_visible() for one in pictures.all())
    assert not any(one.is_visible() for one in opened.locator(".live").all())


@pytest.mark.parametrize("opened", [{"color_scheme": "dark"}], indirect=True, ids=["dark"])
def test_print_is_dark_on_white_with_static_pictures(opened: Any) -> None:
    draw(opened, 2)
    opened.emulate_media(media="print")
    color, paper = opened.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert (color, paper) == ("rgb(0, 0, 0)", "rgb(255, 255, 255)")
    assert opened.evaluate("[...document.querySelectorAll('article .static')].every(one => one.offsetParent)")
    assert not opened.is_visible("#controls")
