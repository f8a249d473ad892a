"""Skips against torch's own layers, against formulas, and with wrong input."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddl.skip import DenseBlock, SkipMLP, concat_width, skip_parameters

DOUBLE = torch.float64
DENSE = [(0,), (1, 0), (2, 1, 0)]


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(0)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


def layers_of(net: SkipMLP | DenseBlock) -> Any:
    return net.layers if isinstance(net, SkipMLP) else net.convolutions


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_concat_width_sums_what_is_read() -> None:
    assert concat_width([7, 2, 3, 5], (3, 0)) == 12
    assert concat_width([7, 2, 3, 5], (1,)) == 2


@pytest.mark.parametrize("read", [(), (1, 1), (0, 2, 0)])
def test_concat_width_refuses_nothing_and_doubles(read: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="read must name one or more different outputs, got "):
        concat_width([7, 2, 3], read)


@pytest.mark.parametrize("read", [(3,), (0, -1)])
def test_concat_width_refuses_what_does_not_exist(read: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="read must lie in 0 to 2, got "):
        concat_width([7, 2, 3], read)


@pytest.mark.parametrize(
    "reads", [[(0,), (1,), (2,)], [(0,), (1, 0), (2, 0)], DENSE, [(0,), (0,), (1,)]]
)
def test_skip_parameters_is_what_torch_counts(reads: list[tuple[int, ...]]) -> None:
    sizes = [7, 2, 3, 5]
    assert skip_parameters(sizes, reads) == count(SkipMLP(sizes, reads))


def test_each_connection_costs_the_product_of_its_ends() -> None:
    sizes, plain = [7, 2, 3, 5], [(0,), (1,), (2,)]
    for (source, target), price in {(0, 2): 7 * 3, (0, 3): 7 * 5, (1, 3): 2 * 5}.items():
        reads = [(*read, source) if k == target else read for k, read in enumerate(plain, start=1)]
        assert skip_parameters(sizes, reads) - skip_parameters(sizes, plain) == price


def test_a_layer_that_reads_the_last_output_only_makes_a_plain_net() -> None:
    net = SkipMLP([7, 2, 3, 5], [(0,), (1,), (2,)]).double()
    first, second, third = layers_of(net)
    plain = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third)
    x = randn(13, 11, 7)
    torch.testing.assert_close(net(x), plain(x))


def test_dense_mlp_is_its_equation() -> None:
    net, x = SkipMLP([7, 2, 3, 5], DENSE).double(), randn(11, 7)
    w, b = zip(*((layer.weight, layer.bias) for layer in layers_of(net)), strict=True)
    h1 = (x @ w[0].T + b[0]).clamp(min=0)
    h2 = (h1 @ w[1][:, :2].T + x @ w[1][:, 2:].T + b[1]).clamp(min=0)
    y = h2 @ w[2][:, :3].T + h1 @ w[2][:, 3:5].T + x @ w[2][:, 5:].T + b[2]
    torch.testing.assert_close(net.outputs(x), [x, h1, h2, y])
    torch.testing.assert_close(net(x), y)
    assert (y < 0).any()  # no ReLU behind the last layer
    assert (h1 == 0).any()


def test_reads_are_copied() -> None:
    reads = [[0], [1, 0]]
    net = SkipMLP([3, 2, 5], reads)
    reads[1].pop()
    assert net(torch.zeros(2, 3)).shape == (2, 5)


def test_carried_input_reaches_the_output_past_dead_layers() -> None:
    net = SkipMLP([3, 2, 5], [(0,), (1, 0)]).double()
    nn.init.constant_(layers_of(net)[0].bias, -1e3)  # the hidden units never fire
    jacobian = torch.autograd.functional.jacobian(net, randn(3))
    torch.testing.assert_close(jacobian, layers_of(net)[1].weight[:, 2:].detach())


def test_skip_mlp_refuses_wrong_sizes() -> None:
    for sizes, reads, match in (
        ([7], [], "sizes must hold an input and a layer or more"),
        ([7, 0], [(0,)], "sizes must be at least 1, got 0"),
        ([7, 2, 3], [(0,)], "reads must hold 2 entries, one a layer, got 1"),
        ([7, 2, 3], [(0,), (2,)], r"read must lie in 0 to 1, got \[2\]"),  # not its own output
    ):
        with pytest.raises(ValueError, match=match):
            SkipMLP(sizes, reads)
    with pytest.raises(ValueError, match=r"x must .* \(\*batch, 7\), got .* \(3, 5\)"):
        SkipMLP([7, 2], [(0,)])(torch.zeros(3, 5))


def test_dense_block_appends_and_keeps_what_was_there() -> None:
    block, x = DenseBlock(2, growth=3, layers=5).double(), randn(1, 2, 7, 11)
    y = block(x)
    assert y.shape == (1, 2 + 5 * 3, 7, 11)
    assert torch.equal(y[:, :2], x)
    for k, convolution in enumerate(layers_of(block)):
        seen = 2 + 3 * k
        new = F.conv2d(y[:, :seen], convolution.weight, convolution.bias, padding=1).clamp(min=0)
        torch.testing.assert_close(y[:, seen : seen + 3], new)


@pytest.mark.parametrize(("layers", "kernel"), [(1, 1), (2, 3), (7, 5)])
def test_dense_block_parameters_are_the_closed_form(layers: int, kernel: int) -> None:
    c, g, area = 5, 3, kernel**2
    formula = (area * c + 1) * g * layers + area * g**2 * layers * (layers - 1) // 2
    assert count(DenseBlock(c, growth=g, layers=layers, kernel=kernel)) == formula


def test_a_dense_block_of_single_pixels_is_a_dense_mlp() -> None:
    block = DenseBlock(7, growth=2, layers=3, kernel=1).double()
    net = SkipMLP([7, 2, 2, 2], [range(1), range(2), range(3)]).double()
    with torch.no_grad():
        for layer, convolution in zip(layers_of(net), layers_of(block), strict=True):
            layer.weight.copy_(convolution.weight[:, :, 0, 0])
            layer.bias.copy_(convolution.bias)
    x = randn(5, 7)
    *outputs, last = net.outputs(x)
    expected = torch.cat([*outputs, last.clamp(min=0)], dim=-1)
    torch.testing.assert_close(block(x[:, :, None, None])[:, :, 0, 0], expected)


def test_dense_block_refuses_wrong_sizes() -> None:
    for name in ("channels", "growth", "layers", "kernel"):
        sizes = {"channels": 2, "growth": 3, "layers": 5, "kernel": 3} | {name: 0}
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
            DenseBlock(**sizes)
    with pytest.raises(ValueError, match="kernel must be odd, got 2"):
        DenseBlock(2, growth=3, layers=5, kernel=2)
    for shape in ((1, 3, 7, 11), (5, 2, 11)):
        with pytest.raises(ValueError, match=r"x must .* \(batch, 2, height, width\), got "):
            DenseBlock(2, growth=3, layers=5)(torch.zeros(shape))
