"""Stamping against torch's own operators, the laws of sizes, and what leaves a constant flat."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ddl.convolution import conv_output_size
from ddl.upsampling import (
    ResizeConv,
    checkerboard_share,
    conv_matrix,
    icnr_,
    overlap_counts,
    phase_sums,
    transposed_conv2d,
    transposed_output_size,
)

SETTINGS: list[dict[str, Any]] = [
    {"stride": s, "padding": p, "dilation": d} for s, p, d in product((1, 2, 3), (0, 1), (1, 2))
]


def randn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


# --- Oracles ------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", SETTINGS)
def test_transposed_conv_is_torchs(settings: dict[str, Any]) -> None:
    x, weight = randn(2, 3, 5, 7), randn(3, 11, 4, 3, seed=1)
    for extra in range(max(settings["stride"], settings["dilation"])):
        torch.testing.assert_close(
            transposed_conv2d(x, weight, output_padding=extra, **settings),
            F.conv_transpose2d(x, weight, output_padding=extra, **settings),
        )


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_conv_matrix_is_torchs_convolution(stride: int) -> None:
    kernel, image = randn(3, 2), randn(7, 11, seed=1)
    matrix = conv_matrix(kernel, height=7, width=11, stride=stride)
    expected = F.conv2d(image[None, None], kernel[None, None], stride=stride)
    torch.testing.assert_close(matrix @ image.flatten(), expected.flatten())
    # Its transpose, applied to any output, is the stamping of the same kernel.
    back = transposed_conv2d(expected, kernel[None, None], stride=stride)[0, 0]
    there = (matrix.T @ expected.flatten()).view(7, 11)
    torch.testing.assert_close(there[: back.shape[0], : back.shape[1]], back)


def test_sizes_are_torchs() -> None:
    for k, s, p, d in product(range(1, 6), range(1, 5), range(3), range(1, 4)):
        case = {"kernel": k, "stride": s, "padding": p, "dilation": d}
        options: dict[str, Any] = {"stride": s, "padding": p, "dilation": d}
        weight = torch.ones(1, 1, k)
        y = F.conv1d(torch.ones(1, 1, 17), weight, **options)
        assert conv_output_size(17, **case) == y.shape[-1]
        for extra in range(max(s, d)):
            z = F.conv_transpose1d(y, weight, output_padding=extra, **options)
            size = transposed_output_size(y.shape[-1], output_padding=extra, **case)
            assert size == z.shape[-1]


def test_icnr_start_is_a_small_convolution_and_nearest_upsampling() -> None:
    # Aitken et al.: the layer first computes what a convolution followed by resizing does.
    weight = icnr_(torch.empty(3, 5, 6, 6, dtype=torch.float64), stride=2)
    small = weight[..., ::2, ::2]
    x = randn(2, 3, 7, 11, seed=1)
    resized = F.interpolate(F.conv_transpose2d(x, small), scale_factor=2)
    torch.testing.assert_close(transposed_conv2d(x, weight, stride=2), resized)


# --- Properties ---------------------------------------------------------------------------


@pytest.mark.parametrize("settings", SETTINGS)
def test_is_adjoint_of_conv2d(settings: dict[str, Any]) -> None:
    x, weight = randn(2, 3, 13, 17), randn(5, 3, 4, 3, seed=1)
    ax = F.conv2d(x, weight, **settings)
    y = randn(*ax.shape, seed=2)
    back = transposed_conv2d(y, weight, **settings)
    lost = [
        (size + 2 * settings["padding"] - settings["dilation"] * (k - 1) - 1) % settings["stride"]
        for size, k in ((13, 4), (17, 3))
    ]
    assert [13 - back.shape[2], 17 - back.shape[3]] == lost
    short = x[..., : back.shape[2], : back.shape[3]]
    if settings["padding"] == 0:  # then no window reads what was lost
        torch.testing.assert_close((ax * y).sum(), (short * back).sum())
    (gradient,) = torch.autograd.grad(
        F.conv2d(x.requires_grad_(), weight, **settings), x, grad_outputs=y
    )
    torch.testing.assert_close(gradient[..., : back.shape[2], : back.shape[3]], back)


def test_gradients_pass_gradcheck() -> None:
    x, weight = randn(1, 2, 3, 2).requires_grad_(), randn(2, 3, 3, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda a, b: transposed_conv2d(a, b, stride=2, padding=1, output_padding=1), (x, weight)
    )


def test_overlap_counts_are_the_gradient_of_a_strided_sum() -> None:
    for kernel, stride in ((3, 2), (5, 3), (2, 3)):
        counts = overlap_counts(5, kernel=kernel, stride=stride)
        x = torch.ones(1, 1, *counts.shape, requires_grad=True)
        F.conv2d(x, torch.ones(1, 1, kernel, kernel), stride=stride).sum().backward()
        assert x.grad is not None
        assert torch.equal(counts, x.grad[0, 0])
        assert counts.sum() == 5**2 * kernel**2  # every tap of every stamp lands once


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (4, 2), (5, 3)])
def test_a_constant_comes_out_as_the_phase_sums(kernel: int, stride: int) -> None:
    weight = randn(1, 3, kernel, kernel)
    y = transposed_conv2d(torch.ones(1, 1, 7, 7).double(), weight, stride=stride)
    start = 2 * stride * ((kernel - 1) // stride)  # a multiple of the stride, inside
    cell = y[0, :, start : start + stride, start : start + stride]
    torch.testing.assert_close(cell, phase_sums(weight, stride=stride)[0])


def test_checkerboard_share_is_one_part_of_the_mean_square() -> None:
    images = randn(2, 3, 10, 15)
    mean = images.mean((-1, -2)).square().mean()
    rows, columns = torch.arange(10) % 5, torch.arange(15) % 5
    phases = torch.stack(
        [
            images[..., rows == a, :][..., columns == b].mean((-1, -2))
            for a, b in product(range(5), repeat=2)
        ],
        dim=-1,
    )
    between = (phases - images.mean((-1, -2))[..., None]).square().mean()
    share = checkerboard_share(images, period=5)
    assert share == pytest.approx((between / images.square().mean()).item())
    assert 0 < share < 1 - (mean / images.square().mean()).item()


def test_checkerboard_share_of_known_patterns() -> None:
    board = (-1.0) ** (torch.arange(6)[:, None] + torch.arange(8))
    assert checkerboard_share(board, period=2) == pytest.approx(1)
    assert checkerboard_share(board + 1, period=2) == pytest.approx(0.5)
    assert checkerboard_share(torch.full((6, 8), 3.0), period=2) == 0
    stripes = torch.arange(8).div(2, rounding_mode="floor").remainder(2).expand(4, 8) * 2.0 - 1
    assert checkerboard_share(stripes, period=2) == 0
    assert checkerboard_share(stripes, period=4) == pytest.approx(1)


@pytest.mark.parametrize("stride", [2, 3])
def test_icnr_is_flat_with_the_scale_of_its_inputs(stride: int) -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.empty(32, 37, 2 * stride, 2 * stride)
    assert icnr_(weight, stride=stride, generator=generator) is weight
    sums = phase_sums(weight, stride=stride)
    torch.testing.assert_close(sums, sums[..., :1, :1].expand_as(sums))
    # Unit-variance inputs give outputs of unit variance.
    y = F.conv_transpose2d(torch.randn(11, 32, 7, 7, generator=generator), weight, stride=stride)
    assert y[..., 6:-6, 6:-6].std().item() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("kernel", "scale"), [(3, 2), (5, 3), (1, 2)])
def test_resize_conv_scales_and_leaves_constants_flat(kernel: int, scale: int) -> None:
    torch.manual_seed(0)
    layer = ResizeConv(3, 5, kernel=kernel, scale=scale).double()
    assert layer(randn(2, 3, 7, 11)).shape == (2, 5, 7 * scale, 11 * scale)
    y = layer(torch.ones(2, 3, 7, 11).double())[..., kernel:-kernel, kernel:-kernel]
    torch.testing.assert_close(y, y[..., :1, :1].expand_as(y))


def test_resize_conv_is_a_transposed_conv_with_equal_phases() -> None:
    torch.manual_seed(0)
    layer = ResizeConv(2, 3, kernel=3, scale=2).double()
    taps = layer.conv.weight.detach().flip(2, 3).transpose(0, 1)  # 2 3 3 3
    box = torch.ones(1, 1, 2, 2).double()
    folded = F.conv2d(taps.reshape(6, 1, 3, 3), box, padding=1).view(2, 3, 4, 4)
    assert layer.conv.bias is not None
    x, bias = randn(1, 2, 5, 7), layer.conv.bias[:, None, None]
    torch.testing.assert_close(layer(x), transposed_conv2d(x, folded, stride=2, padding=1) + bias)
    sums = phase_sums(folded, stride=2)
    torch.testing.assert_close(sums, sums[..., :1, :1].expand_as(sums))


# --- Errors -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: conv_output_size(5, kernel=0), "kernel must be at least 1, got 0"),
        (lambda: conv_output_size(5, kernel=3, stride=0), "stride must be at least 1, got 0"),
        (lambda: conv_output_size(5, kernel=3, padding=-1), "padding must be at least 0, got -1"),
        (lambda: conv_output_size(5, kernel=3, dilation=0), "dilation must be at least 1, got 0"),
        (lambda: conv_output_size(4, kernel=3, dilation=2), "size must be at least 5 .* got 4"),
        (lambda: transposed_output_size(0, kernel=3), "size must be at least 1, got 0"),
        (
            lambda: transposed_output_size(5, kernel=3, stride=2, output_padding=2),
            "output_padding must be between 0 and 1, got 2",
        ),
        (
            lambda: transposed_output_size(5, kernel=3, output_padding=-1),
            "output_padding must be between 0 and 0, got -1",
        ),
        (
            lambda: transposed_output_size(1, kernel=3, padding=2),
            "padding must leave at least one output pixel, got 2",
        ),
        (lambda: conv_matrix(torch.ones(3, 2), height=2, width=7), "size must be at least 3"),
        (lambda: overlap_counts(0, kernel=3, stride=2), "size must be at least 1, got 0"),
        (lambda: overlap_counts(3, kernel=3, stride=0), "stride must be at least 1, got 0"),
        (lambda: phase_sums(torch.ones(1, 1, 3, 3), stride=0), "stride must be at least 1"),
        (lambda: checkerboard_share(torch.ones(4, 6), period=1), "period must be at least 2"),
        (lambda: checkerboard_share(torch.ones(4, 6), period=4), "divisible by 4, got 4x6"),
        (lambda: checkerboard_share(torch.zeros(4, 6), period=2), "images must not be zero"),
        (lambda: icnr_(torch.ones(1, 1, 3, 3), stride=2), "divisible by 2, got 3"),
        (lambda: icnr_(torch.ones(1, 1, 3, 3), stride=0), "stride must be at least 1, got 0"),
        (lambda: ResizeConv(1, 1, kernel=4), "kernel must be a positive odd number, got 4"),
        (lambda: ResizeConv(1, 1, scale=0), "scale must be at least 1, got 0"),
    ],
)
def test_bad_settings(call: Callable[[], object], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        call()
