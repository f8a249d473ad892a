"""Every page of the site as readers meet it: desktop and phone, light and dark."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page
from reader import SITE, Visit

from tools import pages

NAMES = [*pages.files(), "search", "genindex", "py-modindex"]
VIEWS = [("desktop", "light"), ("desktop", "dark"), ("phone", "light"), ("phone", "dark")]
# Contrast depends on the theme, all else on the view. It takes axe three quarters of its time:
# so each page's is looked at once a theme, and on all visits where the frame of all pages is seen.
CONTRAST = {
    ("desktop", "light"): "",
    ("desktop", "dark"): "runOnly: ['color-contrast']",
    ("phone", "light"): "rules: {'color-contrast': {enabled: false}}",
}
FRAME = ("gating", "ledger", "search")
FIGURES = sorted(
    path.stem for path in (pages.ROOT / "web/static/interactive").glob("*.js") if path.stem != "kit"
)
# The weight of a first view: what loads before a reader scrolls or starts anything.
MOST_BYTES, MOST_REQUESTS = 250_000, 15

PROSE = """() => {
  const copy = document.querySelector("article").cloneNode(true);
  for (const node of copy.querySelectorAll("pre, code, math, script, style")) node.remove();
  return copy.textContent;
}"""
CUT = """(found) => found.filter((node) => {
  const shown = node.clientWidth;
  Object.assign(node.style, { flex: "none", maxWidth: "none" });
  return node.clientWidth > shown;
}).map((node) => node.textContent)"""
# Formulas, names and cells that stick out of the text and out of every box that scrolls.
LOST = """() => {
  const edge = document.querySelector("article").getBoundingClientRect().right + 1;
  const scrolls = (node) => /auto|scroll/.test(getComputedStyle(node).overflowX);
  const boxed = (node) => node && (scrolls(node) || boxed(node.parentElement.closest("article *")));
  return [...document.querySelectorAll("article :is(math, code, td)")]
    .filter((node) => node.getBoundingClientRect().right > edge && !boxed(node))
    .map((node) => node.textContent);
}"""
SHIFT = """() => new Promise((done) => {
  new PerformanceObserver((list) => {}).observe({ type: "layout-shift", buffered: true });
  const seen = [];
  const watch = new PerformanceObserver((list) => seen.push(...list.getEntries()));
  watch.observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(seen.reduce((sum, entry) => sum + entry.value, 0)), 100);
})"""


@pytest.mark.parametrize("name", NAMES)
def test_page_is_sound(visit, name: str) -> None:
    for view, theme in VIEWS:
        found = visit(view, theme)
        first = (view, theme) == VIEWS[0]
        page = found.open(name, slowly=first)  # what shifts, shifts while more arrives
        where = f"{name}, {view}, {theme}"
        if first:
            is_light_and_stays_in_place(found, name)
            shows_no_markup(page)
        assert found.foreign == [], where
        assert found.complaints == [], where
        assert found.overflow() <= 0, where
        assert page.evaluate(LOST) == [], where
        if name in FRAME:
            assert found.faults() == [], where
        elif (view, theme) in CONTRAST:
            assert found.faults(rules=CONTRAST[view, theme]) == [], where
        found.context.close()


def is_light_and_stays_in_place(found: Visit, name: str) -> None:
    weight = sum(size for _, size in found.loaded)
    print(f"{name}: {len(found.loaded)} requests, {weight:,} bytes")
    if name != "search":  # it loads the index of the whole book
        assert len(found.loaded) <= MOST_REQUESTS, found.loaded
        assert weight <= MOST_BYTES, found.loaded
    assert found.page.evaluate(SHIFT) < 0.02


def shows_no_markup(page: Page) -> None:
    text = page.evaluate(PROSE)
    for raw in (r"\$\$", r"\\[a-zA-Z]+\{", r"```", r"\{(doc|ref|cite|numref)[^}]*\}`", r"\w\$\W"):
        markup = re.search(f".{{0,60}}{raw}.{{0,60}}", text)
        assert not markup, markup


@pytest.mark.parametrize(("view", "theme"), VIEWS)
@pytest.mark.parametrize("name", FIGURES)
def test_a_started_figure_is_sound(visit, name: str, view: str, theme: str) -> None:
    found = visit(view, theme)
    found.start(name)
    assert found.foreign == []
    assert found.complaints == []
    assert found.overflow() <= 0
    assert found.page.locator(".ddl-stage select").evaluate_all(CUT) == []
    assert found.faults("'.ddl-interactive'") == []


def test_every_page_is_tested() -> None:
    if not SITE.is_dir():
        pytest.skip("no site in _build/html: run make book first")
    assert {path.stem for path in SITE.glob("*.html")} == {*NAMES, "index", "404"}


def test_there_is_one_search_box(visit) -> None:
    assert visit().open("gating").locator("input[name=q]").count() == 1


def test_the_keyboard_reaches_content_theme_and_launch(visit) -> None:
    page = visit().open("gating")
    page.keyboard.press("Tab")
    focused = "document.activeElement"
    assert "skip-to-content" in page.evaluate(f"{focused}.className")
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(f"({focused}.textContent || {focused}.ariaLabel || '').trim()"))
    assert "Download the notebook" in seen


def test_folded_solutions_open_without_scripts(browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}gating.html")
    first = page.locator("details.ddl-solution").first
    assert first.locator("pre").first.is_hidden()
    first.locator("summary").click()
    assert first.locator("pre").first.is_visible()
    # A still picture stands where an interactive figure would be.
    assert page.locator(".cell_output:has(.ddl-interactive) img").count() == 1
    context.close()


def test_pictures_are_crisp_and_described(visit) -> None:
    page = visit().open("gating")
    pictures = page.locator("article img").evaluate_all(
        "found => found.map(i => [i.alt, i.loading, i.getAttribute('width'), i.src])"
    )
    assert len(pictures) >= 5
    assert all(len(alt) >= 40 for alt, *_ in pictures)
    assert [loading for _, loading, *_ in pictures][1:] == ["lazy"] * (len(pictures) - 1)
    page.locator("article img").last.scroll_into_view_if_needed()
    page.wait_for_function("[...document.querySelectorAll('article img')].at(-1).complete")
    ratio = page.locator("article img").last.evaluate("i => i.naturalWidth / i.clientWidth")
    assert ratio >= 1.8


def test_a_site_opened_from_a_folder_says_what_it_needs(browser) -> None:
    if not SITE.is_dir():
        pytest.skip("no site in _build/html: run make book first")
    context = browser.new_context()
    page = context.new_page()
    page.goto((SITE / "gating.html").as_uri())
    page.locator(".ddl-start").first.click()
    assert "http.server" in page.locator("[role=alert]").first.text_content()
    context.close()


def test_a_missing_page_is_answered_kindly(visit, address: str) -> None:
    found = visit()
    text = (SITE / "404.html").read_text(encoding="utf-8")
    links = set(re.findall(r'(?:href|src)="([^"#]+)"', text))
    base = re.search(
        r'rel="canonical" href="\w+://[^/]+(/[^"]*)intro.html"',
        (SITE / "intro.html").read_text(encoding="utf-8"),
    )
    assert base is not None
    # Whatever the address that was not found, everything is named from the top.
    places = {urlsplit(link).path for link in links if not link.startswith("https:")}
    assert all(place.startswith(base[1]) for place in places), places
    for link in places - {base[1] + "404.html"}:
        assert (SITE / link.removeprefix(base[1]).partition("?")[0]).exists(), link
    found.page.goto(address + "404.html")
    assert "not found" in found.page.locator("article").inner_text().lower()
