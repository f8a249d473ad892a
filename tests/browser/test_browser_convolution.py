"""The sliding window and the costs of a layer, against torch and the package's counts."""

import math
import re
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ddl.convolution import conv_cost

SIDE = 12
NAMES = ("kernel", "stride", "padding", "dilation", "channels between")
LECTURE: dict[str, int] = dict(zip(NAMES, (5, 1, 2, 1, 18), strict=True))
SIZE, CHANNELS, FILTERS = 112, 64, 128
ELSE = {"kernel": 4, "stride": 2, "padding": 1, "dilation": 2, "channels between": 25}


def ring() -> torch.Tensor:
    """Return the image that the figure draws."""
    radius = [[math.hypot(x - 5.5, y - 5.5) for x in range(SIDE)] for y in range(SIDE)]
    return (1.5 - (torch.tensor(radius).double() - 3.5).abs()).clamp(0, 1)[None, None]


def output(n: dict[str, int]) -> torch.Tensor:
    k = n["kernel"]
    weight = torch.full((1, 1, k, k), 1 / k**2).double()
    settings: Any = {name: n[name] for name in ("stride", "padding", "dilation")}
    return F.conv2d(ring(), weight, **settings)[0, 0]


def start(visit, view: str = "desktop"):
    return visit(view).start("convolution")


def choose(page, n: dict[str, int]) -> None:
    for name, value in n.items():
        slider = page.get_by_role("slider", name=name)
        slider.press("Home")
        for _ in range(value - int(slider.get_attribute("min"))):
            slider.press("ArrowRight")


def window(page) -> tuple[int, int, int, int, float]:
    """Return row and column of the output pixel, the output's side, the products, their sum."""
    text = page.locator(".ddl-readout").first.text_content()
    found = re.match(
        r"Output pixel in row (\d+), column (\d+) of (\d+) x \3: "
        r"(\d+) products? adds? up to (\S+)\. ",
        text,
    )
    assert found is not None, text
    row, column, side, products = map(int, found.groups()[:4])
    return row, column, side, products, float(found[5])


def costs(page) -> tuple[list[list[int]], int, float, int]:
    """Return weights and multiplications of both ways, the output's side, their ratio, the most."""
    tables = [
        [
            int(text.replace(",", ""))
            for text in group.locator("span:last-child").all_text_contents()
        ]
        for group in page.locator(".ddl-bars").all()
    ]
    text = page.locator(".ddl-readout").nth(1).text_content()
    found = re.search(r"to 128 of (\d+) x .* by (\S+)\. It saves .*?(\d+|no number of) ch", text)
    assert found is not None, text
    even = 0 if found[3].startswith("no") else int(found[3])
    return tables, int(found[1]), float(found[2]), even


def expected_costs(n: dict[str, int]) -> tuple[list[list[int]], int, float, int]:
    settings: Any = {name: n[name] for name in ("stride", "padding", "dilation")}
    with torch.device("meta"):
        layer = nn.Conv2d(CHANNELS, FILTERS, n["kernel"], bias=False, **settings)
        out = layer(torch.empty(1, CHANNELS, SIZE, SIZE)).shape[-1]

    def through(middle: int):
        first = conv_cost(CHANNELS, middle, kernel=1, height=SIZE, width=SIZE)
        return first + conv_cost(middle, FILTERS, kernel=n["kernel"], height=out, width=out)

    direct = conv_cost(CHANNELS, FILTERS, kernel=n["kernel"], height=out, width=out)
    assert direct.parameters == layer.weight.numel()
    pair = through(n["channels between"])
    even = 0
    while through(even + 1).multiply_adds < direct.multiply_adds:
        even += 1
    ways = (direct, pair)
    tables = [[cost.parameters for cost in ways], [cost.multiply_adds for cost in ways]]
    return tables, out, direct.multiply_adds / pair.multiply_adds, even


def check_costs(page, n: dict[str, int]) -> None:
    tables, out, ratio, even = costs(page)
    right_tables, right_out, right_ratio, right_even = expected_costs(n)
    assert (tables, out, even) == (right_tables, right_out, right_even)
    assert ratio == pytest.approx(right_ratio, abs=6e-3)
    reach = n["dilation"] * (n["kernel"] - 1) + 1
    exact = (SIZE + 2 * n["padding"] - reach) / n["stride"] + 1
    rounded = f"rounded down from {exact:.2f}" in page.locator(".ddl-readout").nth(1).text_content()
    assert rounded == (exact != out)
    # The bars are as long as the numbers say.
    widths = "found => found.map(node => node.getBoundingClientRect().width)"
    for group, counts in zip(page.locator(".ddl-bars").all(), right_tables, strict=True):
        bars = group.locator(".ddl-bar").evaluate_all(widths)
        shares = [count / max(counts) for count in counts]
        assert [bar / max(bars) for bar in bars] == pytest.approx(shares, abs=0.01)


def test_the_lectures_numbers(visit) -> None:
    page = start(visit)
    check_costs(page, LECTURE)
    assert costs(page)[0] == [[204_800, 58_752], [2_569_011_200, 736_985_088]]
    choose(page, ELSE)
    page.get_by_role("button", name="The lecture's numbers").click()
    check_costs(page, LECTURE)
    assert window(page)[:4] == (1, 1, 12, 25)


def test_every_setting_counts(visit) -> None:
    page = start(visit, "phone")
    n = dict(LECTURE)
    for name, value in ELSE.items():
        choose(page, {name: value})
        n[name] = value
        check_costs(page, n)
        assert window(page)[2] == len(output(n))


@pytest.mark.parametrize("n", [LECTURE, ELSE, {**ELSE, "kernel": 1}, {**LECTURE, "stride": 3}])
def test_every_output_pixel_is_torchs(visit, n: dict[str, int]) -> None:
    page = start(visit)
    choose(page, n)
    right = output(n)
    side = len(right)
    for k in range(side**2):
        row, column, told, products, value = window(page)
        assert (row, column, told, products) == (
            k // side + 1,
            k % side + 1,
            side,
            n["kernel"] ** 2,
        )
        assert value == pytest.approx(right[k // side, k % side].item(), abs=6e-4)
        page.get_by_role("button", name="Next").click()
    assert window(page)[:2] == (side, side)  # there is no further one
    # All have been made, and are what the output shows.
    shades = (
        page.locator(".ddl-stage canvas")
        .nth(1)
        .evaluate(
            """(node, [side, all]) => [...Array(side ** 2).keys()].map((k) => {
          const cell = node.width / all;
          const [x, y] = [k % side, Math.floor(k / side)].map((at) => (at + 0.5) * cell);
          const place = [Math.round(x), Math.round(y), 1, 1];
          return node.getContext("2d").getImageData(...place).data[0] / 255;
        })""",
            [side, SIDE + 2 * n["padding"]],
        )
    )
    assert shades == pytest.approx(right.flatten().tolist(), abs=3e-3)


def test_the_window_is_dragged_and_moved_by_arrow_keys(visit) -> None:
    page = start(visit)
    choose(page, {"kernel": 3, "padding": 0})
    right = output({**LECTURE, "kernel": 3, "padding": 0})
    image = page.locator(".ddl-stage canvas").first
    image.press("ArrowDown")
    image.press("ArrowDown")
    image.press("ArrowRight")
    image.press("ArrowUp")
    assert window(page)[:2] == (2, 2)
    assert window(page)[4] == pytest.approx(right[1, 1].item(), abs=6e-4)
    image.scroll_into_view_if_needed()
    box = image.bounding_box()
    assert box is not None
    # The middle of the window follows the pointer; at the edge it stays inside.
    for pointer, place in (((7.5, 4.5), (4, 7)), ((11.9, 0.1), (1, 10))):
        x, y = (at / SIDE * box["width"] for at in pointer)
        page.mouse.move(box["x"] + x, box["y"] + y)
        page.mouse.down()
        page.mouse.up()
        assert window(page)[:2] == place
        assert window(page)[4] == pytest.approx(right[place[0] - 1, place[1] - 1].item(), abs=6e-4)


def test_play_makes_every_pixel(visit) -> None:
    page = start(visit)
    page.emulate_media(reduced_motion="reduce")
    page.get_by_role("button", name="Play").click()
    page.locator(".ddl-readout", has_text="row 12, column 12 of 12").wait_for()
    page.get_by_role("button", name="Back").click()
    assert window(page)[:2] == (12, 11)
