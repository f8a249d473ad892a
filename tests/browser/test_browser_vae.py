"""The map of two latents: what the browser decodes is what the page's model decodes."""

import base64
import re

import numpy as np
import onnxruntime
import pytest

from tools import pages
from tools.sphinx_interactive import figures


@pytest.fixture(scope="module")
def figure() -> dict:
    if not (pages.EXECUTED / "vae.ipynb").is_file():
        pytest.skip("vae has no checked outputs: run make book first")
    (found,) = [figure for figure in figures("vae") if figure["name"] == "vae"]
    return found


def decoded(figure: dict, z: tuple[float, float]) -> np.ndarray:
    session = onnxruntime.InferenceSession(base64.b64decode(figure["models"]["decoder"]["onnx"]))
    return np.asarray(session.run(None, {"input0": np.array([z], dtype=np.float32)})[0]).ravel()


def start(visit, view: str = "desktop"):
    page = visit(view).open("vae")
    page.click(".ddl-start")
    page.wait_for_selector("[data-started]", timeout=60_000)
    return page


def told(page) -> tuple[float, float, float]:
    text = page.locator(".ddl-readout").first.text_content().replace("\u2212", "-")
    found = re.fullmatch(r"Latents (\S+) and (\S+); mean brightness (\S+)\.", text)
    assert found is not None, text
    return float(found[1]), float(found[2]), float(found[3])


def wait_for(page, latents: tuple[float, float]) -> None:
    text = " and ".join(f"{value:.3g}".replace("-", "\u2212") for value in latents)
    page.wait_for_function(
        "text => document.querySelector('.ddl-readout').textContent.startsWith(text)",
        arg=f"Latents {text};",
    )


def test_the_point_decodes_as_in_the_page(visit, figure: dict) -> None:
    page = start(visit)
    assert told(page)[2] == pytest.approx(decoded(figure, (0, 0)).mean(), abs=1e-4)
    page.locator(".ddl-stage canvas").first.focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    for _ in range(5):
        page.keyboard.press("ArrowUp")
    wait_for(page, (0.8, 0.5))
    assert told(page)[2] == pytest.approx(decoded(figure, (0.8, 0.5)).mean(), abs=1e-4)


def test_the_picture_is_the_decoded_digit(visit, figure: dict) -> None:
    page = start(visit, "phone")
    shown = page.evaluate("""() => {
      const node = document.querySelectorAll(".ddl-stage canvas")[1];
      const size = node.width / 28;
      const context = node.getContext("2d");
      return [...Array(784).keys()].map((k) => context.getImageData(
        Math.floor((k % 28 + 0.5) * size), Math.floor((Math.floor(k / 28) + 0.5) * size), 1, 1
      ).data[0] / 255);
    }""")
    assert np.abs(np.array(shown) - decoded(figure, (0, 0))).max() < 1 / 255


def test_the_atlas_lies_behind_the_point(visit, figure: dict) -> None:
    page = start(visit)
    cells = """node => {
      const ratio = node.width / 360;
      const [left, right, top, bottom] = [44, 350, 10, 316].map((at) => at * ratio);
      const side = (right - left) / 15;
      return [[2, 3], [12, 4], [5, 11], [9, 1]].map(([row, column]) => {
        const { data } = node.getContext("2d").getImageData(
          left + column * side, top + row * side, side, side);
        return data.filter((_, k) => k % 4 === 0).reduce((sum, part) => sum + part, 0)
          / (data.length / 4) / 255;
      });
    }"""
    seen = page.locator(".ddl-stage canvas").first.evaluate(cells)
    middle = [-3 + 6 * (k + 0.5) / 15 for k in range(15)]
    for brightness, (row, column) in zip(seen, ((2, 3), (12, 4), (5, 11), (9, 1)), strict=True):
        expected = decoded(figure, (middle[column], -middle[row])).mean()
        assert brightness == pytest.approx(expected, abs=0.03), (row, column)
    page.get_by_role("combobox", name="the map shows").select_option("codes of test images")
    changed = page.locator(".ddl-stage canvas").first.evaluate(cells)
    assert max(abs(a - b) for a, b in zip(seen, changed, strict=True)) > 0.3


def test_a_walk_goes_from_one_digit_to_another(visit, figure: dict) -> None:
    page = start(visit)
    selects = page.locator(".ddl-stage select")
    selects.nth(1).select_option("7")
    selects.nth(2).select_option("3")
    centers = figure["data"]["centers"]
    slider = page.locator(".ddl-stage input[type=range]")
    for key, part in (("End", 1.0), ("Home", 0.0)):
        slider.focus()
        page.keyboard.press(key)
        at = [a + part * (b - a) for a, b in zip(centers["7"], centers["3"], strict=True)]
        wait_for(page, (at[0], at[1]))
        assert told(page)[2] == pytest.approx(decoded(figure, (at[0], at[1])).mean(), abs=2e-3)
    page.get_by_role("button", name="Walk").click()
    page.wait_for_function("document.querySelector('.ddl-stage input').value === '1'")
