"""The depth slider: what it tells is what the page's runs measured."""

import math
import re

import pytest

from ddl.plotting import COLORS
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


# Four runs of three depths: an even number, so that the lower of two is the median.
RUNS = {
    "plain": {
        "8": {"train": [0.2, 0.1, 0.4, 0.3], "test": [0.25, 0.15, 0.45, 0.35]},
        "20": {"train": [0.6, 0.5, 0.7, 0.8], "test": [0.65, 0.55, 0.75, 0.85]},
        "56": {"train": [0.9, 0.95, 0.92, 0.97], "test": [0.91, 0.96, 0.93, 0.98]},
    },
    "residual": {
        "8": {"train": [0.05, 0.15, 0.35, 0.25], "test": [0.1, 0.2, 0.4, 0.3]},
        "20": {"train": [0.3, 0.2, 0.1, 0.4], "test": [0.35, 0.25, 0.15, 0.45]},
        "56": {"train": [0.7, 0.1, 0.5, 0.3], "test": [0.75, 0.15, 0.55, 0.35]},
    },
}
DEPTHS = [8, 20, 56]
LIGHT = {kind: COLORS[k].lower() for k, kind in enumerate(("plain", "residual"))}


def lighter(color: str) -> str:
    parts = [int(color[k : k + 2], 16) for k in (1, 3, 5)]
    return "#" + "".join(f"{math.floor(p + 0.4 * (255 - p) + 0.5):02x}" for p in parts)


PIXEL = """(node, [x, y]) => {
  const ratio = node.width / 440;
  const place = [Math.round(x * ratio), Math.round(y * ratio), 1, 1];
  const [r, g, b] = node.getContext("2d").getImageData(...place).data;
  return "#" + [r, g, b].map((part) => part.toString(16).padStart(2, "0")).join("");
}"""


class Drawn:
    """The figure with the made-up runs, and the colours on its canvas."""

    def __init__(self, found) -> None:
        self.page = found.page
        self.page.route(
            "**/data/residual.json",
            lambda route: route.fulfill(json={"depths": DEPTHS, "errors": RUNS}),
        )
        found.start("residual")

    def color(self, k: float, percent: float, dx: float = 0, dy: float = 0) -> str:
        x, y = 44 + (k + 0.5) / 3 * 386 + dx, 264 - percent / 100 * 254 + dy
        return self.page.locator(".ddl-stage canvas").evaluate(PIXEL, [x, y])

    def dots(self, kind: str, k: int, split: str = "train", **shift: float) -> list[str]:
        values = RUNS[kind][str(DEPTHS[k])][split]
        return [self.color(k + 0.06 * (i - 1.5), 100 * v, **shift) for i, v in enumerate(values)]

    def press(self, key: str) -> None:
        self.page.locator(".ddl-stage input[type=range]").press(key)


@pytest.fixture
def drawn(visit) -> Drawn:
    return Drawn(visit())


def test_each_run_is_a_dot_and_the_chosen_depth_has_the_colour(drawn: Drawn) -> None:
    assert drawn.dots("plain", 0) == [LIGHT["plain"]] * 4
    assert drawn.dots("residual", 0) == [LIGHT["residual"]] * 4
    assert drawn.dots("residual", 1) == ["#ffffff"] * 4  # not reached yet
    drawn.press("End")
    for kind, color in LIGHT.items():
        assert drawn.dots(kind, 2) == [color] * 4
        assert len({*drawn.dots(kind, 0), *drawn.dots(kind, 1)} & {color}) == 0


def test_plain_is_square_and_residual_round(drawn: Drawn) -> None:
    drawn.press("End")
    assert drawn.dots("plain", 2, dx=-3.7, dy=-3.7)[3] == LIGHT["plain"]
    assert drawn.dots("residual", 2, dx=-3.7, dy=-3.7) == ["#ffffff"] * 4


def test_a_line_joins_the_medians(drawn: Drawn) -> None:
    drawn.press("End")
    between = [step / 100 for step in range(30, 70)]
    lines = {"plain": (20, 60), "residual": (15, 20)}  # medians at the first two depths
    for kind, (first, second) in lines.items():
        seen = [drawn.color(k, first + k * (second - first)) for k in between]
        assert LIGHT[kind] in seen
        assert ("#ffffff" in seen) == (kind == "residual"), (
            kind
        )  # dashes, as in the still one, leave gaps


def test_the_choice_shows_the_other_images_at_once(drawn: Drawn) -> None:
    drawn.page.select_option(".ddl-stage select", "on test images")
    assert drawn.dots("plain", 0, "test") == [LIGHT["plain"]] * 4
    layers, images, kinds = told(drawn.page)
    assert (layers, images) == (8, "on test images")
    assert kinds == [("plain", 25, 15, 45), ("residual", 20, 10, 40)]
    assert "of 4 runs" in drawn.page.locator(".ddl-readout").first.text_content()


def test_the_picture_follows_the_theme(drawn: Drawn) -> None:
    drawn.page.evaluate("document.body.dataset.theme = 'dark'")
    assert drawn.dots("residual", 0) == [lighter(LIGHT["residual"])] * 4


def test_the_axes_are_labelled_in_full(visit) -> None:
    found = visit()
    found.page.add_init_script("""
      const write = CanvasRenderingContext2D.prototype.fillText;
      window.written = [];
      CanvasRenderingContext2D.prototype.fillText = function (text, x, ...rest) {
        window.written.push([text, Math.round(x)]);
        return write.call(this, text, x, ...rest);
      };""")
    drawn = Drawn(found)
    places = [round(44 + (k + 0.5) / 3 * 386) for k in range(3)]
    labels = [[f"{depth} layers", x] for depth, x in zip(DEPTHS, places, strict=True)]
    written = found.page.evaluate("window.written")
    assert [label for label in labels if label in written] == labels
    foot = [drawn.color(-0.5, 0, dx=-x / 4, dy=3.3) for x in range(20, 60)]
    assert {*foot} != {"#ffffff"}  # the zero's foot is not painted over
