"""Convolutions against torch's own, their costs against torch's counter, and ranks."""

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from ddl.convolution import (
    Cost,
    InceptionNaive,
    InceptionReduced,
    ReducedConv,
    conv2d,
    conv_cost,
    cost_of,
    lost_share,
)

SETTINGS: list[dict[str, Any]] = [
    {"stride": s, "padding": p, "dilation": d} for s, p, d in product((1, 2, 3), (0, 1, 2), (1, 2))
]


def randn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def multiply_adds(model: nn.Module, x: Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x)
    return counter.get_total_flops() // 2  # a multiply-add is two operations


# --- Oracles ------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", SETTINGS)
def test_conv2d_is_torchs(settings: dict[str, Any]) -> None:
    x, weight = randn(2, 3, 13, 17), randn(5, 3, 4, 3, seed=1)
    torch.testing.assert_close(conv2d(x, weight, **settings), F.conv2d(x, weight, **settings))


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (5, 2), (7, 3)])
def test_conv_cost_is_torchs_count(kernel: int, stride: int) -> None:
    layer = nn.Conv2d(3, 5, kernel, stride=stride, bias=False)
    x = torch.ones(1, 3, 19, 23)
    height, width = layer(x).shape[2:]
    cost = conv_cost(3, 5, kernel=kernel, height=height, width=width)
    assert cost == Cost(layer.weight.numel(), multiply_adds(layer, x))


def test_cost_of_a_model_is_torchs_count() -> None:
    models = [
        nn.Sequential(nn.Conv2d(3, 5, 3, stride=2), nn.ReLU(), nn.Conv2d(5, 7, (1, 2))),
        nn.Sequential(nn.Conv2d(3, 6, 3, bias=False), nn.Conv2d(6, 8, 3, groups=2)),
        InceptionNaive(3, ones=2, threes=5, fives=7),
        InceptionReduced(3, ones=2, threes=(5, 7), fives=(11, 13), pooled=17),
    ]
    for model in models:
        x = torch.ones(1, 3, 13, 17)
        weights = sum(p.numel() for p in model.parameters() if p.ndim == 4)
        assert cost_of(model, x) == Cost(weights, multiply_adds(model, x))


def test_costs_of_the_lecture() -> None:
    size = {"height": 112, "width": 112}
    assert conv_cost(64, 128, kernel=5, **size) == Cost(204_800, 2_569_011_200)
    reduced = conv_cost(64, 18, kernel=1, **size) + conv_cost(18, 128, kernel=5, **size)
    assert reduced == Cost(58_752, 736_985_088)


def test_googlenets_module_3b() -> None:
    # Szegedy et al. 2015, table 1, inception (3b): 480 channels out, 304M operations.
    module = InceptionReduced(256, ones=128, threes=(128, 192), fives=(32, 96), pooled=64)
    x = torch.zeros(1, 256, 28, 28)
    assert module(x).shape == (1, 480, 28, 28)
    assert round(cost_of(module, x).multiply_adds / 1e6) == 304


def test_lost_share_is_the_error_of_the_best_projection() -> None:
    maps = randn(2, 7, 11, 5)
    pixels = maps.movedim(1, -1).reshape(-1, 7)
    _, vectors = torch.linalg.eigh(pixels.T @ pixels)  # smallest first
    for middle in (1, 3, 5):
        best = vectors[:, -middle:]
        error = (pixels - pixels @ best @ best.T).square().sum() / pixels.square().sum()
        assert lost_share(maps, middle=middle) == pytest.approx(error.item())
        # No other projection of this rank loses less.
        other, _ = torch.linalg.qr(randn(7, middle, seed=middle))
        worse = (pixels - pixels @ other @ other.T).square().sum() / pixels.square().sum()
        assert worse > error


# --- Properties ---------------------------------------------------------------------------


def test_gradients_pass_gradcheck() -> None:
    x, weight = randn(1, 2, 5, 4).requires_grad_(), randn(3, 2, 3, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda a, b: conv2d(a, b, stride=2, padding=1, dilation=1), (x, weight)
    )


def test_shifts_pass_through() -> None:
    x, weight = randn(1, 3, 13, 17), randn(5, 3, 3, 2, seed=1)
    for stride, step in ((1, 1), (1, 5), (2, 4), (3, 3)):
        moved = conv2d(x.roll(step, -1), weight, stride=stride)
        still = conv2d(x, weight, stride=stride)
        shift = step // stride
        torch.testing.assert_close(moved[..., shift:], still[..., :-shift])


def test_input_and_weight_stay_as_they_were() -> None:
    x, weight = randn(1, 3, 5, 7), randn(2, 3, 3, 3, seed=1)
    before = x.clone(), weight.clone()
    conv2d(x, weight, padding=1)
    assert torch.equal(x, before[0])
    assert torch.equal(weight, before[1])


def test_reduced_conv_folds_to_one_of_low_rank() -> None:
    pair = ReducedConv(11, 13, middle=3, kernel=5).double()
    folded, x = pair.folded(), randn(2, 11, 7, 17)
    assert folded.shape == (13, 11, 5, 5)
    torch.testing.assert_close(F.conv2d(x, folded, padding=2), pair(x))
    assert torch.linalg.matrix_rank(folded.movedim(1, -1).reshape(-1, 11)) == 3
    weights = sum(p.numel() for p in pair.parameters())
    assert cost_of(pair.float(), x.float()) == Cost(weights, weights * 7 * 17)


def test_lost_share_falls_to_zero_at_the_true_dimension() -> None:
    maps = F.conv2d(randn(2, 3, 11, 13), randn(7, 3, 1, 1, seed=1))
    shares = [lost_share(maps, middle=middle) for middle in range(1, 8)]
    assert shares == sorted(shares, reverse=True)
    assert shares[1] > 1e-3
    assert max(shares[2:]) < 1e-12


def test_inception_stacks_its_branches() -> None:
    x = torch.randn(2, 3, 11, 13, generator=torch.Generator().manual_seed(0))
    naive = InceptionNaive(3, ones=2, threes=5, fives=7)
    y = naive(x)
    assert y.shape == (2, 2 + 5 + 7 + 3, 11, 13)
    assert torch.equal(y[:, -3:], F.max_pool2d(x, 3, stride=1, padding=1))
    reduced = InceptionReduced(3, ones=2, threes=(17, 5), fives=(19, 7), pooled=11)
    y = reduced(x)
    assert y.shape == (2, 2 + 5 + 7 + 11, 11, 13)
    assert y.min() >= 0
    kernels = [m.weight.shape[2] for m in reduced.modules() if isinstance(m, nn.Conv2d)]
    assert kernels == [1, 1, 3, 1, 5, 1]


def test_cost_of_leaves_no_hook_behind() -> None:
    layer = nn.Conv2d(3, 5, 3)
    with pytest.raises(RuntimeError, match="to have 3 channels, but got 2"):  # the model's own
        cost_of(layer, torch.ones(1, 2, 7, 7))
    cost_of(layer, torch.ones(1, 3, 7, 7))
    assert not layer._forward_hooks


# --- Errors -------------------------------------------------------------------------------


def test_conv2d_refuses_what_does_not_fit() -> None:
    x, weight = randn(1, 3, 7, 5), randn(2, 3, 3, 3)
    with pytest.raises(ValueError, match=r"weight must .* beside x of shape \(1, 2, 7, 5\)"):
        conv2d(x[:, :2], weight)
    for settings in ({"stride": 0}, {"padding": -1}, {"dilation": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(settings))} must be at least"):
            conv2d(x, weight, **settings)
    with pytest.raises(ValueError, match="size must be at least 9"):
        conv2d(x, weight, dilation=4)


@pytest.mark.parametrize("name", ["in_channels", "out_channels", "kernel", "height", "width"])
def test_conv_cost_refuses_sizes_below_one(name: str) -> None:
    sizes = {"in_channels": 2, "out_channels": 3, "kernel": 5, "height": 7, "width": 11}
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        conv_cost(**sizes | {name: 0})


def test_cost_of_wants_a_convolution() -> None:
    with pytest.raises(ValueError, match="model must run a Conv2d, got ReLU"):
        cost_of(nn.ReLU(), torch.ones(1, 3, 7, 7))


def test_reduced_conv_refuses_bad_sizes() -> None:
    with pytest.raises(ValueError, match="middle must be at least 1, got 0"):
        ReducedConv(3, 5, middle=0, kernel=3)
    with pytest.raises(ValueError, match="kernel must be odd, got 4"):
        ReducedConv(3, 5, middle=2, kernel=4)


def test_lost_share_refuses_bad_input() -> None:
    for middle in (0, 4):
        with pytest.raises(ValueError, match=f"middle must be between 1 and 3, got {middle}"):
            lost_share(randn(2, 3, 5, 7), middle=middle)
    with pytest.raises(ValueError, match="maps must not be all zero"):
        lost_share(torch.zeros(2, 3, 5, 7), middle=1)


def test_inception_refuses_empty_branches() -> None:
    with pytest.raises(ValueError, match="fives must be at least 1, got 0"):
        InceptionNaive(3, ones=1, threes=1, fives=0)
    with pytest.raises(ValueError, match="threes must be at least 1, got 0"):
        InceptionReduced(3, ones=1, threes=(2, 0), fives=(1, 1), pooled=1)
    with pytest.raises(ValueError, match="pooled must be at least 1, got -1"):
        InceptionReduced(3, ones=1, threes=(1, 1), fives=(1, 1), pooled=-1)
