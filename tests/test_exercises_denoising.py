"""Wrong answers of several kinds get the message that helps."""

import torch
from exercises import both_ways
from torch import Tensor
from torch.nn import functional as F

from ddl.exercises import denoising as check


def resize(decoder_map: Tensor, encoder_map: Tensor) -> Tensor:
    return F.interpolate(decoder_map, size=encoder_map.shape[-2:])


def right_join(decoder_map: Tensor, encoder_map: Tensor) -> Tensor:
    return torch.cat([resize(decoder_map, encoder_map), encoder_map], dim=1)


def smooth_join(decoder_map: Tensor, encoder_map: Tensor) -> Tensor:
    grown = F.interpolate(decoder_map, encoder_map.shape[-2:], mode="bilinear")
    return torch.cat([grown, encoder_map], dim=1)


def right_cost(carried: int, filters: int, kernel: int) -> int:
    return carried * filters * kernel**2


def right_floor(x: Tensor) -> Tensor:
    return -(torch.xlogy(x, x) + torch.xlogy(1 - x, 1 - x)).mean()


RIGHT = [
    (check.join, right_join),
    (check.skip_cost, right_cost),
    (check.floor, right_floor),
]

WRONG = [
    (check.join, lambda d, e: torch.cat([e, resize(d, e)], dim=1), "in the other order"),
    (check.join, lambda d, e: torch.cat([d, e], dim=1), "your code raised RuntimeError"),
    (
        check.join,
        lambda d, e: torch.cat([resize(d, e)] * 2, dim=1),
        r"expected a \(2, 8, 14, 14\) output",
    ),
    (check.join, lambda d, e: torch.cat([F.interpolate(d, size=14), e], dim=1), "RuntimeError"),
    (check.join, smooth_join, "nearest neighbour"),
    (check.skip_cost, lambda carried, f, k: f * (carried * k**2 + 1), "biases"),
    (check.skip_cost, lambda carried, f, k: 0, "0 is not it"),
    (check.skip_cost, lambda carried, f, k: carried * f * k, "is not it"),
    (check.skip_cost, lambda carried, f, k: 73_728, "is not it"),
    (check.floor, lambda x: -(x * x.log() + (1 - x) * (1 - x).log()).mean(), "nan"),
    (check.floor, lambda x: right_floor(x) * x.numel(), "is not it"),
    (check.floor, lambda x: -torch.xlogy(x, x).mean(), "is not it"),
    (check.floor, lambda x: 0.0, "is not it"),
]

test_right_answers, test_stubs, test_wrong_answers, test_spoiled_answers = both_ways(RIGHT, WRONG)
