"""The calculator of sizes and costs, against torch's shapes and the package's counts."""

import re
from typing import Any

import pytest
import torch
from torch import nn

from ddl.convolution import conv_cost

NAMES = ("size", "kernel", "stride", "padding", "dilation", "channels", "filters", "middle")
LECTURE: dict[str, int] = dict(zip(NAMES, (112, 5, 1, 2, 1, 64, 128, 18), strict=True))


def start(visit, view: str = "desktop"):
    page = visit(view).open("convolution")
    page.click(".ddl-start")
    page.wait_for_selector("[data-started]")
    return page


def press(page, name: str, key: str, times: int) -> None:
    page.locator(".ddl-stage input[type=range]").nth(NAMES.index(name)).focus()
    for _ in range(times):
        page.keyboard.press(key)


def told(page) -> tuple[list[list[int]], int, float, int]:
    rows = [
        [int(cell.replace(",", "")) for cell in row.locator("td").all_text_contents()]
        for row in page.locator(".ddl-stage tbody tr").all()
    ]
    text = page.locator(".ddl-readout").text_content()
    found = re.search(r"output is (\d+) x .* by (\S+)\. It saves .*?(\d+|no number of) ch", text)
    assert found is not None, text
    even = 0 if found[3].startswith("no") else int(found[3])
    return rows, int(found[1]), float(found[2]), even


def expected(n: dict[str, int]) -> tuple[list[list[int]], int, float, int]:
    settings: Any = {name: n[name] for name in ("stride", "padding", "dilation")}
    with torch.device("meta"):
        layer = nn.Conv2d(n["channels"], n["filters"], n["kernel"], **settings)
        out = layer(torch.empty(1, n["channels"], n["size"], n["size"])).shape[-1]

    def through(middle: int):
        first = conv_cost(n["channels"], middle, kernel=1, height=n["size"], width=n["size"])
        second = conv_cost(middle, n["filters"], kernel=n["kernel"], height=out, width=out)
        return first + second

    direct = conv_cost(n["channels"], n["filters"], kernel=n["kernel"], height=out, width=out)
    pair = through(n["middle"])
    even = 0
    while through(even + 1).multiply_adds < direct.multiply_adds:
        even += 1
    rows = [[cost.parameters, cost.multiply_adds] for cost in (direct, pair)]
    return rows, out, direct.multiply_adds / pair.multiply_adds, even


def check(page, n: dict[str, int]) -> None:
    rows, out, ratio, even = told(page)
    right_rows, right_out, right_ratio, right_even = expected(n)
    assert (rows, out, even) == (right_rows, right_out, right_even)
    assert ratio == pytest.approx(right_ratio, abs=6e-3)
    told_ratios = page.locator(".ddl-stage tfoot td").all_text_contents()
    ratios = [alone / both for alone, both in zip(*right_rows, strict=True)]
    assert [float(told) for told in told_ratios] == pytest.approx(ratios, abs=6e-3)
    reach = n["dilation"] * (n["kernel"] - 1) + 1
    exact = (n["size"] + 2 * n["padding"] - reach) / n["stride"] + 1
    rounded = f"rounded down from {exact:.2f}" in page.locator(".ddl-readout").text_content()
    assert rounded == (exact != out)


def test_the_lectures_numbers(visit) -> None:
    page = start(visit)
    check(page, LECTURE)
    assert told(page)[0] == [[204_800, 2_569_011_200], [58_752, 736_985_088]]


def test_every_setting_counts(visit) -> None:
    page = start(visit, "phone")
    n = dict(LECTURE)
    for name, key, times in (
        ("size", "ArrowRight", 6),
        ("stride", "ArrowRight", 1),  # (118 + 4 - 5) / 2 is no whole number: floor and ceil differ
        ("dilation", "ArrowRight", 2),
        ("padding", "ArrowLeft", 1),
        ("kernel", "ArrowLeft", 2),
        ("channels", "ArrowLeft", 4),
        ("filters", "ArrowRight", 3),
        ("middle", "ArrowRight", 7),
    ):
        press(page, name, key, times)
        n[name] += times if key == "ArrowRight" else -times
        check(page, n)
    page.get_by_role("button", name="The lecture's numbers").click()
    check(page, LECTURE)


def test_a_kernel_that_does_not_fit_is_told(visit) -> None:
    page = start(visit)
    press(page, "size", "Home", 1)
    press(page, "padding", "Home", 1)
    assert "no output" in page.locator(".ddl-readout").text_content()
