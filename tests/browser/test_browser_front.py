"""The front page in a browser: a walk to scrub, a claim to break, and ways in."""

import re

import pytest
from reader import SITE

from tools import pages
from tools.sphinx_front import duration

FRAME = ".ddl-walk-now .ddl-frame"
CARD = ".ddl-breakable .ddl-claim"


def frame(page) -> tuple[str, str]:
    style = page.locator(FRAME).get_attribute("style")
    return tuple(re.findall(r"(?:--frame|--digit): ?(\d+)", style))


def test_the_walk_plays_once_and_obeys_the_reader(visit) -> None:
    page = visit().open("intro")
    page.wait_for_function(f"document.querySelector('{FRAME}').style.cssText.includes('frame: 20')")
    steps = page.get_by_role("slider", name="steps")
    steps.focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    assert frame(page) == ("15", "3")
    assert steps.get_attribute("aria-valuetext") == "after 15 of 20 steps"
    page.get_by_label("ask for").select_option("7")
    page.wait_for_function(f"document.querySelector('{FRAME}').style.cssText.includes('frame: 20')")
    assert frame(page) == ("20", "7")
    assert "handwritten 7" in page.locator(".ddl-walk-strip").get_attribute("aria-label")


def test_less_motion_shows_the_end_at_once(browser, address: str) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{address}intro.html")
    page.wait_for_selector(".ddl-walk button")
    assert frame(page) == ("20", "3")
    page.click(".ddl-walk button")
    assert frame(page) == ("20", "3")
    context.close()


def test_without_scripts_the_front_page_is_whole(browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}intro.html")
    assert page.locator(".ddl-walk-strip .ddl-frame").count() == 7
    assert page.locator(".ddl-break").is_hidden()
    assert "✓ Away from the border, kernel 4" in page.locator(CARD).inner_text()
    assert page.locator(".ddl-tiles li").count() == len(pages.slugs())
    context.close()


def test_the_claim_breaks_and_mends(visit) -> None:
    found = visit()
    page = found.open("intro")
    built = page.locator(CARD).inner_text()
    for kernel, stride, measured, verdict in (
        (3, 2, "(1, 4)", "fails"),
        (5, 2, "(4, 9)", "fails"),
        (1, 2, "(0, 1)", "fails"),
        (6, 3, "(4, 4)", "holds"),
        (4, 2, "(4, 4)", "holds"),
    ):
        page.get_by_label("kernel").fill(str(kernel))
        page.get_by_label("stride").fill(str(stride))
        card = page.locator(CARD)
        assert f"kernel {kernel} with stride {stride} stamps a pixel 4 times" in card.inner_text()
        facts = card.locator(".ddl-facts b").all_inner_texts()
        assert (facts[0], facts[2]) == (measured, verdict)
        assert f"ddl-{verdict}" in card.get_attribute("class")
        if verdict == "fails":
            assert found.faults(f"'{CARD}'") == []
    assert page.locator(CARD).inner_text() == built


def test_each_tile_has_its_own_figure_and_a_measured_time(visit) -> None:
    page = visit().open("intro")
    tiles = page.locator(".ddl-tiles li")
    places = page.locator(".ddl-tiles img").evaluate_all(
        "found => found.map(i => [getComputedStyle(i).objectPosition, i.clientHeight, i.loading])"
    )
    assert len({place for place, *_ in places}) == tiles.count() == len(pages.slugs())
    assert {(height, loading) for _, height, loading in places} == {(150, "lazy")}
    for k, slug in enumerate(pages.slugs()):
        seconds = pages.executed(slug).metadata["ddl"]["seconds"]
        said = tiles.nth(k).locator(".ddl-minutes").inner_text()
        assert said.endswith(f" min to read, {duration(seconds)} to run")
    tiles.nth(5).click(position={"x": 20, "y": 20})
    page.wait_for_url(f"**/{pages.slugs()[5]}.html")


@pytest.mark.parametrize("density", [1, 2])
def test_a_tile_is_as_large_on_coarse_and_on_fine_screens(
    browser, address: str, density: int
) -> None:
    context = browser.new_context(device_scale_factor=density)
    page = context.new_page()
    page.goto(f"{address}intro.html")
    tile = page.locator(".ddl-tiles img").first
    tile.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.ddl-tiles img').complete")
    assert tile.evaluate("(image) => image.naturalWidth") == 240
    context.close()


def test_the_times_are_those_of_the_status_page() -> None:
    if not SITE.is_dir():
        pytest.skip("no site in _build/html: run make book first")
    seconds = [pages.executed(slug).metadata["ddl"]["seconds"] for slug in pages.slugs()]
    text = re.sub(r"<[^>]+>|\s+", " ", (SITE / "intro.html").read_text(encoding="utf-8"))
    assert f"between {duration(min(seconds))} and {duration(max(seconds))}" in text
