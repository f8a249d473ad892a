"""What all interactive figures promise: words and size before the start, fingers, keys, calm."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Page
from reader import SITE, Visit

from ddl.plotting import COLORS, DASHES
from tools import pages
from tools.sphinx_interactive import SCRIPTS, WORDS, palette

NAMES = sorted(path.stem for path in SCRIPTS.glob("*.js") if path.stem != "kit")
OPERATED = ":is(button, select, input, canvas[tabindex]):visible"
PLAYED = {"convolution": "Play", "diffusion": "Play", "image_diffusion": "Play"}
PLAYED |= {"upsampling": "Play", "vae": "Walk"}


def megabytes(text: str) -> float:
    found = re.search(r"([\d.]+) MB", text)
    assert found is not None, text
    return float(found[1])


def of_figures(loaded: list[tuple[str, int]]) -> list[tuple[str, int]]:
    return [(url, size) for url, size in loaded if re.search("/_static/(interactive|onnx)", url)]


def agrees(told: float, loaded: list[tuple[str, int]]) -> bool:
    """Whether a size in MB is that of a figure's files, as it is rounded or half a percent off."""
    size = sum(size for _, size in of_figures(loaded)) / 1e6
    return told == pytest.approx(size, abs=0.051 if size >= 1 else 0.0051, rel=5e-3)


@pytest.mark.parametrize("name", NAMES)
def test_title_what_to_try_and_size_are_told_before_anything_is_loaded(visit, name: str) -> None:
    found = visit()
    page = found.open(name)
    words = yaml.safe_load(WORDS.read_text(encoding="utf-8"))[name]
    place = page.get_by_role("group", name=words["title"], exact=True)
    assert place.locator(".ddl-figure-title").text_content() == words["title"]
    assert place.locator(".ddl-try").text_content().startswith(f"Try: {words['try'].strip()}")
    button = place.get_by_role("button", name="Start the interactive figure")
    told = megabytes(button.inner_text())
    assert of_figures(found.loaded) == []
    found.loaded.clear()
    button.click()
    page.wait_for_selector("[data-started]")
    page.wait_for_load_state("networkidle")
    assert agrees(told, found.loaded), (told, found.loaded)
    assert place.locator(".ddl-figure-title").is_visible()
    assert place.locator(".ddl-try").is_visible()


def test_a_runtime_is_loaded_when_a_model_is_run(visit) -> None:
    found = visit()
    page = found.start("diffusion")
    assert not any("onnx" in url for url, _ in found.loaded)
    told = megabytes(page.locator(".ddl-try").inner_text())
    found.loaded.clear()
    page.get_by_role("combobox", name="noise predicted").select_option("by the page's network")
    page.locator(".ddl-readout", has_text="At step 1000").wait_for()
    page.wait_for_load_state("networkidle")
    assert agrees(told, found.loaded), (told, found.loaded)


@pytest.mark.parametrize("name", NAMES)
def test_without_scripts_words_stand_there(browser, address: str, name: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}{name}.html")
    place = page.locator(".ddl-interactive")
    assert "This figure needs scripts." in place.inner_text()
    assert place.locator(".ddl-figure-title").is_visible()
    assert place.locator("button").count() == 0
    context.close()


def swipe(page: Page, canvas: int) -> float:
    """Put a finger on a canvas and move it up by 150 pixels; return how far the page scrolls."""
    node = page.locator(".ddl-stage canvas").nth(canvas)
    node.evaluate("node => node.scrollIntoView({ block: 'center', behavior: 'instant' })")
    box = node.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = page.evaluate("scrollY")
    finger = page.context.new_cdp_session(page)
    for step in range(11):
        kind = "touchMove" if step else "touchStart"
        points = [{"x": x, "y": y - 15 * step}]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.wait_for_timeout(20)
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(300)
    return page.evaluate("scrollY") - before


@pytest.mark.parametrize("name", NAMES)
def test_a_swipe_scrolls_the_page_but_where_a_canvas_is_dragged(visit, name: str) -> None:
    page = visit("phone").start(name)
    canvases = page.locator(".ddl-stage canvas")
    for number in range(canvases.count()):
        dragged = canvases.nth(number).get_attribute("tabindex") == "0"
        assert (swipe(page, number) > 100) == (not dragged), number


@pytest.mark.parametrize("name", NAMES)
def test_the_keyboard_reaches_every_control_and_shows_where_it_is(visit, name: str) -> None:
    page = visit().start(name)
    controls = page.locator(f".ddl-stage {OPERATED}")
    controls.first.focus()
    for number in range(controls.count()):
        node = controls.nth(number)
        assert node.evaluate("node => node === document.activeElement"), number
        style, width = node.evaluate(
            "node => [getComputedStyle(node).outlineStyle, getComputedStyle(node).outlineWidth]"
        )
        if number:  # the first was not reached by a key
            assert (style, width) == ("solid", "2px"), number
        page.keyboard.press("Tab")


@pytest.mark.parametrize(("view", "least"), [("desktop", 24), ("phone", 44)])
@pytest.mark.parametrize("name", NAMES)
def test_every_control_is_large_enough(visit, name: str, view: str, least: int) -> None:
    page = visit(view).open(name)
    sides = "found => found.map(n => n.getBoundingClientRect()).flatMap(b => [b.width, b.height])"
    assert min(page.locator(".ddl-interactive button").evaluate_all(sides)) >= least
    page.click(".ddl-start")
    page.wait_for_selector("[data-started]")
    assert min(page.locator(f".ddl-stage {OPERATED}").evaluate_all(sides)) >= least


@pytest.mark.parametrize("name", NAMES)
def test_what_is_dragged_says_so_and_obeys_arrow_keys(visit, name: str) -> None:
    page = visit().start(name)
    for canvas in page.locator(".ddl-stage canvas").all():
        if canvas.get_attribute("tabindex") is None:
            assert canvas.get_attribute("role") == "img"
            continue
        assert canvas.get_attribute("role") == "application"
        assert re.search("arrow keys", canvas.get_attribute("aria-label") or "", re.IGNORECASE)
        picture = canvas.evaluate("node => node.toDataURL()")
        for key in ("ArrowRight", "ArrowDown"):
            canvas.press(key)
            changed = "([node, before]) => node.toDataURL() !== before"
            assert canvas.evaluate(f"(node, before) => ({changed})([node, before])", picture)
            picture = canvas.evaluate("node => node.toDataURL()")


SPOKEN = """() => {
  window.spoken = [];
  window.seen = 0;
  const live = "[aria-live=polite], [role=status], [role=alert], output";
  for (const node of document.querySelectorAll(".ddl-stage, .ddl-stage *")) {
    if (!node.matches(live)) continue;
    const note = () => spoken.push([performance.now(), node.textContent]);
    const all = { childList: true, characterData: true, subtree: true };
    new MutationObserver(note).observe(node, all);
  }
  for (const node of document.querySelectorAll(".ddl-readout")) {
    new MutationObserver(() => (seen += 1)).observe(node, { childList: true });
  }
}"""


@pytest.mark.parametrize("name", PLAYED)
def test_a_screen_reader_is_told_when_motion_ends(visit, name: str) -> None:
    page = visit().start(name)
    page.wait_for_timeout(1500)  # until what is seen at the start is told
    page.evaluate(SPOKEN)
    page.get_by_role("button", name=PLAYED[name], exact=True).click()
    page.get_by_role("button", name="Stop").wait_for()
    page.get_by_role("button", name=PLAYED[name], exact=True).wait_for()
    page.wait_for_timeout(1500)
    spoken = page.evaluate("spoken")
    assert page.evaluate("seen") > 3
    assert all(b[0] - a[0] > 990 for a, b in pairwise(spoken))
    assert spoken[-1][1] == page.locator(".ddl-readout").first.text_content()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_plays_by_itself(visit, name: str) -> None:
    found: Visit = visit()
    found.page.emulate_media(reduced_motion="reduce")
    page = found.start(name)
    page.locator(".ddl-readout", has_text=re.compile(r"\d")).first.wait_for()
    page.wait_for_timeout(1800)  # until it was told to screen readers, too
    look = """() => [...document.querySelectorAll(".ddl-stage canvas")]
      .map((node) => node.toDataURL()).concat(document.querySelector(".ddl-stage").innerText)"""
    before = page.evaluate(look)
    page.wait_for_timeout(500)
    assert page.evaluate(look) == before
    if name in PLAYED:  # and what is played is at its end at once
        page.get_by_role("button", name=PLAYED[name], exact=True).click()
        page.wait_for_timeout(300)
        assert page.get_by_role("button", name="Stop").count() == 0
        assert page.evaluate(look) != before


def test_scripts_take_the_still_figures_colours() -> None:
    written = (SITE / "_static" / "interactive" / "palette.js").read_text(encoding="utf-8")
    assert written == palette()
    assert all(color in written for color in COLORS)
    assert len(DASHES) == written.split("DASHES = ")[1].split(";")[0].count("[") - 1
    for script in [*SCRIPTS.glob("*.js"), Path(SCRIPTS.parent / "site.js")]:
        text = script.read_text(encoding="utf-8").lower()
        assert [color for color in COLORS[:-1] if color.lower() in text] == [], script.name


def test_every_figure_has_its_words() -> None:
    words = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    assert sorted(words) == NAMES
    assert all(
        {"title", "try"} <= set(entry) <= {"title", "try", "later"} for entry in words.values()
    )
    assert set(words) <= set(pages.slugs())
