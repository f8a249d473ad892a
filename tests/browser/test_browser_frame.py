"""The frame around a page: where the reader is, the menu, the outline, and how keys reach them."""

import re
from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect
from reader import SITE

from tools import pages

MENU, OUTLINE = "#ddl-chapters", "#ddl-outline"
FOCUSED = "document.activeElement"
SHARE = "Number(getComputedStyle(document.querySelector('.ddl-read')).transform.split(/[(,]/)[1])"


def opener(page: Page, drawer: str):
    return page.locator(f"[popovertarget={drawer[1:]}]")


def tabbed(page: Page, count: int) -> list[str]:
    """Return the ids of the drawers that the next stops of the tab key lie in."""
    found = []
    for _ in range(count):
        page.keyboard.press("Tab")
        found.append(page.evaluate(f"{FOCUSED}.closest('[popover]')?.id ?? ''"))
    return found


@pytest.mark.parametrize("view", ["desktop", "phone"])
def test_the_bar_says_where_the_reader_is(visit, view: str) -> None:
    page = visit(view).open("gating")
    section = page.locator(".ddl-section")
    expect(section).to_have_text("1. Gates")
    assert page.evaluate(SHARE) == 0
    page.evaluate("document.getElementById('exercises').scrollIntoView({behavior: 'instant'})")
    expect(section).to_have_text("Exercises")
    assert 0.5 < page.evaluate(SHARE) < 1
    heading = page.locator("#exercises > h2").bounding_box()
    bar = page.locator(".mobile-header").bounding_box()
    assert heading
    assert bar
    assert bar["y"] == 0
    assert heading["y"] >= bar["height"] >= 44
    page.evaluate("scrollTo({top: document.body.scrollHeight, behavior: 'instant'})")
    page.wait_for_function(f"{SHARE} > 0.999")


def test_a_wide_window_has_the_outline_beside_the_text(visit) -> None:
    page = visit().open("gating")
    page.set_viewport_size({"width": 1440, "height": 900})
    expect(page.locator(".mobile-header")).to_be_hidden()
    expect(page.locator(f"{OUTLINE} a[href='#exercises']")).to_be_visible()
    expect(page.locator(f"{MENU} a[href='vae.html']")).to_be_visible()
    page.set_viewport_size({"width": 1439, "height": 900})
    expect(page.locator(".mobile-header")).to_be_visible()
    expect(page.locator(OUTLINE)).to_be_hidden()


@pytest.mark.parametrize("drawer", [MENU, OUTLINE])
def test_keys_open_and_close_menu_and_outline(visit, drawer: str) -> None:
    page = visit("phone").open("gating")
    assert MENU[1:] not in (stops := tabbed(page, 12))
    assert OUTLINE[1:] not in stops
    opener(page, drawer).focus()
    page.keyboard.press("Enter")
    expect(page.locator(drawer)).to_be_visible()
    assert set(tabbed(page, 3)) == {drawer[1:]}
    page.keyboard.press("Escape")
    expect(page.locator(drawer)).to_be_hidden()
    assert page.evaluate(f"{FOCUSED}.getAttribute('popovertarget')") == drawer[1:]


@pytest.mark.parametrize("drawer", [MENU, OUTLINE])
def test_a_tap_outside_closes_and_does_nothing_else(visit, drawer: str) -> None:
    page = visit("phone").open("gating")
    opener(page, drawer).tap()
    expect(page.locator(drawer)).to_be_visible()
    link = page.locator(".ddl-run").first
    everywhere = "position: fixed; inset: 0; z-index: 9"
    link.evaluate(f"(link) => {{ link.style = '{everywhere}'; }}")
    page.touchscreen.tap(20 if drawer == OUTLINE else 370, 500)
    expect(page.locator(drawer)).to_be_hidden()
    page.wait_for_timeout(200)
    assert page.url.endswith("gating.html")


def test_choosing_a_section_goes_there_and_closes_the_outline(visit) -> None:
    page = visit("phone").open("gating")
    opener(page, OUTLINE).tap()
    page.locator(f"{OUTLINE} a[href='#exercises']").tap()
    expect(page.locator(OUTLINE)).to_be_hidden()
    expect(page.locator("#exercises > h2")).to_be_in_viewport()
    expect(page.locator(".ddl-section")).to_have_text("Exercises")


def test_without_scripts_nothing_of_it_is_lost(browser, address: str) -> None:
    context = browser.new_context(
        java_script_enabled=False, viewport={"width": 390, "height": 844}, has_touch=True
    )
    page = context.new_page()
    page.goto(f"{address}gating.html")
    expect(page.locator(".ddl-section")).to_have_text("1. Gates")
    opener(page, OUTLINE).focus()
    page.keyboard.press("Enter")
    expect(page.locator(f"{OUTLINE} a[href='#exercises']")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(OUTLINE)).to_be_hidden()
    opener(page, MENU).tap()
    page.locator(f"{MENU} a[href='vae.html']").tap()
    page.wait_for_url("**/vae.html")
    context.close()


def test_the_menu_serves_a_reader_who_zooms(visit) -> None:
    page = visit("desktop").open("gating")
    page.set_viewport_size({"width": 650, "height": 450})  # 1300 x 900 at 200 %
    expect(page.get_by_role("navigation", name="Chapters")).to_be_hidden()
    opener(page, MENU).click()
    menu = page.get_by_role("navigation", name="Chapters")
    expect(menu).to_be_visible()
    last = menu.get_by_role("link").last
    last.focus()
    expect(last).to_be_in_viewport(ratio=1)
    page.keyboard.press("Enter")
    page.wait_for_url("**/bibliography.html")


def test_chapters_are_numbered_and_evidence_is_not(visit) -> None:
    page = visit().open("vae")
    page.set_viewport_size({"width": 1500, "height": 900})
    menu = page.locator(f"{MENU} .toctree-l1").all_inner_texts()
    chapters = [
        f"{number}. {pages.short_title(slug)}" for number, slug in enumerate(pages.slugs(), start=1)
    ]
    assert menu[: len(chapters)] == chapters
    assert not [name for name in menu[len(chapters) :] if re.match(r"\d", name)]
    number = pages.slugs().index("vae") + 1
    assert page.locator("h1").inner_text().startswith(f"{number}. How does")
    assert page.title().startswith(f"{number}. How does")


def test_the_theme_button_says_the_theme(visit) -> None:
    page = visit("desktop", "dark").open("gating")
    for name in ("as the system, dark", "light", "dark", "as the system, dark"):
        button = page.get_by_role("button", name=f"Theme: {name}", exact=True)
        expect(button).to_be_visible()
        button.click()


def test_a_listing_has_one_tab_stop_for_its_buttons_and_shows_it(visit) -> None:
    page = visit().open("gating")
    page.wait_for_selector(".copybtn", state="attached")  # the first may be folded
    counts = page.locator(".highlight").evaluate_all(
        "found => found.map((box) => box.querySelectorAll('button:not([tabindex=\"-1\"])').length)"
    )
    assert len(counts) > 10
    assert max(counts) == 1
    page.locator(".ddl-launch a").last.focus()
    for _ in range(30):
        if not page.evaluate(f"{FOCUSED}.matches('.copybtn')"):
            page.keyboard.press("Tab")
    button = page.locator(".copybtn:focus")
    expect(button).to_have_css("opacity", "1")
    expect(button).to_have_css("outline-style", "solid")
    expect(button).to_have_accessible_name("Copy to clipboard")


def test_headings_are_in_order_on_every_page() -> None:
    if not (SITE / "intro.html").is_file():
        pytest.skip("no site in _build/html: run make book first")
    for path in SITE.glob("*.html"):
        article = (
            path.read_text(encoding="utf-8").partition("<article")[2].partition("</article")[0]
        )
        levels = [int(level) for level in re.findall(r"<h([1-6])\b", article)]
        if path.name == "index.html":  # it only leads on
            continue
        assert levels[0] == 1, path.name
        assert levels.count(1) == 1, path.name
        jumps = [pair for pair in pairwise(levels) if pair[1] > pair[0] + 1]
        assert jumps == [], path.name
