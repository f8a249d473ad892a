"""Folded code, cards and guesses in a browser."""

import re

from playwright.sync_api import expect
from reader import Visit

HEIGHT = "card => card.offsetHeight"
ASKED = "article .ddl-claim[data-ask]"


def shown(page, kind: str) -> int:
    """Return how many blocks of code of a kind are open."""
    return page.locator(f"details.{kind}[open]").count()


def test_readers_choose_how_much_code_they_see(visit) -> None:
    page = visit().open("gating")
    all_of_them = {
        kind: page.locator(f"details.{kind}").count() for kind in ("ddl-code", "ddl-core")
    }
    assert min(all_of_them.values()) > 10
    assert (shown(page, "ddl-code"), shown(page, "ddl-core")) == (0, all_of_them["ddl-core"])
    choice = page.get_by_label("Code")
    choice.select_option("all")
    assert shown(page, "ddl-code") == all_of_them["ddl-code"]
    choice.select_option("none")
    assert (shown(page, "ddl-code"), shown(page, "ddl-core")) == (0, 0)
    page.reload()
    assert shown(page, "ddl-core") == 0  # it is remembered


def test_without_scripts_code_that_matters_is_there_and_numbers_are_not_hidden(
    browser, address: str
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}gating.html")
    assert page.locator("details.ddl-core pre").first.is_visible()
    assert page.locator(f"{ASKED} dl").first.is_visible()
    folded = page.locator("details.ddl-code").first
    folded.locator("summary").click()
    assert folded.locator("pre").first.is_visible()
    context.close()


def test_a_guess_comes_before_the_number(visit) -> None:
    found: Visit = visit()
    page = found.open("gating")
    cards = page.locator(ASKED)
    assert cards.count() == 3
    card = cards.nth(1)
    expect(card.locator("dl")).to_be_hidden()
    expect(card.locator(".ddl-statement")).to_be_hidden()
    height = card.evaluate(HEIGHT)
    slider = card.get_by_role("slider")
    slider.fill("0.25")
    expect(slider).to_have_attribute("aria-valuetext", "0.25")
    card.get_by_role("button", name="See what was measured").click()
    expect(card.locator("dl")).to_be_visible()
    expect(card.locator("dl")).to_contain_text(re.compile(r"your guess\s+0\.25"))
    assert abs(card.evaluate(HEIGHT) - height) < 60
    page.reload()
    expect(cards.nth(1).locator("dl")).to_contain_text("your guess")  # it is remembered
    expect(cards.nth(2).locator("dl")).to_be_hidden()


def test_a_guess_is_skipped_by_a_key_and_not_asked_for_on_paper(visit) -> None:
    page = visit().open("gating")
    first, second = page.locator(ASKED).nth(0), page.locator(ASKED).nth(1)
    first.get_by_role("slider").focus()
    page.keyboard.press("Escape")
    expect(first.locator("dl")).to_be_visible()
    assert "your guess" not in first.inner_text()
    page.emulate_media(media="print")
    expect(second.locator("dl")).to_be_visible()
    expect(second.locator("form")).to_be_hidden()


def test_the_address_of_a_folded_check_opens_it(visit) -> None:
    page = visit().open("gating")
    quiet = page.locator("details.ddl-checks").first
    anchor = quiet.locator(".ddl-claim").first.get_attribute("id")
    page.goto(f"{page.url.partition('#')[0]}#{anchor}")
    expect(page.locator(f"#{anchor}")).to_be_visible()
