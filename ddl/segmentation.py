"""How a network that shrinks an image can still draw its exact outlines: the U-Net.

Shrinking lets a pixel see far, and loses where exactly it was. A U-Net shrinks and
enlarges again, and at each size hands the encoder's map across to the decoder, which then
knows both what is there and where its edge runs.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from ddl.convolution import conv_output_size
from ddl.support.inputs import at_least_1, checked
from ddl.upsampling import transposed_output_size

Skips = Literal["concat", "add", "none"]


@checked
def iou(prediction: Bool[Tensor, "*shape"], truth: Bool[Tensor, "*shape"]) -> float:
    r"""Return intersection over union, :math:`|P \cap T| / |P \cup T|`, of two masks.

    Args:
        prediction: True where something was drawn.
        truth: True where it is.

    Returns:
        1 for equal masks, 0 for masks that do not meet. All pixels given count together, and
        two empty masks are equal.
    """
    both, either = (prediction & truth).sum().item(), (prediction | truth).sum().item()
    return both / either if either else 1.0


@checked
def dice(prediction: Bool[Tensor, "*shape"], truth: Bool[Tensor, "*shape"]) -> float:
    r"""Return Dice's coefficient, :math:`2 |P \cap T| / (|P| + |T|)`, of two masks.

    It is the F1 score of the pixels, and :math:`2 J / (1 + J)` of the `iou` :math:`J`.

    Args:
        prediction: True where something was drawn.
        truth: True where it is.

    Returns:
        1 for equal masks, 0 for masks that do not meet. Two empty masks are equal.

    Source: Dice, Measures of the amount of ecologic association between species (1945).
    """
    both, sizes = (prediction & truth).sum().item(), (prediction.sum() + truth.sum()).item()
    return 2 * both / sizes if sizes else 1.0


@checked
def boundary_band(
    masks: Bool[Tensor, "*batch height width"], width: int = 1
) -> Bool[Tensor, "*batch height width"]:
    """Return where a mask's outline is near: pixels with both kinds within ``width`` pixels.

    Args:
        masks: Masks, each by itself.
        width: How near, along rows, columns and diagonals alike.

    Returns:
        True on the ``width`` pixels on either side of each outline. The frame of the image
        is no outline.

    Raises:
        ValueError: If ``width`` is less than 1.
    """
    at_least_1(width=width)
    side = 2 * width + 1
    values = masks.reshape(-1, 1, *masks.shape[-2:]).float()
    largest = F.max_pool2d(values, side, stride=1, padding=width)
    smallest = -F.max_pool2d(-values, side, stride=1, padding=width)
    return (largest != smallest).reshape(masks.shape)


@checked
def crop_to(
    x: Float[Tensor, "batch channels in_h in_w"], size: tuple[int, int]
) -> Float[Tensor, "batch channels height width"]:
    """Return the middle of each map.

    Args:
        x: Maps.
        size: Height and width of the middle. What is left over on one axis is cut evenly
            from both ends; an odd pixel goes at the far end.

    Raises:
        ValueError: If ``size`` is larger than the maps.
    """
    room = [have - want for have, want in zip(x.shape[-2:], size, strict=True)]
    if min(room) < 0:
        raise ValueError(f"size must be at most {tuple(x.shape[-2:])}, got {size}")
    top, left = (left_over // 2 for left_over in room)
    return x[..., top : top + size[0], left : left + size[1]]


@checked
def unet_output_size(size: int, *, depth: int = 4, padding: int = 0) -> int:
    """Return the height or width of what a `UNet` draws.

    Args:
        size: Height or width of the image.
        depth: How often the net halves it.
        padding: Zeros around each map before a 3x3 convolution: 0 or 1.

    Returns:
        ``size`` with padding. Without, each of the two convolutions at each step takes away 2.

    Raises:
        ValueError: If nothing is left, or a map to be halved has an odd size.

    Source: Ronneberger et al. (2015), section 2 and figure 1: 572 gives 388.
    """

    def double_conv(length: int) -> int:
        for _ in range(2):
            length = conv_output_size(length, kernel=3, padding=padding)
        return length

    length = double_conv(size)
    for step in range(1, depth + 1):
        if length % 2:
            raise ValueError(f"size {size} gives an odd map, {length}, before halving {step}")
        length = double_conv(length // 2)
    for _ in range(depth):
        length = double_conv(transposed_output_size(length, kernel=2, stride=2))
    return length


class DoubleConv(nn.Sequential):
    """Two 3x3 convolutions, each with a ReLU behind it, started as He et al. (2015) do."""

    @checked
    def __init__(self, in_channels: int, out_channels: int, *, padding: int) -> None:
        at_least_1(in_channels=in_channels, out_channels=out_channels)
        first = nn.Conv2d(in_channels, out_channels, 3, padding=padding)
        second = nn.Conv2d(out_channels, out_channels, 3, padding=padding)
        super().__init__(first, nn.ReLU(), second, nn.ReLU())
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.kaiming_normal_(parameter, nonlinearity="relu")
            else:
                nn.init.zeros_(parameter)


class UNet(nn.Module):
    r"""A convolutional encoder-decoder that hands each size's map across.

    Each of ``depth`` steps down is two convolutions, then a 2x2 max pooling, and doubles the
    channels. Each step up is a 2x2 transposed convolution, then the join with the encoder's
    map of that size, cropped where it is larger, then two convolutions.

    Args:
        in_channels: Channels of the image.
        out_channels: Channels of the output: logits, one for each class or mask.
        filters: Channels at full size.
        depth: Steps down, and as many up.
        padding: Zeros around each map before a 3x3 convolution: 1 keeps its size, 0 is the
            original's, which never computes with made-up pixels.
        skips: How the encoder's map joins: ``"concat"`` puts it before the decoder's along
            the channels, as U-Nets do; ``"add"`` adds it, as hourglasses do; ``"none"``
            leaves it out.

    Raises:
        ValueError: If a number is less than 1 or ``padding`` is not 0 or 1; in ``forward``, as
            `unet_output_size`.

    Source: Ronneberger et al., U-Net (2015), arXiv:1505.04597: the defaults are theirs, but
        for dropout at the end of the encoder. Adding: Newell et al. (2016), arXiv:1603.06937.
    """

    @checked
    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 2,
        *,
        filters: int = 64,
        depth: int = 4,
        padding: int = 0,
        skips: Skips = "concat",
    ) -> None:
        super().__init__()
        at_least_1(in_channels=in_channels, out_channels=out_channels)
        at_least_1(filters=filters, depth=depth)
        if padding not in (0, 1):
            raise ValueError(f"padding must be 0 or 1, got {padding}")
        self.in_channels, self.padding, self.skips = in_channels, padding, skips
        widths = [filters * 2**k for k in range(depth + 1)]  # from full size to the bottom
        joined = 2 if skips == "concat" else 1
        self.down = nn.ModuleList(
            DoubleConv(i, o, padding=padding)
            for i, o in zip([in_channels, *widths], widths, strict=False)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(2 * n, n, 2, stride=2) for n in reversed(widths[:-1])
        )
        self.refine = nn.ModuleList(
            DoubleConv(joined * n, n, padding=padding) for n in reversed(widths[:-1])
        )
        self.head = nn.Conv2d(filters, out_channels, 1)

    @checked
    def forward(
        self, x: Float[Tensor, "batch {self.in_channels} height width"]
    ) -> Float[Tensor, "batch classes out_h out_w"]:
        """Return the logits of each pixel, or of those in the middle without padding."""
        for size in x.shape[-2:]:
            unet_output_size(size, depth=len(self.up), padding=self.padding)
        kept = []
        for encode in self.down[:-1]:
            kept.append(encode(x))
            x = F.max_pool2d(kept[-1], 2)
        x = self.down[-1](x)
        for up, refine in zip(self.up, self.refine, strict=True):
            x = refine(self.join(kept.pop(), up(x)))
        return self.head(x)

    @checked
    def join(
        self,
        early: Float[Tensor, "batch channels in_h in_w"],
        late: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, "batch joined height width"]:
        """Join the encoder's map, cropped, and the decoder's."""
        if self.skips == "none":
            return late
        early = crop_to(early, (late.shape[-2], late.shape[-1]))
        return torch.cat([early, late], dim=1) if self.skips == "concat" else early + late


class StackedHourglass(nn.Module):
    r"""Several hourglasses in a row: each draws, and the next sees the drawing.

    An hourglass is a `UNet` that adds. Between two of them everything is added as well,

    .. math::
        f_k = \mathrm{relu}(H_k(x_k)), \qquad p_k = P_k f_k, \qquad x_{k+1} = x_k + f_k + B_k p_k,

    so that all maps keep their width. Every drawing :math:`p_k` gets its own loss.

    Args:
        in_channels: Channels of the image.
        out_channels: Channels of each drawing.
        filters: Channels at full size.
        depth: Steps down in each hourglass.
        stacks: Number of hourglasses.

    Raises:
        ValueError: If a number is less than 1; in ``forward``, as `unet_output_size`.

    Source: Newell et al. (2016), figure 4, arXiv:1603.06937. Theirs are made of bottleneck
        blocks and keep the number of channels at all sizes; ours are small U-Nets.
    """

    @checked
    def __init__(
        self, in_channels: int, out_channels: int, *, filters: int, depth: int, stacks: int
    ) -> None:
        super().__init__()
        at_least_1(stacks=stacks)
        self.in_channels = in_channels
        self.stem = nn.Conv2d(in_channels, filters, 3, padding=1)
        self.hourglasses = nn.ModuleList(
            UNet(filters, filters, filters=filters, depth=depth, padding=1, skips="add")
            for _ in range(stacks)
        )
        self.draw = nn.ModuleList(nn.Conv2d(filters, out_channels, 1) for _ in range(stacks))
        self.back = nn.ModuleList(nn.Conv2d(out_channels, filters, 1) for _ in range(stacks - 1))

    @checked
    def forward(
        self, image: Float[Tensor, "batch {self.in_channels} height width"]
    ) -> list[Float[Tensor, "batch classes height width"]]:
        """Return the logits that each hourglass draws, in order."""
        x, drawings = self.stem(image), []
        for k, (hourglass, draw) in enumerate(zip(self.hourglasses, self.draw, strict=True)):
            f = torch.relu(hourglass(x))
            drawings.append(draw(f))
            if k < len(self.back):
                x = x + f + self.back[k](drawings[-1])
        return drawings
