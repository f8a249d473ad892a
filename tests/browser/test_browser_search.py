"""The search: questions of students lead to the section that answers them."""

import gzip
import re

import pytest
from playwright.sync_api import Page
from reader import SITE

from tools import pages

HITS = "#search-results a"
MOST_BYTES = 300_000  # of what the search page loads more than others, compressed
QUESTIONS = {
    "how do I sample from a VAE": "vae.html#draw-new-digits",
    "what does a 1x1 convolution cost": "convolution.html#a-window-of-one-pixel",
    "why do deeper networks get worse": "residual.html#deeper-and-worse",
    "degradation": "residual.html#deeper-and-worse",
    "checkerboard": "upsampling.html#what-it-costs-some-pixels-are-stamped-more-often",
    "vanishing gradient in an RNN": "gating.html#a-gate-over-time",
    "why divide by the square root of d": "attention.html#why-the-root-of-d",
    "is an autoencoder better than PCA?": "autoencoder.html#is-the-network-always-better",
    "IoU or Dice": "segmentation.html#which-score-says-that-an-outline-is-right",
    "reparameterization trick": "vae.html#why-the-noise-comes-from-outside",
    "sigmoid": "gating.html#one-unit-is-a-soft-switch",
    "CFG": "image_diffusion.html#ask-for-a-digit",
}


def ask(page: Page, question: str) -> list[str]:
    """Return where the sections lead that a question finds, best first."""
    page.fill("#ddl-question", "")
    page.wait_for_function(f"!document.querySelector('{HITS}')")
    page.fill("#ddl-question", question)
    page.wait_for_selector(HITS)
    return page.locator(HITS).evaluate_all("found => found.map(a => a.getAttribute('href'))")


def test_questions_find_their_section_first(visit) -> None:
    page = visit().open("search")
    assert {question: ask(page, question)[0] for question in QUESTIONS} == QUESTIONS


def test_what_is_shown_is_prose(visit) -> None:
    page = visit().open("search")
    for question in ("torch import", "ran for seconds", "figure", "backward"):
        ask(page, question)
        for text in page.locator("#search-results p").all_inner_texts():
            assert not re.search(r"^(import|from) \w|Ran in \d|plt\.", text), text


def test_a_hit_lands_at_its_section_and_the_words_are_marked(visit) -> None:
    page = visit().open("search")
    ask(page, "checkerboard")
    assert "checkerboard" in page.locator("#search-results li mark").first.inner_text().lower()
    page.locator(HITS).first.click()
    page.wait_for_load_state()
    where = page.url.partition("#")[2]
    assert page.locator(f"section[id='{where}'] > h2").is_visible()


def test_every_hit_leads_to_a_place_that_is_there() -> None:
    if not SITE.is_dir():
        pytest.skip("no site in _build/html: run make book first")
    script = (SITE / "_static" / "sections.js").read_text(encoding="utf-8")
    found = re.findall(r'"to":"([^"#]+)(?:#([^"]+))?"', script)
    assert len(found) > 300
    texts = {name: (SITE / name).read_text(encoding="utf-8") for name, _ in found}
    assert [(n, a) for n, a in found if a and f'id="{a}"' not in texts[n]] == []


def test_the_sidebar_and_the_keyboard_alone_reach_a_section(visit) -> None:
    page = visit().open("gating")
    page.fill(".sidebar-search", "posterior collapse")
    page.press(".sidebar-search", "Enter")
    page.wait_for_selector(HITS)
    assert page.url.endswith("search.html?q=posterior+collapse")
    count = page.locator("#ddl-count[role=status]").inner_text()
    assert re.fullmatch(r"Found (\d+|the best \d+ of \d+) sections\.", count)
    # The term's own line stands above, and is the first stop of the arrows.
    focused = "document.activeElement.getAttribute('href')"
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == "glossary.html#term-posterior-collapse"
    page.keyboard.press("ArrowDown")
    first = page.evaluate(focused)
    assert first == "vae.html#digits-and-the-weight-between-the-two-losses"
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) not in (None, first)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/vae.html#digits-and-the-weight-between-the-two-losses")


def test_nothing_found_is_said(visit) -> None:
    page = visit().open("search")
    page.fill("#ddl-question", "xylophone")
    page.wait_for_function("document.querySelector('#ddl-count').textContent.includes('Nothing')")
    assert page.locator(HITS).count() == 0


@pytest.mark.parametrize("view", ["desktop", "phone"])
def test_what_is_found_is_sound(visit, view: str) -> None:
    found = visit(view, "dark")
    page = found.open("search")
    ask(page, "what is a bottleneck block")
    assert found.complaints == []
    assert found.overflow() <= 0
    assert found.faults("'article'") == []


def test_the_search_weighs_little_and_only_on_its_page(visit) -> None:
    found = visit()
    found.open("gating")
    scripts = {"minisearch.js", "sections.js", "search.js", "language_data.js", "searchindex.js"}
    assert not [url for url, _ in found.loaded if url.split("/")[-1].partition("?")[0] in scripts]
    names = ("minisearch.js", "sections.js", "search.js", "language_data.js")
    sizes = [len(gzip.compress((SITE / "_static" / n).read_bytes())) for n in names]
    print(f"search: {sum(sizes):,} bytes")
    assert sum(sizes) <= MOST_BYTES


def test_the_search_works_in_a_folder(browser) -> None:
    if not SITE.is_dir():
        pytest.skip("no site in _build/html: run make book first")
    context = browser.new_context()
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{(SITE / 'search.html').as_uri()}?q=checkerboard")
    page.wait_for_selector(HITS)
    assert ask(page, "degradation")[0] == "residual.html#deeper-and-worse"
    assert complaints == []
    context.close()


def test_every_chapter_is_in_the_search() -> None:
    if not SITE.is_dir():
        pytest.skip("no site in _build/html: run make book first")
    script = (SITE / "_static" / "sections.js").read_text(encoding="utf-8")
    assert [slug for slug in pages.slugs() if f'"to":"{slug}.html"' not in script] == []
