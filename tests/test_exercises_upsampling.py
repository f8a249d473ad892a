"""Wrong answers of several kinds get the message that helps."""

import torch
from exercises import both_ways
from torch import Tensor
from torch.nn import functional as F

from ddl.exercises import upsampling as check


def stamps(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    return F.conv_transpose1d(x[None, None], kernel[None, None], stride=stride)[0, 0]


def overwritten(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    y = torch.zeros((len(x) - 1) * stride + len(kernel))
    for i, value in enumerate(x):
        y[i * stride : i * stride + len(kernel)] = value * kernel
    return y


def changing(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    y = stamps(x, kernel, stride)
    x += 1
    return y


def missing(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    return (size + 2 * padding - dilation * (kernel - 1) - 1) % stride


def flat_start(small: Tensor, stride: int) -> Tensor:
    return small.repeat_interleave(stride, 2).repeat_interleave(stride, 3)


def fold(taps: Tensor) -> Tensor:
    a, b, c = taps
    return torch.stack([c, b + c, a + b, a])


RIGHT = [
    (check.stamps, stamps),
    (check.missing, missing),
    (check.flat_start, flat_start),
    (check.fold, fold),
]

WRONG = [
    (check.stamps, lambda x, k, s: stamps(x, k.flip(0), s), "mirrored"),
    (check.stamps, overwritten, "overlap they add up"),
    (check.stamps, changing, "changed its own input"),
    (check.stamps, lambda x, k, s: stamps(x, k, 1), r"expected a \(9,\) output, got \(6,\)"),
    (check.stamps, lambda x, k, s: 2 * stamps(x, k, s), "off by up to"),
    (check.stamps, lambda x, k, s: stamps(x, k, s).tolist(), "expected a tensor, got list"),
    (check.missing, lambda *_: 1, "1 is not it"),
    (check.missing, lambda n, k, s, p, d: (n + 2 * p - k) % s, "dilation 2"),
    (check.missing, lambda n, k, s, p, d: (n - d * (k - 1) - 1) % s, "padding 1 and dilation"),
    (check.missing, lambda n, k, s, p, d: s - 1, "not it"),
    (check.missing, lambda n, k, s, p, d: n / 0, "raised ZeroDivisionError"),
    (check.flat_start, lambda w, s: w.repeat(1, 1, s, s), "side by side"),
    (check.flat_start, lambda w, s: w, r"expected a \(2, 3, 4, 4\) output, got \(2, 3, 2, 2\)"),
    (
        check.flat_start,
        lambda w, s: flat_start(w, s) + torch.eye(w.shape[-1] * s),
        "not come out flat",
    ),
    (check.flat_start, lambda w, s: flat_start(w, s) / s, "not those of the small kernel"),
    (check.flat_start, lambda w, s: flat_start(w.flip(2), s), "not those of the small kernel"),
    (check.fold, lambda t: fold(t.flip(0)), "mirrored"),
    (check.fold, lambda t: t[[0, 1, 1, 2]], "a constant would not stay flat"),
    (check.fold, lambda t: fold(t) * 2, "off by up to"),
    (check.fold, lambda t: t, r"expected a \(4,\) output, got \(3,\)"),
    (check.fold, lambda t: torch.tensor([100.0, 110.0, 11.0, 1.0]), "not"),
]

test_right_answers, test_stubs, test_wrong_answers, test_spoiled_answers = both_ways(RIGHT, WRONG)
