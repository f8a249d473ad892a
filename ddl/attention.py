r"""How a network chooses what to look at: by weights that it computes from the input.

A query is compared with every key, a softmax turns the scores into weights, and
the values are mixed by them: a dictionary that is looked up softly. Around it
stand what the transformer adds: masks, heads, positions and the residual block.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ddl.gating import softmax_gate
from ddl.support.inputs import at_least_1, checked
from ddl.support.numerics import at_least_float32, readable


@checked
def scaled_dot_product_attention(
    query: Float[Tensor, "*batch queries features"],
    key: Float[Tensor, "*batch keys features"],
    value: Float[Tensor, "*batch keys channels"],
    *,
    mask: Bool[Tensor, "*#batch queries keys"] | None = None,
) -> tuple[Float[Tensor, "*batch queries channels"], Float[Tensor, "*batch queries keys"]]:
    r"""Read values where keys match, :math:`\mathrm{softmax}(Q K^\top / \sqrt d) V`.

    Args:
        query: One row for each reader: what it looks for.
        key: One row for each place: what can be found there.
        value: One row for each place: what is read there.
        mask: True where a query may look at a key; everywhere without.

    Returns:
        What each query has read, and its weights, which sum to 1 over the keys.

    Raises:
        ValueError: If the mask leaves a query nothing to look at. A mask on a GPU is not
            looked into: there such a query gets NaN.

    Source: Vaswani et al., Attention Is All You Need (2017), equation 1,
        arXiv:1706.03762.
    """
    if mask is not None and readable(mask) and not mask.any(dim=-1).all():
        raise ValueError("mask must leave every query at least one key, got a row without")
    scores = at_least_float32(query) @ at_least_float32(key).mT / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)  # exp(-inf) is 0: no weight at all
    return softmax_gate(scores, value)


@checked
def causal_mask(length: int) -> Bool[Tensor, "length length"]:
    """Return the mask under which no position looks at a later one.

    Args:
        length: Number of positions.

    Returns:
        True on and below the diagonal, so that row i may look at columns 0 to i.

    Raises:
        ValueError: If ``length`` is less than 1.

    Source: Vaswani et al. (2017), section 3.2.3, arXiv:1706.03762.
    """
    at_least_1(length=length)
    return torch.ones(length, length, dtype=torch.bool).tril()


@checked
def sinusoidal_positions(length: int, features: int) -> Float[Tensor, "length features"]:
    r"""Return waves that tell positions apart, one row for each position.

    .. math::
        p_{t, 2i} = \sin(\omega_i t), \quad p_{t, 2i + 1} = \cos(\omega_i t),
        \quad \omega_i = 10000^{-2i / d}

    Args:
        length: Number of positions t, from 0.
        features: Number of features d, even: half of them sines, half cosines.

    Raises:
        ValueError: If ``length`` is less than 1, or ``features`` is odd or less than 2.

    Source: Vaswani et al. (2017), section 3.5, arXiv:1706.03762.
    """
    at_least_1(length=length)
    if features < 2 or features % 2:
        raise ValueError(f"features must be even and at least 2, got {features}")
    t = torch.arange(length, dtype=torch.float64)[:, None]
    omega = 10_000 ** (-torch.arange(0, features, 2, dtype=torch.float64) / features)
    waves = torch.stack([torch.sin(omega * t), torch.cos(omega * t)], dim=-1)
    return waves.flatten(start_dim=1).to(torch.get_default_dtype())


class MultiHeadAttention(nn.Module):
    r"""Several attentions side by side, each on its own share of the features.

    .. math::
        [\mathrm{head}_1, \dots, \mathrm{head}_h]\, W^O, \qquad
        \mathrm{head}_i = \mathrm{attention}(X W_i^Q, X W_i^K, X W_i^V)

    Args:
        features: Size of the last axis, equal at input and output.
        heads: Number of heads; each has ``features / heads`` features.

    Raises:
        ValueError: If a size is less than 1 or ``features`` is no multiple of ``heads``.

    Source: Vaswani et al. (2017), section 3.2.2, arXiv:1706.03762; with biases, as in
        torch, where the paper has none.
    """

    @checked
    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        at_least_1(features=features, heads=heads)
        if features % heads:
            raise ValueError(f"features must be a multiple of {heads} heads, got {features}")
        self.features, self.heads = features, heads
        self.query = nn.Linear(features, features)  # W^Q of all heads, one below the other
        self.key = nn.Linear(features, features)
        self.value = nn.Linear(features, features)
        self.output = nn.Linear(features, features)  # W^O

    @checked
    def forward(
        self,
        x: Float[Tensor, "batch length {self.features}"],
        *,
        mask: Bool[Tensor, "*#batch length length"] | None = None,
    ) -> tuple[
        Float[Tensor, "batch length {self.features}"],
        Float[Tensor, "batch {self.heads} length length"],
    ]:
        """Return the new features and each head's weights; a mask may differ by sequence."""
        if mask is not None and mask.ndim == 3:
            mask = mask[:, None]  # the same for all heads
        q, k, v = (self._split(layer(x)) for layer in (self.query, self.key, self.value))
        read, weights = scaled_dot_product_attention(q, k, v, mask=mask)
        return self.output(read.transpose(1, 2).flatten(start_dim=2)), weights

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # batch heads length share


class TransformerBlock(nn.Module):
    r"""Look around, then think alone; both are added to what is carried.

    .. math::
        y = x + \mathrm{attention}(\mathrm{norm}_1(x)), \qquad
        z = y + \mathrm{mlp}(\mathrm{norm}_2(y))

    The norms stand inside the branches (pre-norm), so that the sum itself is never
    touched. The paper of 2017 norms the sum: :math:`\mathrm{norm}(x + \dots)`.

    Args:
        features: Size of the last axis, equal at input and output.
        heads: Number of attention heads.
        hidden: Size of the layer between the two of the perceptron.

    Raises:
        ValueError: If a size is less than 1 or ``features`` is no multiple of ``heads``.

    Source: Vaswani et al. (2017), arXiv:1706.03762; pre-norm: Xiong et al., On Layer
        Normalization in the Transformer Architecture (2020), arXiv:2002.04745.
    """

    @checked
    def __init__(self, features: int, heads: int, *, hidden: int) -> None:
        super().__init__()
        at_least_1(hidden=hidden)
        self.features = features
        self.attention = MultiHeadAttention(features, heads)
        self.norm_1 = nn.LayerNorm(features)
        self.norm_2 = nn.LayerNorm(features)
        self.mlp = nn.Sequential(
            nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, features)
        )

    @checked
    def forward(
        self,
        x: Float[Tensor, "batch length {self.features}"],
        *,
        mask: Bool[Tensor, "*#batch length length"] | None = None,
    ) -> Float[Tensor, "batch length {self.features}"]:
        """Return features of the same shape."""
        read, _ = self.attention(self.norm_1(x), mask=mask)
        x = x + read
        return x + self.mlp(self.norm_2(x))
