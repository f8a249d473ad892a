"""The glossary in a browser: the line over a term, and the ways there and back."""

import pytest
from test_every_page import SHIFT

from tools.glossary import introductions, terms

# Where an element lies in the page, whatever is scrolled to.
PLACE = """(a) => {
  const box = a.getBoundingClientRect();
  return [box.x, box.y + scrollY, box.width, box.height].map(Math.round);
}"""
TERM = "a.ddl-term[href='glossary.html#term-{}']"


def test_each_entry_leads_to_its_term_and_back(visit) -> None:
    page = visit().open("glossary")
    links = page.locator(".ddl-glossary dd a").evaluate_all(
        "a => a.map(a => a.getAttribute('href'))"
    )
    places = [(term, introductions()[term.name][0]) for term in terms()]
    assert links == [f"{place.slug}.html#{term.introduced}" for term, place in places]
    for slug in {place.slug for _, place in places}:
        page = visit().open(slug)
        ids = page.locator("a.ddl-term").evaluate_all(
            "a => a.map(a => [a.id, a.getAttribute('href').split('#')[1]])"
        )
        expected = [(term.introduced, term.anchor) for term, p in places if p.slug == slug]
        assert sorted(map(tuple, ids)) == sorted(expected)
        page.context.close()


@pytest.mark.parametrize("view", ["desktop", "phone"])
def test_the_line_appears_for_pointer_and_keyboard_and_moves_nothing(visit, view: str) -> None:
    found = visit(view)
    page = found.open("gating")
    tips = page.locator(".ddl-tip")
    count = tips.count()
    assert count >= 15
    assert not any(tips.nth(k).is_visible() for k in range(count))
    width = page.evaluate("document.documentElement.clientWidth")
    for k in range(count):
        link = page.locator("a.ddl-term").nth(k)
        link.scroll_into_view_if_needed()
        before = link.evaluate(PLACE)
        # The keyboard, not the pointer: Tab from the place before.
        link.evaluate("a => a.focus({ focusVisible: true, preventScroll: true })")
        box = tips.nth(k).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert link.evaluate(PLACE) == pytest.approx(before, abs=1)
        assert found.overflow() <= 0
    assert page.evaluate(SHIFT) < 0.02
    assert sum(tips.nth(k).is_visible() for k in range(count)) == 1


def test_the_line_is_read_out_and_goes_with_escape(visit) -> None:
    page = visit().open("gating")
    link = page.locator(TERM.format("softmax"))
    line = page.locator(f"#{link.get_attribute('aria-describedby')}[role=tooltip]")
    assert line.text_content() == next(t.says for t in terms() if t.name == "softmax")
    link.hover()
    assert line.is_visible()
    page.keyboard.press("Escape")
    assert not line.is_visible()
    page.mouse.move(0, 0)
    link.hover()
    assert line.is_visible()
    link.click()
    page.wait_for_url("**/glossary.html#term-softmax")
    assert page.locator("#term-softmax").is_visible()


def test_the_line_is_sound(visit) -> None:
    for theme in ("light", "dark"):
        found = visit("desktop", theme)
        page = found.open("gating")
        page.locator(TERM.format("softmax")).hover()
        assert found.faults("'#line-softmax'") == []
