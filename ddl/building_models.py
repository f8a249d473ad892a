"""What a network is before it holds a number: a graph of layers, and how to carry its weights over.

A list of layers, a drawn graph and plain code are three ways to write the same
network. `Graph` is the second way in a few lines: it finds the path from the inputs
to the output. The other functions turn Keras' weights into torch's layers.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ddl.support.inputs import checked

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


class Node:
    """A place in a drawn network: a layer and the nodes that it reads, in this order.

    It holds no value. A node without a layer is an input.

    Args:
        layer: Maps as many tensors as there are ``reads`` to one; None for an input.
        reads: The nodes whose values the layer is called with.

    Raises:
        ValueError: If a layer reads nothing, or an input reads something.

    Source: Keras calls it a symbolic tensor, Chollet et al., keras.io, The Functional API.
    """

    @checked
    def __init__(self, layer: Callable[..., Tensor] | None = None, *reads: "Node") -> None:
        if layer is None and reads:
            raise ValueError(f"reads must be empty without a layer, got {len(reads)} nodes")
        if layer is not None and not reads:
            raise ValueError(f"reads must name a node or more for layer {layer}, got none")
        self.layer = nn.Identity() if layer is None else layer
        self.reads = reads


@checked
def path_to(output: Node, inputs: Sequence[Node]) -> list[Node]:
    """Return the nodes that lead from the inputs to the output, each after all that it reads.

    Args:
        output: Where the walk starts, backwards.
        inputs: Where it ends.

    Returns:
        The nodes to compute, each once, without the inputs and without what the output
        does not need.

    Raises:
        ValueError: If the output needs an input that ``inputs`` does not hold.
    """
    order: list[Node] = []

    def visit(node: Node) -> None:
        if node in inputs or node in order:
            return
        if not node.reads:
            raise ValueError(f"inputs must hold all that the output needs, got {len(inputs)}")
        for read in node.reads:
            visit(read)
        order.append(node)

    visit(output)
    return order


class Graph(nn.Module):
    """A network drawn as a graph: nodes are computed in the order of `path_to`.

    Args:
        inputs: The nodes that are given values, in the order of the call.
        output: The node whose value is returned.

    Raises:
        ValueError: If the output needs another input, or a call gives more or fewer
            values than there are inputs.

    Source: SDSC, Keras Model API (2023): "The Model() function figures out the full
        path(s) to connect the input(s) to output(s)".
    """

    @checked
    def __init__(self, inputs: Sequence[Node], output: Node) -> None:
        super().__init__()
        self.inputs, self.output = list(inputs), output
        self.order = path_to(output, self.inputs)
        # Registered, so that torch finds their parameters; a shared layer counts once.
        self.layers = nn.ModuleList(n.layer for n in self.order if isinstance(n.layer, nn.Module))

    @checked
    def forward(self, *values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return the value of the output node."""
        if len(values) != len(self.inputs):
            raise ValueError(f"values must be {len(self.inputs)}, one an input, got {len(values)}")
        known = dict(zip(self.inputs, values, strict=True))
        for node in self.order:
            known[node] = node.layer(*(known[read] for read in node.reads))
        return known[self.output]


@checked
def dense_from_keras(
    kernel: Float[Tensor, "features units"], bias: Float[Tensor, "units"]
) -> nn.Linear:
    """Return the linear layer of a Keras ``Dense``: the kernel is transposed.

    Keras computes ``x @ kernel + bias``, torch ``x @ weight.T + bias``.

    Args:
        kernel: First of the layer's ``get_weights()``.
        bias: Second of them.
    """
    features, units = kernel.shape
    return _filled(nn.Linear(features, units), kernel.T, bias)


@checked
def conv_from_keras(
    kernel: Float[Tensor, "height width channels filters"],
    bias: Float[Tensor, "filters"],
    *,
    padding: int,
) -> nn.Conv2d:
    """Return the convolution of a Keras ``Conv2D`` of stride 1, for channels-first images.

    Args:
        kernel: First of the layer's ``get_weights()``.
        bias: Second of them.
        padding: Zeros on each side: ``(size - 1) / 2`` for Keras' ``"same"`` and an odd
            size, 0 for its ``"valid"``.

    Raises:
        ValueError: If ``padding`` is negative.
    """
    if padding < 0:
        raise ValueError(f"padding must not be negative, got {padding}")
    height, width, channels, filters = kernel.shape
    layer = nn.Conv2d(channels, filters, (height, width), padding=padding)
    return _filled(layer, kernel.permute(3, 2, 0, 1), bias)


@checked
def conv_transpose_from_keras(
    kernel: Float[Tensor, "height width filters channels"],
    bias: Float[Tensor, "filters"],
    *,
    stride: int,
) -> nn.ConvTranspose2d:
    """Return the transposed convolution of a Keras ``Conv2DTranspose`` with padding ``"valid"``.

    Args:
        kernel: First of the layer's ``get_weights()``: filters come before channels here.
        bias: Second of them.
        stride: Distance between the stamps, at most the kernel's height and width.

    Raises:
        ValueError: If ``stride`` is below 1 or above the kernel's size, where Keras appends
            pixels that torch does not.
    """
    height, width, filters, channels = kernel.shape
    if not 1 <= stride <= min(height, width):
        raise ValueError(f"stride must be between 1 and {min(height, width)}, got {stride}")
    layer = nn.ConvTranspose2d(channels, filters, (height, width), stride=stride)
    return _filled(layer, kernel.permute(3, 2, 0, 1), bias)


@checked
def channels_first_rows(
    kernel: Float[Tensor, "features units"], *, channels: int
) -> Float[Tensor, "features units"]:
    """Reorder the rows of a kernel behind ``Flatten`` for images that list channels first.

    Keras flattens ``height width channels``, torch ``channels height width``.

    Args:
        kernel: The kernel of the ``Dense`` behind ``Flatten``.
        channels: Channels of the maps that were flattened.

    Returns:
        The same rows, in the order in which torch's flattened maps meet them.

    Raises:
        ValueError: If the rows are not a multiple of ``channels``.
    """
    features, units = kernel.shape
    if channels < 1 or features % channels:
        raise ValueError(f"channels must divide the {features} rows of kernel, got {channels}")
    by_pixel = kernel.reshape(features // channels, channels, units)
    return by_pixel.transpose(0, 1).reshape(features, units)


def _filled(layer: Layer, weight: Tensor, bias: Tensor) -> Layer:
    """Copy weights into a layer, which takes their device and number type."""
    layer = layer.to(weight)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if layer.bias is not None:
            layer.bias.copy_(bias)
    return layer
