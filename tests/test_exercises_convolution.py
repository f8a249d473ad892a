"""Wrong answers of several kinds get the message that helps."""

import torch
from exercises import both_ways
from torch import Tensor

from ddl.exercises import convolution as check


def padding_for(kernel: int, dilation: int) -> int:
    return dilation * (kernel - 1) // 2


def pointwise(x: Tensor, matrix: Tensor) -> Tensor:
    return torch.einsum("fc,bchw->bfhw", matrix, x)


def changing(x: Tensor, matrix: Tensor) -> Tensor:
    y = pointwise(x, matrix)
    x += 1
    return y


def transposed(x: Tensor, matrix: Tensor) -> Tensor:
    return pointwise(x, matrix.T if matrix.shape[0] == matrix.shape[1] else matrix)


def along_width(x: Tensor, matrix: Tensor) -> Tensor:
    if x.shape[1] == x.shape[3]:
        return x @ matrix.T
    return pointwise(x, matrix)


def along_height(x: Tensor, matrix: Tensor) -> Tensor:
    if x.shape[1] == x.shape[2]:
        return matrix @ x
    return pointwise(x, matrix)


def widest(channels: int, filters: int, kernel: int) -> int:
    return (channels * filters * kernel**2 - 1) // (channels + filters * kernel**2)


def average_weight(channels: int, size: int) -> Tensor:
    return torch.eye(channels)[:, :, None, None].repeat(1, 1, size, size) / size**2


RIGHT = [
    (check.padding_for, padding_for),
    (check.pointwise, pointwise),
    (check.widest, widest),
    (check.average_weight, average_weight),
]

WRONG = [
    (check.padding_for, lambda k, d: 1, "kernel 5 and dilation 1, 31 pixels become 27"),
    (check.padding_for, lambda k, d: (k - 1) // 2, "kernel 3 and dilation 2"),
    (check.padding_for, lambda k, d: d * (k - 1), "2 is not it"),
    (check.padding_for, lambda k, d: d * (k - 1) / 2, "wants a whole number, got 1.0"),
    (check.padding_for, lambda k, d: "same", "expected a number, got str"),
    (check.padding_for, lambda k, d: k / 0, "raised ZeroDivisionError"),
    (check.pointwise, transposed, "the wrong way round"),
    (check.pointwise, along_width, "mixes the width"),
    (check.pointwise, along_height, "mixes the height"),
    (check.pointwise, changing, "changed its own input"),
    (
        check.pointwise,
        lambda x, m: pointwise(x, m).movedim(1, -1),
        r"expected a \(2, 5, 7, 4\) output, got \(2, 7, 4, 5\)",
    ),
    (check.pointwise, lambda x, m: 2 * pointwise(x, m), "3 channels and 5 filters"),
    (check.pointwise, lambda x, m: pointwise(x, m).tolist(), "expected a tensor, got list"),
    (check.pointwise, lambda x, m: m @ x, "raised RuntimeError"),
    (check.widest, lambda c, f, k: 62, "32 channels, 8 filters and kernel 3"),
    (check.widest, lambda c, f, k: c * f * k**2 // (c + f * k**2), "is not it"),
    (check.widest, lambda c, f, k: c * f * k**2 // (c * k**2 + f), "64 channels, 128 filters"),
    (check.widest, lambda c, f, k: c * f * k**2 / (c + f * k**2), "62.7451 is not it"),
    (check.average_weight, lambda c, n: torch.ones(c, c, n, n) / n**2, "channels are mixed"),
    (
        check.average_weight,
        lambda c, n: average_weight(c, n) * n,
        "an image of ones comes out as 2",
    ),
    (
        check.average_weight,
        lambda c, n: torch.ones(c, 1, n, n) / n**2,
        r"expected a \(3, 3, 2, 2\) output, got \(3, 1, 2, 2\)",
    ),
    (
        check.average_weight,
        lambda c, n: torch.eye(c)[:, :, None, None] * torch.eye(n) / n,
        "the values are not",
    ),
]

test_right_answers, test_stubs, test_wrong_answers, test_spoiled_answers = both_ways(RIGHT, WRONG)
