"""Wrong answers of several kinds get the message that helps."""

import math
from typing import Any

import torch
from exercises import both_ways
from torch import Tensor
from torch.nn import functional as F

from ddl.exercises import residual as check


def branch(x: Tensor, c1: Any, n1: Any, c2: Any, n2: Any) -> Tensor:
    return n2(c2(n1(c1(x)).relu()))


def right_block(x: Tensor, *layers: Any) -> Tensor:
    return (branch(x, *layers) + x).relu()


def right_shortcut(x: Tensor, out_channels: int, stride: int) -> Tensor:
    return F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, 0, out_channels - x.shape[1]))


def right_bias(share: float, layers: int) -> float:
    return math.log(share ** (-1 / layers) - 1)


RIGHT = [
    (check.block, right_block),
    (check.shortcut, right_shortcut),
    (check.bias, right_bias),
    (check.bias, lambda share, layers: torch.tensor(right_bias(share, layers))),
]


def zeros_first(x: Tensor, out_channels: int, stride: int) -> Tensor:
    return F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, out_channels - x.shape[1], 0))


def in_place(x: Tensor, out_channels: int, stride: int) -> Tensor:
    kept = right_shortcut(x, out_channels, stride)
    x.zero_()
    return kept


def late(x: Tensor, out_channels: int, stride: int) -> Tensor:
    rows, columns = (torch.arange(0, n, stride) for n in x.shape[2:])
    rows, columns = (rows + 1).clamp(max=x.shape[2] - 1), (columns + 1).clamp(max=x.shape[3] - 1)
    kept = x[:, :, rows][:, :, :, columns]
    return F.pad(kept, (0, 0, 0, 0, 0, out_channels - x.shape[1]))


def repeated(x: Tensor, out_channels: int, stride: int) -> Tensor:
    kept = x[:, :, ::stride, ::stride]
    return kept.repeat(1, 4, 1, 1)[:, :out_channels]


WRONG = [
    (check.block, lambda x, *layers: branch(x, *layers).relu(), "input should be added"),
    (check.block, lambda x, *layers: branch(x, *layers) + x, "ReLU behind the sum"),
    (check.block, lambda x, *layers: branch(x, *layers).relu() + x, "before the last ReLU"),
    (check.block, lambda x, c, n, d, m: (m(d(n(c(x)))) + x).relu(), "between the two"),
    (
        check.block,
        lambda x, c, n, d, m: m(d(n(c(x)).relu()) + x).relu(),
        "second batch norm comes before",
    ),
    (
        check.block,
        lambda x, c, n, d, m: (m(d(h := n(c(x)).relu())) + h).relu(),
        "as it came",
    ),
    (check.block, lambda x, *layers: (branch(x, *layers) - x).relu(), "not subtracted"),
    (check.block, lambda x, c, n, d, m: (d(n(c(x)).relu()) + x).relu(), "values are not"),
    (check.block, lambda x, *layers: torch.cat([x, x], 1), "output, got"),
    (check.shortcut, lambda x, channels, stride: x, "output, got"),
    (check.shortcut, lambda x, channels, stride: x[:, :, ::stride, ::stride], "output, got"),
    (check.shortcut, zeros_first, "come behind"),
    (check.shortcut, repeated, "should be zeros"),
    (check.shortcut, in_place, "stay as it is"),
    (check.shortcut, late, "rows and columns 0"),
    (check.bias, lambda share, layers: -right_bias(share, layers), "mind the sign"),
    (check.bias, lambda share, layers: right_bias(share, 1), "right for one layer"),
    (check.bias, lambda share, layers: share ** (1 / layers), "With this bias a share of"),
    (check.bias, lambda share, layers: -1e9, "It is wrong"),
    (check.bias, lambda share, layers: math.nan, "is not it"),
    (check.bias, lambda share, layers: "closed", "expected a number, got str"),
    (check.bias, lambda share, layers: None, "there is no answer"),
]

test_right_answers, test_stubs, test_wrong_answers, test_spoiled_answers = both_ways(RIGHT, WRONG)
