r"""How a transposed convolution enlarges an image, and where its checkerboards come from.

A convolution is a matrix :math:`A` times the flattened image. The transposed
convolution is :math:`A^\top`: each input pixel stamps the kernel, scaled by its
value, onto the output, and overlapping stamps add up. Strides that leave the
stamps unequally overlapped, or kernels whose parts weigh unequally, show as a
pattern of the stride's period.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ddl.convolution import check_settings, conv_output_size
from ddl.support.inputs import at_least_1, checked
from ddl.support.numerics import at_least_float32, near_1


@checked
def transposed_output_size(
    size: int,
    *,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    output_padding: int = 0,
) -> int:
    r"""Return the size of a transposed convolution's output along one axis.

    Args:
        size: Size :math:`L` of the input along that axis.
        kernel: Taps :math:`k` of the kernel.
        stride: Step :math:`s` from one stamp to the next, in output pixels.
        padding: Rows :math:`p` removed from each end of the output.
        dilation: Step :math:`d` from one tap to the next, in output pixels.
        output_padding: Rows :math:`o` that the last end has more.

    Returns:
        :math:`(L - 1) s - 2p + d(k-1) + 1 + o`.

    Raises:
        ValueError: If a setting is too small, ``output_padding`` is not below the larger of
            stride and dilation, or ``padding`` leaves no output.
    """
    check_settings(kernel, stride, padding, dilation)
    at_least_1(size=size)
    if not 0 <= output_padding < max(stride, dilation):
        raise ValueError(
            f"output_padding must be between 0 and {max(stride, dilation) - 1}, "
            f"got {output_padding}"
        )
    out = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1 + output_padding
    if out < 1:
        raise ValueError(f"padding must leave at least one output pixel, got {padding}")
    return out


@checked
def conv_matrix(
    kernel: Float[Tensor, "kernel_h kernel_w"], *, height: int, width: int, stride: int = 1
) -> Float[Tensor, "outputs inputs"]:
    r"""Return the matrix :math:`A` with ``conv(image).flatten() == A @ image.flatten()``.

    Both sides are flattened row by row. As everywhere in deep learning, "convolution" means
    cross-correlation: the kernel is not flipped.

    Args:
        kernel: The weights.
        height: Rows of the image.
        width: Columns of the image.
        stride: Step from one output to the next.

    Raises:
        ValueError: If ``kernel`` is larger than the image.
    """
    conv_output_size(height, kernel=kernel.shape[0], stride=stride)
    conv_output_size(width, kernel=kernel.shape[1], stride=stride)
    # Column j of any linear map's matrix is its answer to the j-th unit vector.
    units = torch.eye(height * width, dtype=kernel.dtype).view(-1, 1, height, width)
    return F.conv2d(units, kernel[None, None], stride=stride).flatten(1).T


@checked
def transposed_conv2d(
    x: Float[Tensor, "batch channels height width"],
    weight: Float[Tensor, "channels filters kernel_h kernel_w"],
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    output_padding: int = 0,
) -> Float[Tensor, "batch filters out_h out_w"]:
    r"""Enlarge images by stamping the kernel: :math:`y_{si + du} \leftarrow y_{si + du} + x_i w_u`.

    It is the transpose of ``conv2d`` with the same weight and settings; ``weight`` is laid out
    as torch does: the convolution's output channels, which are this one's input, come first.

    Args:
        x: The input.
        weight: The kernel for each pair of channels.
        stride: Step from one stamp to the next.
        padding: Ring of rows and columns removed from the output.
        dilation: Step from one tap of a stamp to the next.
        output_padding: How much less of that ring is removed at the bottom and the right;
            beyond the last stamp there is nothing but zeros.

    Returns:
        Images of size `transposed_output_size` along each axis.

    Raises:
        ValueError: If a setting does not fit.
    """
    (batch, _, height, width), (_, filters, *taps) = x.shape, weight.shape
    settings = {"stride": stride, "padding": padding, "dilation": dilation}
    out_h, out_w = (
        transposed_output_size(size, kernel=kernel, output_padding=output_padding, **settings)
        for size, kernel in zip((height, width), taps, strict=True)
    )
    y = x.new_zeros(batch, filters, out_h + 2 * padding, out_w + 2 * padding)
    for u in range(taps[0]):
        for v in range(taps[1]):
            # Where tap (u, v) of every stamp lands.
            rows = slice(dilation * u, dilation * u + stride * (height - 1) + 1, stride)
            columns = slice(dilation * v, dilation * v + stride * (width - 1) + 1, stride)
            y[..., rows, columns] += torch.einsum("bchw,cf->bfhw", x, weight[:, :, u, v])
    return y[..., padding : padding + out_h, padding : padding + out_w]


@checked
def overlap_counts(size: int, *, kernel: int, stride: int) -> Float[Tensor, "out out"]:
    """Return how many stamps reach each output pixel of a transposed convolution.

    Args:
        size: Height and width of the input.
        kernel: Height and width of the kernel.
        stride: Step from one stamp to the next.

    Source: Odena, Dumoulin and Olah, Deconvolution and Checkerboard Artifacts, Distill (2016).
    """
    transposed_output_size(size, kernel=kernel, stride=stride)  # is there an output?
    pixels, stamp = torch.ones(1, 1, size, size), torch.ones(1, 1, kernel, kernel)
    return transposed_conv2d(pixels, stamp, stride=stride)[0, 0]


@checked
def phase_sums(
    weight: Float[Tensor, "channels filters kernel_h kernel_w"], *, stride: int
) -> Float[Tensor, "channels filters stride stride"]:
    """Return the sum of the kernel's taps that land on each phase of the output.

    A phase is all output pixels whose row and column leave the same remainders on division by
    the stride. Any constant comes out flat, away from the border, just if all sums agree.

    Args:
        weight: The kernel of a transposed convolution with dilation 1.
        stride: Its stride.

    Raises:
        ValueError: If ``stride`` is below 1.
    """
    at_least_1(stride=stride)
    phases = [weight[..., a::stride, b::stride] for a in range(stride) for b in range(stride)]
    sums = torch.stack([phase.sum((2, 3)) for phase in phases], dim=-1)
    return sums.unflatten(-1, (stride, stride))


@checked
def checkerboard_share(images: Float[Tensor, "*batch height width"], *, period: int) -> float:
    r"""Return the share of the images' energy that lies in a pattern of the given period.

    The mean square of all pixels is (mean)² + (variance between the means of the ``period**2``
    phases) + (variance within phases). The share is the middle term's, over all leading axes.

    Args:
        images: Images whose height and width are multiples of ``period``.
        period: Period of the pattern in pixels, along both axes.

    Returns:
        0 for flat images, 1 for a pure pattern of mean 0.

    Raises:
        ValueError: If ``period`` is below 2, does not divide height and width, or all is zero.
    """
    if period < 2:
        raise ValueError(f"period must be at least 2, got {period}")
    height, width = images.shape[-2:]
    if height % period or width % period:
        raise ValueError(f"images must have sides divisible by {period}, got {height}x{width}")
    if not images.count_nonzero():
        raise ValueError("images must not be zero everywhere")
    images = near_1(at_least_float32(images))
    energy = images.square().mean()
    cells = images.unflatten(-1, (-1, period)).unflatten(-3, (-1, period))
    phases = cells.mean((-4, -2))  # ... period period
    return (phases.flatten(-2).var(-1, correction=0).mean() / energy).item()


@checked
@torch.no_grad()
def icnr_(
    weight: Float[Tensor, "channels filters kernel kernel"],
    *,
    stride: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "channels filters kernel kernel"]:
    """Fill and return a transposed convolution's kernel so that all its phases are equal.

    Each tap of a smaller kernel, drawn at random, becomes a block of ``stride`` x ``stride``
    taps. (The paper initialises the equivalent sub-pixel convolution.)

    Args:
        weight: The kernel, filled in place; its sides are multiples of ``stride``.
        stride: The transposed convolution's stride.
        generator: Draws the small kernel.

    Raises:
        ValueError: If ``stride`` is below 1 or does not divide the kernel's side.

    Source: Aitken et al., Checkerboard artifact free sub-pixel convolution (2017),
        arXiv:1707.02937.
    """
    at_least_1(stride=stride)
    if weight.shape[-1] % stride:
        raise ValueError(f"weight must have sides divisible by {stride}, got {weight.shape[-1]}")
    small = torch.empty_like(weight[..., ::stride, ::stride])
    fan_in = small.shape[0] * small.shape[2] * small.shape[3]  # taps that meet in one output pixel
    small.normal_(std=fan_in**-0.5, generator=generator)
    return weight.copy_(small.repeat_interleave(stride, 2).repeat_interleave(stride, 3))


class ResizeConv(nn.Module):
    """Repeats each pixel ``scale`` x ``scale`` times, then convolves without changing the size.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel: Height and width of the kernel, odd.
        scale: Factor by which height and width grow.

    Raises:
        ValueError: If ``kernel`` is not a positive odd number or ``scale`` is below 1.

    Source: Odena, Dumoulin and Olah, Deconvolution and Checkerboard Artifacts, Distill (2016).
    """

    @checked
    def __init__(self, in_channels: int, out_channels: int, *, kernel: int = 3, scale: int = 2):
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"kernel must be a positive odd number, got {kernel}")
        at_least_1(in_channels=in_channels, out_channels=out_channels, scale=scale)
        self.in_channels, self.scale = in_channels, scale
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)

    @checked
    def forward(
        self, x: Float[Tensor, "batch {self.in_channels} height width"]
    ) -> Float[Tensor, "batch filters out_h out_w"]:
        """Return the enlarged images."""
        return self.conv(F.interpolate(x, scale_factor=self.scale, mode="nearest"))
