"""A page on paper: nothing over the words, no empty halves of sheets, and a foot that says what."""

import re

import pytest
from playwright.sync_api import expect
from reader import SITE

SHEET = 794  # pixels across A4, and those of its text between the margins of site.css
TEXT = (673, 986)
FRAME = (".skip-to-content", ".mobile-header", "#ddl-chapters", "#ddl-outline", ".back-to-top")
SHEET_RULES = """() => [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules])
  .filter((rule) => rule instanceof CSSPageRule).map((rule) => rule.cssText).join("\\n")"""
LOADED = "[...document.images].every((image) => image.complete)"


@pytest.mark.parametrize("width", [673, 1500])
def test_paper_shows_the_text_alone(visit, width: int) -> None:
    page = visit("desktop", "dark").open("gating")
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(media="print")
    for part in (*FRAME, ".ddl-launch", ".copybtn"):
        for box in page.locator(part).all():
            expect(box).to_be_hidden()
    expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")
    text = page.locator("article").bounding_box()
    assert text
    assert text["width"] > 0.97 * width


def test_solutions_are_printed_as_the_reader_left_them(visit) -> None:
    page = visit().open("gating")
    solutions = page.locator("details.ddl-solution")
    solutions.first.locator("summary").first.click()
    page.emulate_media(media="print")
    expect(solutions.first.locator("pre").first).to_be_visible()
    expect(solutions.last.locator("pre").first).to_be_hidden()


def test_the_foot_says_address_commit_and_number(visit) -> None:
    page = visit().open("vae")
    rules = page.evaluate(SHEET_RULES)
    canonical = re.search(
        r'rel="canonical" href="([^"]+)"', (SITE / "vae.html").read_text(encoding="utf-8")
    )
    assert canonical
    assert f'@bottom-left {{ content: "{canonical[1]}"; }}' in rules
    assert re.search(r'@bottom-center \{ content: "commit [0-9a-f]{12}"; \}', rules)
    assert 'counter(page) " / " counter(pages)' in rules


@pytest.mark.parametrize("name", ["gating", "residual", "ledger", "reference"])
def test_sheets_are_filled(visit, name: str) -> None:
    page = visit().open(name)
    page.set_viewport_size({"width": SHEET, "height": TEXT[1]})
    page.emulate_media(media="print")
    page.evaluate(f"document.body.style.width = '{TEXT[0]}px'")
    page.locator("img[loading]").evaluate_all("found => found.forEach((i) => i.loading = 'eager')")
    page.wait_for_function(LOADED)
    filled = page.locator(".content").evaluate("(node) => node.scrollHeight") / TEXT[1]
    page.evaluate("document.body.style.width = ''")
    sheets = len(re.findall(rb"/Type /Page\b", page.pdf(format="A4")))
    assert filled <= sheets <= 1.08 * filled + 1
