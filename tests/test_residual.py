"""Residual blocks against torch's functions, closed forms and published numbers."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddl.residual import (
    BasicBlock,
    Bottleneck,
    DenseLayer,
    PadShortcut,
    PlainBlock,
    StagedNet,
    densenet121,
    imagenet_resnet,
    small_net,
    zero_last_gamma,
)

DOUBLE = torch.float64
BLOCKS = [PlainBlock, BasicBlock, Bottleneck]


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(0)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def stir(model: nn.Module) -> nn.Module:
    """Give batch norm's scales and shifts values that show where they are used."""
    for number, layer in enumerate(model.modules()):
        if isinstance(layer, nn.BatchNorm2d):
            with torch.no_grad():
                layer.weight.copy_(randn(layer.num_features, seed=2 * number))
                layer.bias.copy_(randn(layer.num_features, seed=2 * number + 1))
    return model.double()


def by_hand(x: Tensor, branch: nn.Module, strides: list[int]) -> Tensor:
    """Return F(x) from the branch's tensors alone."""
    weights, scales, shifts = [], [], []
    for layer in branch.children():
        if isinstance(layer, nn.Conv2d):
            weights.append(layer.weight)
        elif isinstance(layer, nn.BatchNorm2d):
            scales.append(layer.weight)
            shifts.append(layer.bias)
    for number, (w, g, b, stride) in enumerate(zip(weights, scales, shifts, strides, strict=True)):
        h = x.clamp(min=0) if number else x
        z = F.conv2d(h, w, stride=stride, padding=w.shape[-1] // 2)
        z = z - z.mean((0, 2, 3), keepdim=True)
        z = z / (z.square().mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
        x = g[:, None, None] * z + b[:, None, None]
    return x


def padded(x: Tensor, channels: int, stride: int) -> Tensor:
    y = torch.zeros(len(x), channels, -(-x.shape[2] // stride), -(-x.shape[3] // stride)).to(x)
    y[:, : x.shape[1]] = x[:, :, ::stride, ::stride]
    return y


def test_pad_shortcut_drops_rows_and_appends_zeros() -> None:
    x = randn(2, 3, 7, 5)
    torch.testing.assert_close(PadShortcut(3, 5, stride=2)(x), padded(x, 5, 2))
    assert torch.equal(PadShortcut(3, 3)(x), x)
    assert count(PadShortcut(3, 5, stride=2)) == 0


@pytest.mark.parametrize("stride", [1, 2])
def test_plain_and_basic_blocks_are_their_equations(stride: int) -> None:
    x = randn(2, 3, 7, 5)
    plain = stir(PlainBlock(3, 11, stride=stride))
    f = by_hand(x, plain.get_submodule("branch"), [stride, 1])
    torch.testing.assert_close(plain(x), f.clamp(min=0))
    basic = stir(BasicBlock(3, 11, stride=stride))
    f = by_hand(x, basic.get_submodule("branch"), [stride, 1])
    torch.testing.assert_close(basic(x), (f + padded(x, 11, stride)).clamp(min=0))


@pytest.mark.parametrize("stride", [1, 2])
def test_bottleneck_is_its_equation(stride: int) -> None:
    x, block = randn(2, 11, 7, 5), stir(Bottleneck(11, 3, stride=stride))
    f = by_hand(x, block.get_submodule("branch"), [1, stride, 1])
    torch.testing.assert_close(block(x), (f + padded(x, 12, stride)).clamp(min=0))
    kernels = [p.shape[-1] for p in block.get_submodule("branch").parameters() if p.ndim == 4]
    assert kernels == [1, 3, 1]


def test_projection_is_a_convolution_with_batch_norm_where_shapes_differ() -> None:
    x, block = randn(2, 3, 7, 5), stir(BasicBlock(3, 5, stride=2, projection=True))
    f = by_hand(x, block.get_submodule("branch"), [2, 1])
    s = by_hand(x, block.get_submodule("shortcut"), [2])
    torch.testing.assert_close(block(x), (f + s).clamp(min=0))
    assert count(BasicBlock(3, 3, projection=True)) == count(PlainBlock(3, 3))
    assert count(BasicBlock(3, 3, stride=2, projection=True)) == count(PlainBlock(3, 3)) + 9 + 6
    assert count(BasicBlock(3, 5, projection=True)) == count(PlainBlock(3, 5)) + 15 + 10
    assert count(BasicBlock(3, 5)) == count(PlainBlock(3, 5))
    assert count(Bottleneck(12, 3, projection=True)) == count(Bottleneck(12, 3))


def test_blocks_have_the_weights_of_the_papers_figure() -> None:
    assert count(BasicBlock(64, 64)) - 4 * 64 == 73_728
    assert count(Bottleneck(256, 64)) - (64 + 64 + 256) * 2 == 69_632


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_zero_gamma_makes_residual_blocks_the_identity(block: type[PlainBlock]) -> None:
    net = block(12, 12 // block.expansion).double()
    x = randn(2, 12, 5, 7).abs()
    assert not torch.equal(net(x), x)
    zero_last_gamma(net)
    assert torch.equal(net(x), x)
    zeros = [bool(torch.all(p == 0)) for p in net.parameters() if p.ndim == 1]
    assert zeros == [False, True] * (block.layers - 1) + [True, True]  # scale, shift, ...


@pytest.mark.parametrize("block", [PlainBlock, BasicBlock])
def test_zero_gamma_reaches_the_blocks_of_a_net(block: type[PlainBlock]) -> None:
    net = small_net(14, block, widths=(3, 5), image_channels=1)
    zero_last_gamma(net)
    lasts = [list(b.branch.parameters())[-2] for b in net.modules() if isinstance(b, PlainBlock)]
    assert [int(last.count_nonzero()) for last in lasts] == [0] * 6


def test_a_small_net_is_stem_blocks_mean_and_head() -> None:
    net = small_net(8, widths=(2, 3, 5), image_channels=1, stem_stride=2, classes=7).double()
    x = randn(2, 1, 13, 11)
    h = net.stem(x)
    assert h.shape == (2, 2, 7, 6)
    torch.testing.assert_close(h, by_hand(x, net.stem, [2]).clamp(min=0))
    assert next(net.stem.parameters()).shape == (2, 1, 3, 3)
    shapes = []
    for stage in net.stages.children():
        for block in stage.children():
            h = block(h)
        shapes.append(tuple(h.shape[1:]))
    assert shapes == [(2, 7, 6), (3, 4, 3), (5, 2, 2)]
    pooled = h.sum((2, 3)) / 4
    torch.testing.assert_close(net(x), pooled @ net.head.weight.T + net.head.bias)
    net(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in net.parameters() if p.ndim > 1)


@pytest.mark.parametrize(("depth", "block"), [(8, PlainBlock), (20, BasicBlock), (29, Bottleneck)])
def test_depth_counts_the_layers_with_weights(depth: int, block: type[PlainBlock]) -> None:
    net = small_net(depth, block)
    assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in net.modules()) == depth
    assert net.stem(torch.randn(2, 3, 8, 8)).shape == (2, 16, 8, 8)
    assert net(torch.randn(2, 3, 8, 8)).shape == (2, 10)


def test_plain_and_residual_nets_start_from_the_same_weights() -> None:
    states = []
    for block in (PlainBlock, BasicBlock):
        torch.manual_seed(1)
        states.append(small_net(20, block).state_dict())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_he_start_keeps_the_size_of_a_gradient() -> None:
    net = small_net(6, PlainBlock, widths=(31, 37), image_channels=29)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            expected = math.sqrt(2 / (layer.out_channels * layer.kernel_size[0] ** 2))
            assert layer.weight.std().item() == pytest.approx(expected, rel=0.05)


def test_parameters_are_those_of_the_papers_and_of_torchvision() -> None:
    with torch.device("meta"):
        counts = [count(small_net(depth)) for depth in (20, 32, 44, 56, 110)]
        depths = (18, 34, 50, 101, 152)
        published = [11_689_512, 21_797_672, 25_557_032, 44_549_160, 60_192_808]
        assert [count(imagenet_resnet(depth)) for depth in depths] == published
        assert count(densenet121()) == 7_978_856
        assert [round(n / 1e4) for n in counts[:4]] == [27, 46, 66, 85]
        assert round(counts[4] / 1e5) == 17


@pytest.mark.parametrize("build", [lambda: imagenet_resnet(18), densenet121])
def test_imagenet_nets_run_and_halve_the_image_five_times(
    build: Callable[[], nn.Module],
) -> None:
    with torch.device("meta"):
        net, sizes = build(), []
        for layer in net.modules():
            if isinstance(layer, nn.Conv2d | nn.AvgPool2d | nn.MaxPool2d):
                layer.register_forward_hook(lambda m, i, out: sizes.append(out.shape[-1]))
        assert net(torch.empty(1, 3, 224, 224)).shape == (1, 1000)
    assert sizes[:2] == [112, 56]
    assert list(dict.fromkeys(sizes)) == [112, 56, 28, 14, 7]


def test_a_dense_layer_appends_what_its_equation_says() -> None:
    layer, x = DenseLayer(3, 2).double(), randn(2, 3, 5, 7)
    narrow, wide = (p for p in layer.parameters() if p.ndim == 4)
    assert narrow.shape == (8, 3, 1, 1)
    assert wide.shape == (2, 8, 3, 3)

    def norm(z: Tensor) -> Tensor:
        return F.batch_norm(z, None, None, training=True).clamp(min=0)

    new = F.conv2d(norm(F.conv2d(norm(x), narrow)), wide, padding=1)
    torch.testing.assert_close(layer(x), torch.cat([x, new], dim=1))


def test_imagenet_nets_start_with_norm_relu_and_max_pooling() -> None:
    kinds = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d]
    with torch.device("meta"):
        for net in (imagenet_resnet(18), densenet121()):
            assert [type(layer) for layer in next(net.children()).children()] == kinds


def test_densenet_averages_between_blocks_and_ends_with_norm_relu_mean_and_head() -> None:
    with torch.device("meta"):
        *body, norm, relu, mean, flatten, head = densenet121().children()
    assert sum(isinstance(layer, nn.AvgPool2d) for layer in body) == 3
    kinds = (nn.BatchNorm2d, nn.ReLU, nn.AdaptiveAvgPool2d, nn.Flatten, nn.Linear)
    assert tuple(map(type, (norm, relu, mean, flatten, head))) == kinds


def test_wrong_sizes_are_refused() -> None:
    for block in BLOCKS:
        for name in ("in_channels", "channels", "stride"):
            sizes = {"in_channels": 3, "channels": 5, "stride": 1} | {name: 0}
            with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
                block(sizes["in_channels"], sizes["channels"], stride=sizes["stride"])
    with pytest.raises(ValueError, match="in_channels must be at most 3, got 5"):
        BasicBlock(5, 3)
    with pytest.raises(ValueError, match="stride must be at least 1, got 0"):
        PadShortcut(3, 5, stride=0)
    with pytest.raises(ValueError, match="in_channels must be at least 1, got 0"):
        PadShortcut(0, 5)
    with pytest.raises(ValueError, match="growth must be at least 1, got 0"):
        DenseLayer(3, 0)
    for depth in (2, 9):
        with pytest.raises(ValueError, match=f"depth must be 6n \\+ 2, got {depth}"):
            small_net(depth)
    with pytest.raises(ValueError, match=r"depth must be 9n \+ 2, got 8"):
        small_net(8, Bottleneck)
    with pytest.raises(ValueError, match="depth must be one of 18, 34, 50, 101, 152, got 20"):
        imagenet_resnet(20)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"repeats must hold 2 numbers, got \[1\]"):
        StagedNet(nn.Identity(), BasicBlock, repeats=[1], widths=[3, 5], classes=2)
    with pytest.raises(ValueError, match="repeats must be at least 1, got 0"):
        StagedNet(nn.Identity(), BasicBlock, repeats=[1, 0], widths=[3, 5], classes=2)
    with pytest.raises(ValueError, match="classes must be at least 1, got 0"):
        StagedNet(nn.Identity(), BasicBlock, repeats=[1], widths=[3], classes=0)
