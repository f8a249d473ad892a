"""What a layer gains if it still sees what earlier layers saw, and what that costs.

A skip connection by concatenation carries an earlier output past some layers and puts it
beside a later one. The carry learns nothing. The layer that reads the result gets wider,
and its additional columns are the price.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ddl.support.inputs import at_least_1, checked


@checked
def concat_width(sizes: Sequence[int], read: Sequence[int]) -> int:
    """Return the number of features that a layer reads.

    Args:
        sizes: Features of the input, then of each layer's output.
        read: Which of them the layer reads: 0 is the input, ``k`` the output of layer k.

    Returns:
        The sum of their sizes.

    Raises:
        ValueError: If nothing is read, something is read twice or it does not exist.
    """
    if not read or len(set(read)) < len(read):
        raise ValueError(f"read must name one or more different outputs, got {list(read)}")
    if min(read) < 0 or max(read) >= len(sizes):
        raise ValueError(f"read must lie in 0 to {len(sizes) - 1}, got {list(read)}")
    return sum(sizes[i] for i in read)


@checked
def skip_parameters(sizes: Sequence[int], reads: Sequence[Sequence[int]]) -> int:
    r"""Return the number of weights and biases of a `SkipMLP` by formula.

    Layer k costs :math:`(1 + \sum_{i \in R_k} n_i) \, n_k`: each carried output i adds
    :math:`n_i n_k` weights to each layer k that reads it.

    Args:
        sizes: Features of the input, then of each layer's output.
        reads: For each layer, what it reads.

    Raises:
        ValueError: If a size is less than 1, there is not one entry of ``reads`` for each
            layer, or a layer reads what does not exist before it.
    """
    if len(sizes) < 2:
        raise ValueError(f"sizes must hold an input and a layer or more, got {list(sizes)}")
    for size in sizes:
        at_least_1(sizes=size)
    if len(reads) != len(sizes) - 1:
        raise ValueError(f"reads must hold {len(sizes) - 1} entries, one a layer, got {len(reads)}")
    return sum(
        (concat_width(sizes[:k], read) + 1) * sizes[k] for k, read in enumerate(reads, start=1)
    )


class SkipMLP(nn.Module):
    r"""A multilayer perceptron whose layers read any outputs before them, concatenated.

    .. math::
        h_k = \mathrm{relu}(W_k \, [h_i]_{i \in R_k} + b_k), \qquad h_0 = x,

    without the ReLU in the last layer. With :math:`R_k = \{k-1\}` it is a plain net.

    Args:
        sizes: Features of the input, then of each layer's output.
        reads: For each layer, what it reads, in this order: 0 is the input, ``k`` the
            output of layer k.

    Raises:
        ValueError: As `skip_parameters`.

    Source: SDSC, Special Connections (2024): "for any (or all) previous layer".
    """

    @checked
    def __init__(self, sizes: Sequence[int], reads: Sequence[Sequence[int]]) -> None:
        super().__init__()
        skip_parameters(sizes, reads)  # raises where they do not fit
        self.features = sizes[0]
        self.reads = [list(read) for read in reads]
        self.layers = nn.ModuleList(
            nn.Linear(concat_width(sizes, read), size)
            for read, size in zip(reads, sizes[1:], strict=True)
        )

    @checked
    def outputs(
        self, x: Float[Tensor, "*batch {self.features}"]
    ) -> list[Float[Tensor, "*batch _"]]:
        """Return the input and the output of each layer."""
        h = [x]
        for k, (layer, read) in enumerate(zip(self.layers, self.reads, strict=True), start=1):
            z = layer(torch.cat([h[i] for i in read], dim=-1))
            h.append(z if k == len(self.layers) else torch.relu(z))
        return h

    @checked
    def forward(self, x: Float[Tensor, "*batch {self.features}"]) -> Float[Tensor, "*batch out"]:
        """Return the output of the last layer."""
        return self.outputs(x)[-1]


class DenseBlock(nn.Module):
    r"""Convolutions that each read everything before them, :math:`x \leftarrow [x, H_k(x)]`.

    Each layer appends ``growth`` channels, so that the block returns
    ``channels + layers * growth`` of them, the input first.

    Args:
        channels: Channels of the input.
        growth: Channels that each layer appends.
        layers: Number of layers.
        kernel: Height and width of the kernels, odd, so that the image keeps its size.

    Raises:
        ValueError: If a number is less than 1 or ``kernel`` is even.

    Source: Huang et al., Densely Connected Convolutional Networks (2016), equation 2,
        arXiv:1608.06993. There, H is batch normalisation, ReLU and convolution; here it is
        convolution and ReLU.
    """

    @checked
    def __init__(self, channels: int, *, growth: int, layers: int, kernel: int = 3) -> None:
        super().__init__()
        at_least_1(channels=channels, growth=growth, layers=layers, kernel=kernel)
        if kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, got {kernel}")
        self.channels = channels
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels + k * growth, growth, kernel, padding=kernel // 2)
            for k in range(layers)
        )

    @checked
    def forward(
        self, x: Float[Tensor, "batch {self.channels} height width"]
    ) -> Float[Tensor, "batch more height width"]:
        """Return the input and what each layer appended, along the channels."""
        for convolution in self.convolutions:
            x = torch.cat([x, torch.relu(convolution(x))], dim=1)
        return x
