"""The interactive figure of two logistic units, against the page's own function."""

import re

import pytest
import torch

from ddl.gating import logistic_unit

WAYS = {
    "added": lambda f, g, x2: f + g,
    "multiplied": lambda f, g, x2: f * g,
    "a gate": lambda f, g, x2: f * x2,
}


def value(page) -> tuple[float, float, float]:
    text = page.locator(".ddl-readout").first.text_content().replace("\u2212", "-")
    found = re.search(r"x1 = (\S+), x2 = (\S+) the value is (\S+)\. ", text)
    assert found is not None, text
    return float(found[1]), float(found[2]), float(found[3])


def expected(way: str, w1: float, b1: float, w2: float, b2: float, x1: float, x2: float) -> float:
    f, g = (
        logistic_unit(torch.tensor(x, dtype=torch.float64), w, b).item()
        for x, w, b in ((x1, w1, b1), (x2, w2, b2))
    )
    return WAYS[way](f, g, x2)


@pytest.mark.parametrize("way", WAYS)
def test_controls_change_the_value(visit, way: str) -> None:
    page = visit().open("gating")
    page.click(".ddl-start")
    page.wait_for_selector("[data-started]")
    label = next(
        text
        for text in page.locator(".ddl-stage select option").all_text_contents()
        if text.startswith(way)
    )
    page.select_option(".ddl-stage select", label)
    x1, x2, shown = value(page)
    assert shown == pytest.approx(expected(way, 2, 0, 2, 0, x1, x2), abs=6e-4)
    sliders = page.locator(".ddl-stage input[type=range]:visible")
    assert sliders.count() == (2 if way == "a gate" else 4)
    s = [2.0, 0.0, 2.0, 0.0]
    for number in range(sliders.count()):  # each by the keyboard, two steps of one half down
        sliders.nth(number).focus()
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        s[number] -= 1.0
        x1, x2, shown = value(page)
        assert shown == pytest.approx(expected(way, s[0], s[1], s[2], s[3], x1, x2), abs=6e-4)


def test_the_point_moves_by_keyboard_and_pointer(visit) -> None:
    page = visit("phone").open("gating")
    page.click(".ddl-start")
    page.wait_for_selector("[data-started]")
    surface = page.locator(".ddl-stage canvas")
    surface.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert value(page)[:2] == (1.25, 0.75)
    surface.scroll_into_view_if_needed()
    box = surface.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.2)
    x1, x2, shown = value(page)
    assert x1 < -2
    assert x2 > 2
    assert shown == pytest.approx(expected("added", 2, 0, 2, 0, x1, x2), abs=2e-2)


def test_the_surface_has_as_many_levels_as_the_page_says(visit) -> None:
    page = visit().open("gating")
    page.click(".ddl-start")
    page.wait_for_selector("[data-started]")
    brightness = """([x, y]) => {
      const node = document.querySelector(".ddl-stage canvas");
      const [r, g, b] = node.getContext("2d").getImageData(
        Math.round(x * node.width), Math.round(y * node.height), 1, 1).data;
      return r + g + b;
    }"""
    corners = [page.evaluate(brightness, place) for place in ([0.2, 0.8], [0.2, 0.1], [0.9, 0.1])]
    assert corners[0] < corners[1] < corners[2]  # the sum: 0, 1 and 2
    label = page.locator(".ddl-stage select option").all_text_contents()[1]
    page.select_option(".ddl-stage select", label)
    corners = [page.evaluate(brightness, place) for place in ([0.2, 0.8], [0.2, 0.1], [0.9, 0.1])]
    assert abs(corners[0] - corners[1]) < 20 < corners[2] - corners[1]  # the product: 0, 0 and 1
