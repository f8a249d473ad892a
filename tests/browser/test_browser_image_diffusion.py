"""The walk from noise to a digit, in the browser and in numpy, from the same noise."""

import base64
import json
import math
import re
from collections.abc import Callable
from itertools import islice, pairwise

import numpy as np
import onnxruntime as ort
import pytest
from draws import gaussian
from playwright.sync_api import Page

from ddl.diffusion import cosine_schedule
from tools import pages
from tools.sphinx_interactive import figures

NOT_TOLD = 10
KEPT = cosine_schedule(1000).alpha_bar.numpy()
Walk = Callable[..., tuple[list[np.ndarray], list[np.ndarray]]]


@pytest.fixture(scope="module")
def figure() -> dict:
    """Return the figure's numbers and model, as the page's checked outputs hold them."""
    if not (pages.EXECUTED / "image_diffusion.ipynb").is_file():
        pytest.skip("image_diffusion has no checked outputs: run make book first")
    (found,) = figures("image_diffusion")
    return found


@pytest.fixture(scope="module")
def walk(figure: dict) -> Walk:
    """Return DDIM, written down from the predicted noise as the papers have it."""
    session = ort.InferenceSession(base64.b64decode(figure["models"]["velocity"]["onnx"]))

    def velocity(x: np.ndarray, t: int, label: int) -> np.ndarray:
        feeds = {
            "input0": np.stack([x, x]).astype(np.float32).reshape(2, 1, 14, 14),
            "input1": np.array([t, t]),
            "input2": np.array([label, label]),
        }
        return np.asarray(session.run(["output"], feeds)[0])[0].ravel().astype(float)

    def run(x, label: int, guidance: float, stops: list[int]):
        images, guesses = [np.asarray(x, float)], []
        for t, t_next in pairwise(stops):
            a, b, x = KEPT[t], KEPT[t_next], images[-1]
            told, untold = velocity(x, t, label), velocity(x, t, NOT_TOLD)
            v = told + guidance * (told - untold)
            noise = math.sqrt(1 - a) * x + math.sqrt(a) * v
            guesses.append((x - math.sqrt(1 - a) * noise) / math.sqrt(a))
            images.append(math.sqrt(b) * guesses[-1] + math.sqrt(1 - b) * noise)
        return images, [*guesses, images[-1]]

    return run


def stops(count: int) -> list[int]:
    return [1000 * (count - k) // count for k in range(count + 1)]


def start(found, *, still: bool = True) -> Page:
    if still:
        found.page.emulate_media(reduced_motion="reduce")
    page = found.open("image_diffusion")
    page.get_by_role("button", name="Start the interactive figure").click()
    page.wait_for_selector("[data-started]")
    return page


def shown(page: Page) -> np.ndarray:
    return np.array(json.loads(page.locator(".ddl-stage").get_attribute("data-image") or "[]"))


def expect(page: Page, images, guesses, step: int, words: str) -> None:
    """Wait until a step is shown; compare its image, its guess and its words."""
    count = len(images) - 1
    readout = page.locator(".ddl-readout", has_text=f"After {step} of {count} steps,")
    readout.filter(has_text=words).wait_for()
    np.testing.assert_allclose(shown(page), images[step], atol=1e-3)
    found = re.findall(r"the image ([\d.]+\d), of the guess ([\d.]+\d)", readout.inner_text())
    pixels = [np.clip((x[step] + 1) / 2, 0, 1).mean() for x in (images, guesses)]
    assert [float(value) for value in found[0]] == pytest.approx(pixels, abs=5e-4)


def slide(page: Page, key: str, times: int = 1) -> None:
    for _ in range(times):
        page.get_by_role("slider", name="steps taken").press(key)


def test_the_page_s_walk_is_walked_again(visit, figure, walk) -> None:
    found = visit()
    page = start(found)
    images, guesses = walk(figure["data"]["noise"], 3, 1, stops(20))
    expect(page, images, guesses, 0, "t = 1000,")  # the story begins with noise
    slide(page, "End")
    expect(page, images, guesses, 20, "t = 0, asked for the digit 3 with w = 1")
    # And it is torch's, from the page itself.
    np.testing.assert_allclose(shown(page), figure["data"]["walk"], atol=1e-3)
    slide(page, "ArrowLeft", 8)
    expect(page, images, guesses, 12, "t = 400,")
    assert found.complaints == []
    assert found.foreign == []


def test_every_wish_is_heard_at_once(visit, figure, walk) -> None:
    page = start(visit())
    slide(page, "End")
    page.get_by_role("combobox", name="digit").select_option("8")
    images, guesses = walk(figure["data"]["noise"], 8, 1, stops(20))
    expect(page, images, guesses, 20, "asked for the digit 8 with w = 1")
    page.get_by_role("combobox", name="steps").select_option("5")
    for _ in range(9):
        page.get_by_role("slider", name="noise number").press("ArrowRight")
    for _ in range(3):
        page.get_by_role("slider", name="guidance w").press("ArrowRight")
    noise = list(islice(gaussian(9), 196))
    images, guesses = walk(noise, 8, 2.5, stops(5))
    expect(page, images, guesses, 5, "asked for the digit 8 with w = 2.5")
    page.get_by_role("combobox", name="digit").select_option("not told")
    page.get_by_role("combobox", name="steps").select_option("50")
    images, guesses = walk(noise, NOT_TOLD, 0, stops(50))
    expect(page, images, guesses, 50, "digit not told")


def test_a_walk_goes_on_with_another_wish(visit, figure, walk) -> None:
    page = start(visit())
    slide(page, "End")
    page.get_by_role("button", name="Walk on from here").click()
    assert "take it back first" in page.locator(".ddl-readout").inner_text()
    page.get_by_role("slider", name="guidance w").press("End")
    images, guesses = walk(figure["data"]["noise"], 3, 4, stops(20))
    expect(page, images, guesses, 20, "asked for the digit 3 with w = 4")
    slide(page, "ArrowLeft", 15)
    expect(page, images, guesses, 5, "asked for the digit 3")
    page.get_by_role("combobox", name="then ask for").select_option("8")
    page.get_by_role("button", name="Walk on from here").click()
    on, on_guesses = walk(images[5], 8, 4, stops(20)[5:])
    images, guesses = images[:5] + on, guesses[:5] + on_guesses
    expect(page, images, guesses, 20, "asked for the digit 8 with w = 4")
    slide(page, "ArrowLeft", 16)
    expect(page, images, guesses, 4, "asked for the digit 3 with w = 4")


def test_the_walk_is_shown_step_by_step_unless_motion_is_reduced(visit) -> None:
    def steps_seen(still: bool) -> int:
        page = start(visit(), still=still)
        page.locator(".ddl-readout", has_text="After 0 of 20").wait_for()
        page.evaluate(
            """() => {
              window.seen = new Set();
              const readout = document.querySelector(".ddl-readout");
              new MutationObserver(() => seen.add(readout.textContent))
                .observe(document.querySelector(".ddl-stage"), { attributes: true });
            }"""
        )
        page.get_by_role("button", name="Play").press("Enter")
        page.locator(".ddl-readout", has_text="After 20 of 20 steps, t = 0").wait_for()
        return page.evaluate("seen.size")

    assert steps_seen(still=True) == 1
    assert steps_seen(still=False) > 5
