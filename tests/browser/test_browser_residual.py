"""The depth slider: what it tells is what the page's runs measured."""

import re

import pytest

from tools import pages
from tools.sphinx_interactive import figures


@pytest.fixture(scope="module")
def data() -> dict:
    if not (pages.EXECUTED / "residual.ipynb").is_file():
        pytest.skip("residual has no checked outputs: run make book first")
    (found,) = figures("residual")
    return found["data"]


def median(values: list[float]) -> float:
    return sorted(values)[(len(values) - 1) // 2]


def told(page) -> tuple[int, str, list[tuple[str, float, float, float]]]:
    text = page.locator(".ddl-readout").first.text_content()
    head = re.match(r"(\d+) layers, (on \w+ images),", text)
    assert head is not None, text
    kinds = re.findall(r"(plain|residual) (\S+) % \((\S+) to (\S+)\)", text)
    return int(head[1]), head[2], [(kind, float(a), float(b), float(c)) for kind, a, b, c in kinds]


@pytest.mark.parametrize("view", ["desktop", "phone"])
def test_every_depth_tells_its_runs(visit, data: dict, view: str) -> None:
    page = visit(view).open("residual")
    page.click(".ddl-start")
    page.wait_for_selector("[data-started]")
    slider = page.locator(".ddl-stage input[type=range]")
    for label, split in (("on training images", "train"), ("on test images", "test")):
        page.select_option(".ddl-stage select", label)
        slider.focus()
        page.keyboard.press("Home")
        for depth in data["depths"]:
            layers, images, kinds = told(page)
            assert (layers, images) == (depth, label)
            for kind, middle, low, high in kinds:
                shares = [100 * share for share in data["errors"][kind][str(depth)][split]]
                expected = (median(shares), min(shares), max(shares))
                assert (middle, low, high) == pytest.approx(expected, abs=0.06)
            assert [kind for kind, *_ in kinds] == ["plain", "residual"]
            page.keyboard.press("ArrowRight")


def test_the_picture_grows_with_the_depth(visit) -> None:
    page = visit().open("residual")
    page.click(".ddl-start")
    page.wait_for_selector("[data-started]")
    right = """() => {
      const node = document.querySelector(".ddl-stage canvas");
      const [x, width] = [Math.round(node.width * 0.72), Math.round(node.width * 0.2)];
      const { data } = node.getContext("2d").getImageData(x, 30, width, node.height * 0.7);
      return new Set(new Uint32Array(data.buffer)).size;
    }"""
    before = page.evaluate(right)
    page.locator(".ddl-stage input[type=range]").focus()
    page.keyboard.press("End")
    assert page.evaluate(right) > before  # the deepest nets' dots appear
