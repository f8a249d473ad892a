"""The walks of the interactive figure, computed again with the package's own functions."""

import base64
import itertools
import math
import re
from collections.abc import Iterator

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from ddl.diffusion import ExactNoise, NoiseSchedule, ddim_sample, linear_schedule
from ddl.image_diffusion import respaced
from ddl.plotting import COLORS
from tools import pages
from tools.sphinx_interactive import figures

DDIM, DDPM, FORWARD = "back, no fresh noise (DDIM)", "back, fresh noise (DDPM)", "forward"


@pytest.fixture(scope="module")
def figure() -> dict:
    if not (pages.EXECUTED / "diffusion.ipynb").is_file():
        pytest.skip("diffusion has no checked outputs: run make book first")
    (found,) = figures("diffusion")
    return found


@pytest.fixture(scope="module")
def schedule() -> NoiseSchedule:
    return linear_schedule(1000, start=1e-4, end=0.02)


@pytest.fixture(scope="module")
def exact(figure: dict, schedule: NoiseSchedule) -> ExactNoise:
    data = figure["data"]
    means = torch.tensor(data["means"], dtype=torch.float64)[:, None]
    return ExactNoise(schedule, means, data["std"], torch.tensor(data["weights"]).double())


def column(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None]


def normal(seed: int) -> Iterator[float]:
    """The figure's fresh noise: uniform numbers by mulberry32, then Box and Muller's cosine."""

    def uniform() -> float:
        nonlocal state
        state = (state + 0x6D2B79F5) % 2**32
        t = (state ^ (state >> 15)) * (1 | state) % 2**32
        t = ((t + (t ^ (t >> 7)) * (61 | t)) % 2**32) ^ t
        return (t ^ (t >> 14)) / 2**32

    state = seed
    while True:
        length = math.sqrt(-2 * math.log(1 - uniform()))
        yield length * math.cos(2 * math.pi * uniform())


def noise(source: Iterator[float], count: int) -> Tensor:
    return column(list(itertools.islice(source, count)))


def distance(figure: dict, sample: Tensor) -> float:
    """The mean distance to the data's own quantiles, which the figure's data hold."""
    gaps = sample.flatten().sort().values - column(figure["data"]["clean"])[:, 0]
    return gaps.abs().mean().item()


def start(visit, **chosen: str):
    page = visit().open("diffusion")
    page.click(".ddl-start")
    page.wait_for_selector("[data-started]", timeout=60_000)
    return page


def choose(page, way: str, steps: str, by: str = "exactly") -> None:
    options = page.locator(".ddl-stage select").nth(0).locator("option").all_text_contents()
    page.locator(".ddl-stage select").nth(0).select_option(
        next(option for option in options if option.startswith(way))
    )
    page.locator(".ddl-stage select").nth(1).select_option(steps)
    page.locator(".ddl-stage select").nth(2).select_option(by)
    page.wait_for_function(
        "n => document.querySelector('.ddl-stage input[type=range]').max === n", arg=steps
    )
    page.locator(".ddl-stage input[type=range]").press("End")


def told(page) -> tuple[int, float, float]:
    text = page.locator(".ddl-readout").first.text_content()
    found = re.search(r"At step (\d+) of 1000 a share (\S+) .* density (\S+)\.$", text)
    assert found is not None, text
    return int(found[1]), float(found[2]), float(found[3])


def test_it_opens_at_noise_and_a_choice_keeps_the_place(visit, figure, exact) -> None:
    page = start(visit)
    t, share, _ = told(page)
    assert t == 1000
    assert share < 0.01
    slider = page.locator(".ddl-stage input[type=range]")
    for _ in range(5):
        slider.press("ArrowRight")
    assert told(page)[0] == 750
    page.locator(".ddl-stage select").nth(1).select_option("40")
    page.locator(".ddl-readout", has_text="At step 750 of").wait_for()
    assert slider.input_value() == "10"


def test_paths_have_the_colour_of_their_hill_as_in_the_still_figure(visit) -> None:
    page = start(visit)
    page.locator(".ddl-stage input[type=range]").press("End")
    # The data are low, in the first colour, or high, in the second: at the right edge, t = 0.
    seen = (
        page.locator(".ddl-stage canvas")
        .nth(1)
        .evaluate(
            """node => {
          const ratio = node.width / 360;
          const column = node.getContext("2d").getImageData(
            Math.round(347 * ratio), 0, 1, node.height).data;
          const found = {};
          for (let y = 0; y < node.height; y++) {
            const hex = [...column.slice(4 * y, 4 * y + 3)]
              .map((part) => part.toString(16).padStart(2, "0")).join("");
            (found["#" + hex] ??= []).push(y);
          }
          return found;
        }"""
        )
    )
    high, low = seen[COLORS[1].lower()], seen[COLORS[0].lower()]
    assert max(high) < min(low)  # rows count from the top


@pytest.mark.parametrize("steps", [5, 20, 80])
def test_exact_ddim_is_the_packages(visit, figure, schedule, exact, steps: int) -> None:
    page = start(visit)
    choose(page, DDIM, str(steps))
    t, share, shown = told(page)
    expected = ddim_sample(exact, schedule, column(figure["data"]["starts"]), steps=steps)
    assert (t, share) == (0, 1)
    assert shown == pytest.approx(distance(figure, expected), abs=1e-3)


def test_ddim_by_the_pages_network(visit, figure, schedule) -> None:
    session = onnxruntime.InferenceSession(base64.b64decode(figure["models"]["network"]["onnx"]))

    def network(x: Tensor, t: Tensor) -> Tensor:
        feeds = {"input0": x.float().numpy(), "input1": t.numpy()}
        return torch.tensor(session.run(None, feeds)[0]).double()

    page = start(visit)
    choose(page, DDIM, "10", "by the page's network")
    expected = ddim_sample(network, schedule, column(figure["data"]["starts"]), steps=10)
    page.wait_for_function(  # the network takes its time, meanwhile the exact walk is shown
        """right => {
          const told = document.querySelector(".ddl-readout").textContent.match(/density (.*)\\.$/);
          return told && Math.abs(told[1] - right) < 1e-3;
        }""",
        arg=distance(figure, expected),
    )
    assert told(page)[2] == pytest.approx(distance(figure, expected), abs=1e-3)


@pytest.mark.parametrize("steps", [5, 40])
def test_exact_ddpm_is_the_packages(visit, figure, schedule, exact, steps: int) -> None:
    page = start(visit)
    choose(page, DDPM, str(steps))
    short, stops = respaced(schedule, steps)
    x, fresh = column(figure["data"]["starts"]), normal(1)
    for k in range(steps, 0, -1):
        here = torch.full((len(x),), k)
        x = short.ddpm_step(x, here, exact(x, stops[here]), noise(fresh, len(x)))
    assert told(page)[0] == 0
    assert told(page)[2] == pytest.approx(distance(figure, x), abs=1e-3)


def test_forward_is_the_packages(visit, figure, schedule, exact) -> None:
    page = start(visit)
    choose(page, FORWARD, "10")
    short, _ = respaced(schedule, 10)
    x, fresh = column(figure["data"]["clean"]), normal(1)
    for beta in short.betas[1:]:
        x = (1 - beta).sqrt() * x + beta.sqrt() * noise(fresh, len(x))
    # At the end the data are noise: their ranks' places are those of a normal distribution.
    gaps = x.flatten().sort().values - column(figure["data"]["starts"])[:, 0]
    assert told(page)[0] == 1000
    assert told(page)[2] == pytest.approx(gaps.abs().mean().item(), abs=5e-3)


def test_fresh_noise_and_none_differ_and_other_noise_changes_ddpm_only(visit) -> None:
    page = start(visit)
    values = {}
    for way in (DDIM, DDPM):
        choose(page, way, "40")
        first = told(page)[2]
        page.get_by_role("button", name="Other noise").click()
        values[way] = (first, told(page)[2])
    assert values[DDIM][0] == values[DDIM][1]
    assert values[DDPM][0] != values[DDPM][1]
    # A random sample of 512 of the truth is off by about 0.05, a walk that fails by far more.
    assert max(values[DDPM]) < 0.2


def test_more_steps_end_closer(visit) -> None:
    page = start(visit)
    ends = []
    for steps in ("5", "10", "20", "40"):
        choose(page, DDIM, steps)
        ends.append(told(page)[2])
    assert all(a > 1.5 * b for a, b in itertools.pairwise(ends)), ends


def test_scrubbing_tells_the_step_and_the_share(visit, schedule) -> None:
    page = start(visit)
    choose(page, FORWARD, "10")
    slider = page.locator(".ddl-stage input[type=range]")
    slider.focus()
    for key, t in (("End", 1000), ("Home", 0), ("ArrowRight", 100), ("ArrowRight", 200)):
        page.keyboard.press(key)
        at, share, shown = told(page)
        assert at == t
        assert share == pytest.approx(math.sqrt(schedule.alpha_bar[t].item()), rel=6e-3)
        assert shown < 0.15  # forward, the particles follow the exact density
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("document.querySelector('.ddl-stage input[type=range]').value === '10'")
    assert told(page)[0] == 1000


def test_curve_of_the_exact_density_is_the_mixtures(figure, exact) -> None:
    # What the figure calls quantiles are the mixture's: means and weights give their mean.
    data = figure["data"]
    mean = float(np.dot(data["means"], data["weights"]))
    assert np.mean(data["clean"]) == pytest.approx(mean, abs=2e-3)
