import pytest
import torch
from torch.nn import functional as F

from ddl.exercises import denoising as check


def resize(decoder_map: torch.Tensor, encoder_map: torch.Tensor) -> torch.Tensor:
    return F.interpolate(decoder_map, size=encoder_map.shape[-2:])


@pytest.mark.parametrize(
    ("solution", "message"),
    [
        (lambda d, e: torch.cat([resize(d, e), e], dim=1), "Correct"),
        (lambda d, e: torch.cat([e, resize(d, e)], dim=1), "in the other order"),
        (lambda d, e: torch.cat([d, e], dim=1), "your code raised RuntimeError"),
        (lambda d, e: torch.cat([resize(d, e)] * 2, dim=1), r"expected a (2, 8, 14, 14) output"),
        (lambda d, e: torch.cat([F.interpolate(d, size=14), e], dim=1), "RuntimeError"),
        (
            lambda d, e: torch.cat([F.interpolate(d, e.shape[-2:], mode="bilinear"), e], dim=1),
            "nearest neighbour",
        ),
        (lambda d, e: ..., "Replace the dots"),
    ],
)
def test_join(solution, message: str) -> None:
    assert message in repr(check.join(solution))


@pytest.mark.parametrize(
    ("solution", "message"),
    [
        (lambda carried, filters, kernel: carried * filters * kernel**2, "Correct"),
        (lambda carried, filters, kernel: filters * (carried * kernel**2 + 1), "biases"),
        (lambda carried, filters, kernel: 0, "0 is not it"),
        (lambda carried, filters, kernel: carried * filters * kernel, "is not it"),
        (lambda carried, filters, kernel: 73_728, "is not it"),
        (lambda carried, filters, kernel: ..., "Replace the dots"),
    ],
)
def test_skip_cost(solution, message: str) -> None:
    assert message in repr(check.skip_cost(solution))


@pytest.mark.parametrize(
    ("solution", "message"),
    [
        (lambda x: -(torch.xlogy(x, x) + torch.xlogy(1 - x, 1 - x)).mean(), "Correct"),
        (lambda x: -(x * x.log() + (1 - x) * (1 - x).log()).mean(), "nan"),
        (lambda x: -(torch.xlogy(x, x) + torch.xlogy(1 - x, 1 - x)).sum(), "is not it"),
        (lambda x: -torch.xlogy(x, x).mean(), "is not it"),
        (lambda x: 0.0, "is not it"),
        (lambda x: ..., "Replace the dots"),
    ],
)
def test_floor(solution, message: str) -> None:
    assert message in repr(check.floor(solution))
