"""Wrong answers of several kinds get the message that helps."""

from typing import Any

import torch
from exercises import both_ways
from torch import Tensor
from torch.nn import functional as F

from ddl.exercises import building_models as check


def right_needed(reads: dict[str, list[str]], output: str) -> list[str]:
    order: list[str] = []
    for name in reads[output]:
        order += [n for n in right_needed(reads, name) if n not in order]
    return [*order, output]


def needed_in_another_order(reads: dict[str, list[str]], output: str) -> list[str]:
    return right_needed({n: read[::-1] for n, read in reads.items()}, output)


def right_to_keras(weight: Tensor, channels: int) -> Tensor:
    by_pixel = weight.reshape(len(weight), channels, -1)
    return by_pixel.permute(2, 1, 0).reshape(-1, len(weight))


def padded(x: Tensor, weight: Tensor, stride: int, front: Any) -> Tensor:
    pads: list[int] = []
    for axis in (3, 2):
        length, size = x.shape[axis], weight.shape[axis]
        p = max((-(-length // stride) - 1) * stride + size - length, 0)
        pads += [front(p), p - front(p)]
    return F.conv2d(F.pad(x, pads), weight, stride=stride)


def right_same_conv(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    return padded(x, weight, stride, lambda p: p // 2)


RIGHT = [
    (check.needed, right_needed),
    (check.needed, needed_in_another_order),
    (check.to_keras, right_to_keras),
    (check.same_conv, right_same_conv),
]


def doubled(reads: dict[str, list[str]], output: str) -> list[str]:
    return [n for name in reads[output] for n in doubled(reads, name)] + [output]


def endless(reads: dict[str, list[str]], output: str) -> list[str]:
    return endless(reads, output)


WRONG = [
    (check.needed, lambda reads, output: list(reads), "'h' is there|comes before"),
    (check.needed, lambda reads, output: right_needed(reads, output)[::-1], "comes before"),
    (check.needed, lambda reads, output: right_needed(reads, output)[:-1], "lacks"),
    (check.needed, lambda reads, output: right_needed(reads, output)[1:], "lacks"),
    (check.needed, lambda reads, output: sorted(reads), "comes before|does not need"),
    (check.needed, lambda reads, output: right_needed(reads, list(reads)[-1]), "lacks|not need"),
    (check.needed, lambda reads, output: [*right_needed(reads, output), "?"], "not need '\\?'"),
    (check.needed, lambda reads, output: set(reads), "expected a list, got set"),
    (check.needed, doubled, "more than once"),
    (check.needed, endless, "raised RecursionError"),
    (check.to_keras, lambda w, c: w, r"expected a \(30, 7\) output, got \(7, 30\)"),
    (check.to_keras, lambda w, c: w.T, "now the rows need Keras' order"),
    (
        check.to_keras,
        lambda w, c: w.reshape(len(w), -1, c).permute(2, 1, 0).reshape(-1, len(w)),
        "Name the axes",
    ),
    (check.to_keras, lambda w, c: w.reshape(-1, len(w)), "permute the axes"),
    (check.to_keras, lambda w, c: right_to_keras(w, c).flip(0), "values are not"),
    (check.to_keras, lambda w, c: w.T.numpy(), "expected a tensor, got ndarray"),
    (check.same_conv, lambda x, w, s: F.conv2d(x, w, stride=s), "expected a"),
    (check.same_conv, lambda x, w, s: right_same_conv(x, w, 1), "expected a"),
    (check.same_conv, lambda x, w, s: padded(x, w, s, lambda p: p - p // 2), "belongs behind"),
    (check.same_conv, lambda x, w, s: padded(x, w, s, lambda p: p), "belongs behind"),
    (check.same_conv, lambda x, w, s: padded(x, w.flip(2, 3), s, lambda p: p // 2), "8x6 pixels"),
    (
        check.same_conv,
        lambda x, w, s: F.conv2d(x, w, stride=s, padding=(w.shape[2] // 2, w.shape[3] // 2)),
        "belongs behind",
    ),
    (check.same_conv, lambda x, w, s: torch.zeros(1), "expected a"),
]

test_right_answers, test_stubs, test_wrong_answers, test_spoiled_answers = both_ways(RIGHT, WRONG)
