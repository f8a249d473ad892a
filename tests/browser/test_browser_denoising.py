"""The denoising figure: what readers draw and feed back, against onnxruntime's own passes."""

import base64
import math
import re
from collections.abc import Callable

import numpy as np
import onnxruntime as ort
import pytest
from draws import uniform
from playwright.sync_api import Page

from tools import pages
from tools.sphinx_interactive import figures

NETS = {"without": "without skips", "with": "with skips", "careful": "small steps"}
Net = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def figure() -> dict:
    """Return the figure's numbers and models, as the page's checked outputs hold them."""
    if not (pages.EXECUTED / "denoising.ipynb").is_file():
        pytest.skip("denoising has no checked outputs: run make book first")
    (found,) = figures("denoising")
    return found


@pytest.fixture(scope="module")
def nets(figure: dict) -> dict[str, Net]:
    def load(key: str) -> Net:
        session = ort.InferenceSession(base64.b64decode(figure["models"][key]["onnx"]))

        def run(image: np.ndarray) -> np.ndarray:
            feeds = {"input0": image.astype(np.float32).reshape(1, 1, 28, 28)}
            return np.asarray(session.run(["output"], feeds)[0]).reshape(28, 28)

        return run

    return {name: load(key) for key, name in NETS.items()}


def spoiled(clean: np.ndarray, *, seed: int = 1, share: float = 0.5) -> np.ndarray:
    draws = np.fromiter(uniform(seed), float, clean.size).reshape(clean.shape)
    noise = (draws > 1 - share / 2).astype(float) - (draws < share / 2)
    return np.clip(clean + noise, 0, 1)


def pen(clean: np.ndarray, x: float, y: float) -> np.ndarray:
    rows, columns = np.mgrid[:28, :28] + 0.5
    return np.maximum(clean, np.clip(1.6 - np.hypot(columns - x, rows - y), 0, 1))


def told(page: Page) -> dict[str, float]:
    """Return the numbers of the readout."""
    text = page.locator(".ddl-readout").first.text_content() or ""
    ink, error = text.split("Squared error:")
    found = {"pass": float(re.findall(r"Pass (\d+)", ink)[0])}
    for name in ("clean digit", "under noise", *NETS.values()):
        found[f"ink {name}"] = float(re.findall(rf"{name} ([\d.]+)%", ink)[0]) / 100
    for name in NETS.values():
        found[f"error {name}"] = float(re.findall(rf"{name} ([\d.e−]+\d)", error)[0])
    return found


def expect(page: Page, nets: dict[str, Net], clean: np.ndarray, noisy: np.ndarray, passes: int):
    """Wait until the figure says what the networks make of an image."""
    expected = {"pass": passes, "ink clean digit": clean.mean(), "ink under noise": noisy.mean()}
    for name, net in nets.items():
        image = noisy
        for _ in range(passes):
            image = net(image)
        expected |= {f"ink {name}": image.mean(), f"error {name}": ((image - clean) ** 2).mean()}
    for _ in range(200):
        if told(page) == pytest.approx(expected, abs=6e-4, rel=6e-3):
            return
        page.wait_for_timeout(50)
    assert told(page) == pytest.approx(expected, abs=6e-4, rel=6e-3)


def start(found) -> Page:
    page = found.open("denoising")
    page.get_by_role("button", name="Start the interactive figure").click()
    page.wait_for_selector("[data-started]")
    page.locator(".ddl-readout", has_text="Pass 1.").wait_for()
    return page


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).press("Enter")


def test_feeding_back_is_onnxruntimes(visit, figure, nets) -> None:
    found = visit()
    page = start(found)
    clean = np.array(figure["data"]["digits"][0]).reshape(28, 28) / 255
    noisy = spoiled(clean)
    expect(page, nets, clean, noisy, 1)
    for _ in range(11):
        press(page, "Feed the output back")
    expect(page, nets, clean, noisy, 12)
    # What the page teaches: the big steps fill in, the small ones take away.
    assert told(page)["ink with skips"] > 1.3 * clean.mean()
    assert told(page)["ink without skips"] > 1.3 * clean.mean()
    assert told(page)["ink small steps"] < clean.mean()
    for _ in range(20):
        press(page, "Feed the output back")
    expect(page, nets, clean, noisy, 30)  # where it ends
    press(page, "Back to the first pass")
    expect(page, nets, clean, noisy, 1)
    assert found.complaints == []
    assert found.foreign == []


def test_digit_and_noise_can_be_chosen(visit, figure, nets) -> None:
    page = start(visit())
    page.get_by_role("combobox", name="digit").select_option("7")
    clean = np.array(figure["data"]["digits"][7]).reshape(28, 28) / 255
    expect(page, nets, clean, spoiled(clean), 1)
    press(page, "Feed the output back")
    share = page.get_by_role("slider", name="noisy pixels")
    for _ in range(4):
        share.press("ArrowLeft")
    expect(page, nets, clean, spoiled(clean, share=0.3), 1)
    press(page, "New noise")
    expect(page, nets, clean, spoiled(clean, share=0.3, seed=2), 1)
    share.press("Home")
    expect(page, nets, clean, clean, 1)


def test_keyboard_draws(visit, nets) -> None:
    page = start(visit())
    press(page, "Clear the pad")
    clean = np.zeros((28, 28))
    expect(page, nets, clean, spoiled(clean), 1)
    pad = page.get_by_role("application", name="to draw on")
    pad.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowUp")  # moves, draws nothing
    page.keyboard.press("ArrowUp")
    page.keyboard.down("Space")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.keyboard.up("Space")
    page.keyboard.press("ArrowDown")
    for x, y in ((10, 13), *((10 + k, 11) for k in range(6))):
        clean = pen(clean, x + 0.5, y + 0.5)
    expect(page, nets, clean, spoiled(clean), 1)
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")  # at the edge, beside (15, 12)
    clean = pen(clean, 27.5, 12.5)
    expect(page, nets, clean, spoiled(clean), 1)


@pytest.mark.parametrize("view", ["desktop", "phone"])
def test_pointer_draws(visit, nets, view: str) -> None:
    page = start(visit(view))
    press(page, "Clear the pad")
    pad = page.get_by_role("application", name="to draw on")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box is not None
    clean = np.zeros((28, 28))

    def place(x: float, y: float) -> tuple[float, float]:
        return box["x"] + x * box["width"] / 28, box["y"] + y * box["height"] / 28

    if view == "phone":
        page.touchscreen.tap(*place(20, 9))
        clean = pen(clean, 20, 9)
    else:
        page.mouse.move(*place(8, 6))
        page.mouse.down()
        page.mouse.move(*place(14, 14))
        page.mouse.up()
        page.mouse.move(*place(25, 25))  # lifted: draws nothing
        steps = math.ceil(2 * math.hypot(6, 8))
        for k in range(steps + 1):
            clean = pen(clean, 8 + 6 * k / steps, 6 + 8 * k / steps)
    expect(page, nets, clean, spoiled(clean), 1)
