"""Attention against torch's own, against what it must not see, and with wrong input."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddl.attention import (
    MultiHeadAttention,
    TransformerBlock,
    causal_mask,
    scaled_dot_product_attention,
    sinusoidal_positions,
)

DOUBLE = torch.float64


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(0)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


def some_mask(*shape: int) -> Tensor:
    mask = torch.rand(*shape, generator=torch.Generator().manual_seed(3)) > 0.5
    mask[..., 0] = True
    return mask


def test_attention_is_torchs() -> None:
    query, key, value = randn(2, 3, 5), randn(2, 7, 5, seed=1), randn(2, 7, 11, seed=2)
    read, weights = scaled_dot_product_attention(query, key, value)
    assert weights.shape == (2, 3, 7)
    torch.testing.assert_close(read, F.scaled_dot_product_attention(query, key, value))
    torch.testing.assert_close(weights @ value, read)


@pytest.mark.parametrize("shape", [(3, 7), (1, 3, 7), (2, 3, 7)])
def test_masked_attention_is_torchs(shape: tuple[int, ...]) -> None:
    query, key, value = randn(2, 3, 5), randn(2, 7, 5, seed=1), randn(2, 7, 11, seed=2)
    mask = some_mask(*shape)
    read, weights = scaled_dot_product_attention(query, key, value, mask=mask)
    expected = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    torch.testing.assert_close(read, expected)
    assert not weights[~mask.expand(2, 3, 7)].any()
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, dtype=DOUBLE))


def test_attention_is_its_equation_row_by_row() -> None:
    query, key, value = randn(3, 5), randn(7, 5, seed=1), randn(7, 11, seed=2)
    read, _ = scaled_dot_product_attention(query, key, value)
    for q, got in zip(query, read, strict=True):
        scores = [math.exp(sum((q * k).tolist()) / math.sqrt(5)) for k in key]
        expected = sum(s * v for s, v in zip(scores, value, strict=True)) / sum(scores)
        torch.testing.assert_close(got, expected)


def test_attention_has_the_right_gradient() -> None:
    parts = [randn(2, 3, seed=n).requires_grad_() for n in range(3)]
    assert torch.autograd.gradcheck(
        lambda q, k, v: scaled_dot_product_attention(q, k, v, mask=causal_mask(2))[0], parts
    )


def test_attention_does_not_mind_the_order_of_its_memory() -> None:
    query, key, value = randn(3, 5), randn(7, 5, seed=1), randn(7, 11, seed=2)
    order = torch.randperm(7)
    moved, _ = scaled_dot_product_attention(query, key[order], value[order])
    torch.testing.assert_close(moved, scaled_dot_product_attention(query, key, value)[0])


def test_attention_refuses_what_does_not_fit() -> None:
    query, key, value = randn(3, 5), randn(7, 5), randn(7, 11)
    for arguments, match in (
        ((query, randn(7, 2), value), r"key must .* beside query of shape \(3, 5\)"),
        ((query, key, randn(5, 11)), r"value must .* beside .*, key of shape \(7, 5\)"),
    ):
        with pytest.raises(ValueError, match=match):
            scaled_dot_product_attention(*arguments)
    for mask, match in (
        (some_mask(7, 7), r"mask must be a boolean tensor .* got bool of shape \(7, 7\)"),
        (some_mask(2, 3, 7), "mask must be a boolean tensor"),  # there is no batch
        (torch.tensor([True, False, True])[:, None].expand(3, 7), "mask must leave every query"),
    ):
        with pytest.raises(ValueError, match=match):
            scaled_dot_product_attention(query, key, value, mask=mask)


def test_causal_mask_shows_the_past_and_the_present() -> None:
    mask = causal_mask(5)
    assert [[column <= row for column in range(5)] for row in range(5)] == mask.tolist()
    with pytest.raises(ValueError, match="length must be at least 1, got 0"):
        causal_mask(0)


def test_sinusoidal_positions_are_the_formula() -> None:
    got = sinusoidal_positions(7, 10)
    assert got.shape == (7, 10)
    assert got.dtype == torch.float32
    for t in range(7):
        for i in range(5):
            angle = t / 10_000 ** (2 * i / 10)
            assert got[t, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert got[t, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


def test_sinusoidal_positions_know_distances_only() -> None:
    positions = sinusoidal_positions(23, 10).double()
    products = positions @ positions.T
    for distance in range(23):
        omega = 10_000 ** (-torch.arange(0, 10, 2, dtype=DOUBLE) / 10)
        expected = torch.cos(omega * distance).sum().expand(23 - distance)
        torch.testing.assert_close(products.diagonal(distance), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("length", "features", "match"),
    [
        (0, 4, "length must be at least 1, got 0"),
        (3, 5, "features must be even and at least 2, got 5"),
        (3, 0, "features must be even and at least 2, got 0"),
    ],
)
def test_sinusoidal_positions_refuse_wrong_sizes(length: int, features: int, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        sinusoidal_positions(length, features)


def torchs(ours: MultiHeadAttention) -> nn.MultiheadAttention:
    theirs = nn.MultiheadAttention(ours.query.in_features, ours.heads, batch_first=True).double()
    with torch.no_grad():
        for name in ("weight", "bias"):
            parts = [getattr(layer, name) for layer in (ours.query, ours.key, ours.value)]
            getattr(theirs, f"in_proj_{name}").copy_(torch.cat(parts))
            getattr(theirs.out_proj, name).copy_(getattr(ours.output, name))
    return theirs


@pytest.mark.parametrize("heads", [1, 3, 5, 15])
@pytest.mark.parametrize("masked", [False, True])
def test_multi_head_attention_is_torchs(heads: int, masked: bool) -> None:
    ours, x = MultiHeadAttention(15, heads).double(), randn(2, 7, 15)
    mask = causal_mask(7) if masked else None
    read, weights = ours(x, mask=mask)
    expected, expected_weights = torchs(ours)(
        x, x, x, attn_mask=~mask if mask is not None else None, average_attn_weights=False
    )
    assert weights.shape == (2, heads, 7, 7)
    torch.testing.assert_close(read, expected)
    torch.testing.assert_close(weights, expected_weights)
    assert sum(p.numel() for p in ours.parameters()) == 4 * (15 * 15 + 15)


def test_a_mask_may_differ_by_sequence() -> None:
    ours, x = MultiHeadAttention(15, 3).double(), randn(2, 7, 15)
    real = torch.arange(7) < torch.tensor([[7], [5]])
    read, _ = ours(x, mask=real[:, None, :].expand(-1, 7, -1))
    expected, _ = torchs(ours)(x, x, x, key_padding_mask=~real)
    torch.testing.assert_close(read, expected)
    torch.testing.assert_close(read[1:, :5], ours(x[1:, :5])[0])


def test_attention_and_block_are_permutation_equivariant() -> None:
    x, order = randn(2, 7, 15), torch.randperm(7)
    attention, block = MultiHeadAttention(15, 3).double(), TransformerBlock(15, 3, hidden=11)
    torch.testing.assert_close(attention(x[:, order])[0], attention(x)[0][:, order])
    block = block.double()
    torch.testing.assert_close(block(x[:, order]), block(x)[:, order])


def test_multi_head_attention_refuses_wrong_sizes() -> None:
    for sizes, match in (
        ((0, 1), "features must be at least 1, got 0"),
        ((6, 0), "heads must be at least 1, got 0"),
        ((7, 2), "features must be a multiple of 2 heads, got 7"),
    ):
        with pytest.raises(ValueError, match=match):
            MultiHeadAttention(*sizes)
    for shape in ((7, 15), (2, 7, 5), (2, 3, 7, 15)):
        with pytest.raises(ValueError, match=r"x must .* of shape \(batch, length, 15\), got"):
            MultiHeadAttention(15, 3)(torch.zeros(shape))


def test_block_is_torchs_with_the_norms_first() -> None:
    block, x = TransformerBlock(15, 3, hidden=11).double(), randn(2, 7, 15)
    theirs = nn.TransformerEncoderLayer(15, 3, 11, 0.0, batch_first=True, norm_first=True)
    theirs.self_attn = torchs(block.attention)
    theirs = theirs.double()
    theirs.linear1.load_state_dict(block.mlp[0].state_dict())
    theirs.linear2.load_state_dict(block.mlp[2].state_dict())
    with torch.no_grad():
        for norm in (block.norm_1, block.norm_2):
            norm.weight.copy_(randn(15, seed=4))
            norm.bias.copy_(randn(15, seed=5))
        block.norm_2.weight.mul_(2)
    theirs.norm1, theirs.norm2 = block.norm_1, block.norm_2
    mask = causal_mask(7)
    torch.testing.assert_close(block(x, mask=mask), theirs(x, src_mask=~mask))


def test_causal_blocks_show_nothing_of_the_future() -> None:
    first, second = (TransformerBlock(15, 3, hidden=11).double() for _ in range(2))
    x, mask = randn(2, 7, 15), causal_mask(7)
    jacobian = torch.autograd.functional.jacobian(
        lambda x: second(first(x, mask=mask), mask=mask).sum((0, 2)), x
    )
    seen = jacobian.abs().sum((1, 3)) > 0
    assert torch.equal(seen, causal_mask(7))


def test_silent_block_is_the_identity() -> None:
    block, x = TransformerBlock(15, 3, hidden=11).double(), randn(2, 7, 15)
    with torch.no_grad():
        for layer in (block.attention.output, block.mlp[2]):
            for parameter in layer.parameters():
                parameter.zero_()
    assert torch.equal(block(x), x)


def test_block_refuses_wrong_sizes() -> None:
    with pytest.raises(ValueError, match="hidden must be at least 1, got 0"):
        TransformerBlock(15, 3, hidden=0)
    with pytest.raises(ValueError, match="features must be a multiple of 2 heads, got 15"):
        TransformerBlock(15, 2, hidden=11)
