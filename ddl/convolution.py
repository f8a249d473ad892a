r"""What a convolution computes, what it costs, and what a 1x1 convolution saves.

A convolution multiplies the channels at each tap of its window by a matrix and
adds the results up. So every weight is used once for each output pixel. A 1x1
convolution has one tap: it is one matrix, applied to the channels of every
pixel. Put before a large kernel, it makes that kernel thinner and the product
of low rank.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ddl.support.inputs import at_least_1, checked
from ddl.support.numerics import near_1


@checked
def check_settings(kernel: int, stride: int, padding: int, dilation: int) -> None:
    """Raise a ValueError that names the setting of a convolution that is too small."""
    at_least_1(kernel=kernel, stride=stride, dilation=dilation)
    if padding < 0:
        raise ValueError(f"padding must be at least 0, got {padding}")


@checked
def conv_output_size(
    size: int, *, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> int:
    r"""Return the size of a convolution's output along one axis.

    Args:
        size: Size :math:`L` of the input along that axis.
        kernel: Taps :math:`k` of the kernel.
        stride: Step :math:`s` from one output to the next, in input pixels.
        padding: Zeros :math:`p` put on each end of the input.
        dilation: Step :math:`d` from one tap to the next, in input pixels.

    Returns:
        :math:`\lfloor (L + 2p - d(k-1) - 1) / s \rfloor + 1`.

    Raises:
        ValueError: If a setting is too small, or the kernel is longer than the padded input.

    Source: Dumoulin and Visin, relationship 15 (2016), arXiv:1603.07285.
    """
    check_settings(kernel, stride, padding, dilation)
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if room < 0:
        raise ValueError(
            f"size must be at least {size - room} for this kernel, padding and dilation, got {size}"
        )
    return room // stride + 1


@checked
def conv2d(
    x: Float[Tensor, "batch channels height width"],
    weight: Float[Tensor, "filters channels kernel_h kernel_w"],
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> Float[Tensor, "batch filters out_h out_w"]:
    r"""Convolve images, :math:`y_i = \sum_u W_u x_{si + du - p}`.

    Each tap :math:`u` of the window holds a matrix :math:`W_u` of filters times channels. As
    everywhere in deep learning, the kernel is not flipped.

    Args:
        x: The input.
        weight: The kernel of each filter.
        stride: Step from one output to the next, in input pixels.
        padding: Ring of zeros put around the input.
        dilation: Step from one tap to the next, in input pixels.

    Returns:
        Images of size `conv_output_size` along each axis.

    Raises:
        ValueError: If a setting does not fit.
    """
    (batch, _, height, width), (filters, _, *taps) = x.shape, weight.shape
    settings = {"stride": stride, "padding": padding, "dilation": dilation}
    out_h, out_w = (
        conv_output_size(size, kernel=kernel, **settings)
        for size, kernel in zip((height, width), taps, strict=True)
    )
    x = nn.functional.pad(x, (padding,) * 4)
    y = x.new_zeros(batch, filters, out_h, out_w)
    for u in range(taps[0]):
        for v in range(taps[1]):
            # What tap (u, v) sees as the window moves.
            rows = slice(dilation * u, dilation * u + stride * (out_h - 1) + 1, stride)
            columns = slice(dilation * v, dilation * v + stride * (out_w - 1) + 1, stride)
            y += torch.einsum("fc,bchw->bfhw", weight[:, :, u, v], x[..., rows, columns])
    return y


@checked
@dataclass(frozen=True)
class Cost:
    """Weights of convolutions and their multiply-adds for one image; biases are left out."""

    parameters: int
    multiply_adds: int

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.parameters + other.parameters, self.multiply_adds + other.multiply_adds)


@checked
def conv_cost(in_channels: int, out_channels: int, *, kernel: int, height: int, width: int) -> Cost:
    """Return what one convolution costs.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel: Height and width of the kernel.
        height: Rows of the *output*.
        width: Columns of the *output*.

    Returns:
        ``in_channels * out_channels * kernel**2`` weights, each used once for an output pixel.
        Products with padded zeros count too.

    Raises:
        ValueError: If an argument is below 1.
    """
    at_least_1(in_channels=in_channels, out_channels=out_channels, kernel=kernel)
    at_least_1(height=height, width=width)
    weights = in_channels * out_channels * kernel**2
    return Cost(weights, weights * height * width)


@checked
def cost_of(model: nn.Module, x: Float[Tensor, "batch channels height width"]) -> Cost:
    """Run a model and add up what its two-dimensional convolutions cost for one image.

    Args:
        model: Any model; layers other than `torch.nn.Conv2d` count as free.
        x: An input; its values do not matter.

    Raises:
        ValueError: If ``model`` ran no convolution.
    """
    costs: list[Cost] = []

    def count(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        weights = layer.get_parameter("weight").numel()
        costs.append(Cost(weights, weights * output.shape[-2] * output.shape[-1]))

    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        with torch.no_grad():
            model(x)
    finally:
        for hook in hooks:
            hook.remove()
    if not costs:
        raise ValueError(f"model must run a Conv2d, got {type(model).__name__} without")
    return sum(costs, Cost(0, 0))


class ReducedConv(nn.Module):
    """A 1x1 convolution to few channels, then a large kernel on these, with nothing between.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        middle: Channels between the two convolutions.
        kernel: Height and width of the second one's kernel, odd; the image keeps its size.

    Raises:
        ValueError: If a size is below 1 or ``kernel`` is even.

    Source: Szegedy et al., Going Deeper with Convolutions (2015), section 4, arXiv:1409.4842;
    there a ReLU stands between the two.
    """

    @checked
    def __init__(self, in_channels: int, out_channels: int, *, middle: int, kernel: int) -> None:
        super().__init__()
        at_least_1(in_channels=in_channels, out_channels=out_channels)
        at_least_1(middle=middle, kernel=kernel)
        if kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, got {kernel}")
        self.in_channels = in_channels
        self.reduce = nn.Conv2d(in_channels, middle, 1, bias=False)
        self.conv = nn.Conv2d(middle, out_channels, kernel, padding=kernel // 2, bias=False)

    @checked
    def forward(
        self, x: Float[Tensor, "batch {self.in_channels} height width"]
    ) -> Float[Tensor, "batch filters height width"]:
        """Mix the channels of each pixel, then look around."""
        return self.conv(self.reduce(x))

    def folded(self) -> Float[Tensor, "filters channels kernel kernel"]:
        """Return the kernel of the one convolution that does the same."""
        return torch.einsum("fmuv,mc->fcuv", self.conv.weight, self.reduce.weight[:, :, 0, 0])


@checked
def lost_share(maps: Float[Tensor, "batch channels height width"], *, middle: int) -> float:
    r"""Return the share of the maps' energy that no pair of 1x1 convolutions can keep.

    The first goes to ``middle`` channels, the second comes back. With the pixels as rows of a
    matrix :math:`X` of singular values :math:`\sigma_i`, the best pair projects onto the first
    ``middle`` right singular vectors and loses :math:`\sum_{i > m} \sigma_i^2`.

    Args:
        maps: Feature maps.
        middle: How many channels lie between.

    Returns:
        0 if the maps live in ``middle`` dimensions, at most 1.

    Raises:
        ValueError: If ``maps`` is all zero or not finite, or ``middle`` is not between 1 and its
            channels.

    Source: Eckart and Young, The approximation of one matrix by another of lower rank (1936).
    """
    if not maps.isfinite().all():
        raise ValueError("maps must be finite, got NaN or infinity")
    if not 1 <= middle <= maps.shape[1]:
        raise ValueError(f"middle must be between 1 and {maps.shape[1]}, got {middle}")
    pixels = maps.transpose(0, 1).flatten(1)  # channels x pixels
    if not pixels.count_nonzero():
        raise ValueError("maps must not be all zero, got zeros")
    energy = torch.linalg.svdvals(near_1(pixels.double())).square()
    return (energy[middle:].sum() / energy.sum()).item()


class InceptionNaive(nn.Module):
    """Kernels of 1, 3 and 5 taps and a pooling side by side, their channels stacked.

    Args:
        in_channels: Channels of the input.
        ones: Filters of the 1x1 branch.
        threes: Filters of the 3x3 branch.
        fives: Filters of the 5x5 branch.

    Raises:
        ValueError: If a size is below 1.

    Source: Szegedy et al., Going Deeper with Convolutions (2015), figure 2(a), arXiv:1409.4842.
    """

    @checked
    def __init__(self, in_channels: int, *, ones: int, threes: int, fives: int) -> None:
        super().__init__()
        at_least_1(in_channels=in_channels, ones=ones, threes=threes, fives=fives)
        self.in_channels = in_channels
        self.branches = nn.ModuleList(
            [
                _conv_relu(in_channels, ones, 1),
                _conv_relu(in_channels, threes, 3),
                _conv_relu(in_channels, fives, 5),
                nn.MaxPool2d(3, stride=1, padding=1),
            ]
        )

    @checked
    def forward(
        self, x: Float[Tensor, "batch {self.in_channels} height width"]
    ) -> Float[Tensor, "batch filters height width"]:
        """Stack the branches' channels."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class InceptionReduced(nn.Module):
    """The same with 1x1 convolutions before the large kernels and after the pooling.

    Args:
        in_channels: Channels of the input.
        ones: Filters of the 1x1 branch.
        threes: Channels before, and filters of, the 3x3 branch.
        fives: Channels before, and filters of, the 5x5 branch.
        pooled: Channels that the pooling branch keeps.

    Raises:
        ValueError: If a size is below 1.

    Source: Szegedy et al., Going Deeper with Convolutions (2015), figure 2(b), arXiv:1409.4842.
    """

    @checked
    def __init__(
        self,
        in_channels: int,
        *,
        ones: int,
        threes: tuple[int, int],
        fives: tuple[int, int],
        pooled: int,
    ) -> None:
        super().__init__()
        at_least_1(in_channels=in_channels, ones=ones, pooled=pooled)
        at_least_1(threes=min(threes), fives=min(fives))
        self.in_channels = in_channels
        pooling = nn.MaxPool2d(3, stride=1, padding=1)
        self.branches = nn.ModuleList(
            [
                _conv_relu(in_channels, ones, 1),
                _conv_relu(in_channels, threes[0], 1) + _conv_relu(*threes, 3),
                _conv_relu(in_channels, fives[0], 1) + _conv_relu(*fives, 5),
                nn.Sequential(pooling) + _conv_relu(in_channels, pooled, 1),
            ]
        )

    @checked
    def forward(
        self, x: Float[Tensor, "batch {self.in_channels} height width"]
    ) -> Float[Tensor, "batch filters height width"]:
        """Stack the branches' channels."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def _conv_relu(in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2), nn.ReLU()
    )
