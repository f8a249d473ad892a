"""The query in the plane: weights and mixture, against torch's softmax."""

import math
import re

import pytest
import torch

from tools import pages
from tools.sphinx_interactive import figures


@pytest.fixture(scope="module")
def data() -> dict:
    if not (pages.EXECUTED / "attention.ipynb").is_file():
        pytest.skip("attention has no checked outputs: run make book first")
    (found,) = figures("attention")
    return found["data"]


def expected(data: dict, query: tuple[float, float], d: int, by: float) -> tuple[list, float]:
    scores = math.sqrt(d / 2) * torch.tensor(data["keys"]) @ torch.tensor(query)
    weights = torch.softmax(scores / by, dim=0)
    return weights.tolist(), (weights @ torch.tensor(data["values"])).item()


def start(visit, view: str = "desktop"):
    page = visit(view).open("attention")
    page.click(".ddl-start")
    page.wait_for_selector("[data-started]")
    return page


def told(page) -> tuple[tuple[float, float], list[float], float]:
    text = page.locator(".ddl-readout").first.text_content().replace("\u2212", "-")
    found = re.search(
        r"Query (\S+), (\S+)\. .*Weights: (.*?)\. Mixture of the values: (\S+)\. ", text
    )
    assert found is not None, text
    weights = [float(weight) for weight in found[3].split(", ")]
    return (float(found[1]), float(found[2])), weights, float(found[4])


def check(page, data: dict, d: int, by: float, tolerance: float = 6e-4) -> list[float]:
    query, weights, mixture = told(page)
    right, mixed = expected(data, query, d, by)
    assert weights == pytest.approx(right, abs=tolerance)
    assert mixture == pytest.approx(mixed, abs=40 * tolerance)
    return weights


def test_length_division_and_temperature(visit, data: dict) -> None:
    page = start(visit)
    selects = page.locator(".ddl-stage select")
    largest = str(data["lengths"][-1])
    check(page, data, 2, math.sqrt(2))
    selects.nth(0).select_option(largest)
    divided = check(page, data, int(largest), math.sqrt(int(largest)))
    selects.nth(1).select_option("as they are")
    raw = check(page, data, int(largest), 1.0)
    assert max(raw) > 0.98 > 0.5 > max(divided)  # without the division one key takes all
    slider = page.locator(".ddl-stage input[type=range]")
    slider.focus()
    page.keyboard.press("End")
    assert max(check(page, data, int(largest), 4.0)) < max(raw)


def test_the_query_moves_by_keyboard_and_pointer(visit, data: dict) -> None:
    page = start(visit, "phone")
    before, *_ = told(page)
    plane = page.locator(".ddl-stage canvas").first
    plane.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    after, *_ = told(page)
    assert after == pytest.approx((before[0] - 0.1, before[1] + 0.1), abs=1e-2)
    check(page, data, 2, math.sqrt(2))
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.75)
    (x, y), *_ = told(page)
    assert x < -1
    assert y < -1
    # The key that points the same way has the most weight.
    weights = check(page, data, 2, math.sqrt(2), 5e-3)  # the place is told in three digits
    keys = torch.tensor(data["keys"])
    assert weights.index(max(weights)) == int((keys @ torch.tensor([x, y])).argmax())
