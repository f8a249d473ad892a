"""The cells of the interactive figure: sizes and overlaps against torch's own operations."""

import re
from typing import Any

import pytest
import torch
from torch.nn import functional as F

LENGTH = 5
CONVOLUTION = "convolution: each output cell reads"
TRANSPOSED = "transposed: each input cell is stamped"
NAMES = ("kernel", "stride", "padding", "dilation")


def start(visit, view: str = "desktop"):
    page = visit(view).open("upsampling")
    page.click(".ddl-start")
    page.wait_for_selector("[data-started]")
    return page


def choose(page, way: str, **settings: int) -> None:
    page.locator(".ddl-stage select").select_option(way)
    for number, name in enumerate(NAMES):
        slider = page.locator(".ddl-stage input[type=range]").nth(number)
        slider.focus()
        page.keyboard.press("Home")
        low = int(slider.get_attribute("min"))
        for _ in range(settings[name] - low):
            page.keyboard.press("ArrowRight")


def told(page) -> str:
    return page.locator(".ddl-readout").first.text_content().replace("\u2212", "-")


def counts(way: str, kernel: int, **settings: Any) -> torch.Tensor:
    weight, ones = torch.ones(1, 1, kernel), torch.ones(1, 1, LENGTH)
    return (F.conv_transpose1d if way == TRANSPOSED else F.conv1d)(ones, weight, **settings)[0, 0]


CASES = [
    (TRANSPOSED, {"kernel": 3, "stride": 2, "padding": 0, "dilation": 1}),
    (TRANSPOSED, {"kernel": 4, "stride": 2, "padding": 1, "dilation": 1}),
    (TRANSPOSED, {"kernel": 2, "stride": 3, "padding": 0, "dilation": 2}),
    (CONVOLUTION, {"kernel": 3, "stride": 2, "padding": 1, "dilation": 1}),
    (CONVOLUTION, {"kernel": 2, "stride": 1, "padding": 0, "dilation": 3}),
]


@pytest.mark.parametrize(("way", "settings"), CASES)
def test_size_and_overlap_are_torchs(visit, way: str, settings: dict[str, int]) -> None:
    page = start(visit)
    choose(page, way, **settings)
    expected = counts(way, **settings)
    text = told(page)
    assert f"= {len(expected)}. " in text
    border = settings["dilation"] * (settings["kernel"] - 1)
    inner = expected[border : len(expected) - border]
    if len(inner):
        low, high = int(inner.min()), int(inner.max())
        assert f"each output gets {low} to {high} taps." in text
    else:
        assert "Every output is near the border." in text


def test_steps_tell_which_cells_meet(visit) -> None:
    page = start(visit, "phone")
    choose(page, TRANSPOSED, kernel=3, stride=2, padding=1, dilation=1)
    weight = torch.ones(1, 1, 3)
    for step in range(LENGTH):
        one = torch.zeros(1, 1, LENGTH)
        one[0, 0, step] = 1  # what a single input is stamped on
        written = F.conv_transpose1d(one, weight, stride=2, padding=1)[0, 0].nonzero()[:, 0] + 1
        cells = ", ".join(str(cell) for cell in written.tolist())
        assert f"Step {step + 1} of 5: input {step + 1} to output {cells}." in told(page)
        page.get_by_role("button", name="Next").click()
    assert "Step 5 of 5" in told(page)  # there is no sixth
    page.get_by_role("button", name="Back").click()
    assert "Step 4 of 5" in told(page)


def test_play_goes_to_the_end(visit) -> None:
    page = start(visit)
    page.emulate_media(reduced_motion="reduce")
    page.get_by_role("button", name="Play").click()
    assert "Step 5 of 5" in told(page)


def test_play_shows_every_step(visit) -> None:
    page = start(visit)
    for _ in range(4):
        page.get_by_role("button", name="Next").click()
    page.evaluate(
        """() => {
          window.seen = []; // it is at its end: played again from its start
          const line = document.querySelector(".ddl-readout");
          const note = () => seen.push(line.textContent.match(/Step (\\d)/)[1]);
          new MutationObserver(note).observe(line, { childList: true });
        }"""
    )
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("seen.at(-1) === '5'")
    assert page.evaluate("seen") == ["1", "2", "3", "4", "5"]


def test_nothing_leaves_a_phone(visit) -> None:
    page = start(visit, "phone")
    right = "found => Math.max(...found.map(node => node.getBoundingClientRect().right))"
    stage = page.locator(".ddl-stage")
    edge = stage.evaluate("node => node.getBoundingClientRect().right")
    assert stage.locator("select, input, output, button, canvas").evaluate_all(right) <= edge
    # Letters on the canvas stay as large as drawn, 12 pixels.
    shrunk = "node => node.clientWidth / parseFloat(node.style.width)"
    assert stage.locator("canvas").first.evaluate(shrunk) > 0.95


def test_a_kernel_that_does_not_fit_is_told(visit) -> None:
    page = start(visit)
    choose(page, CONVOLUTION, kernel=5, stride=1, padding=0, dilation=2)
    assert re.search(r"= -3: there is no output", told(page))
