r"""Why a deeper network can train worse, and what adding the input gives back.

A plain block replaces its input by :math:`F(x)`, a residual block adds to it, :math:`F(x) + x`.
Both make He's networks for small images and for ImageNet here, and DenseNet stands beside them.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ddl.support.inputs import at_least_1, checked

Images = Float[Tensor, "batch _ _ _"]  # batch channels height width


def _conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """Return a convolution that keeps the size up to its stride; batch norm has the bias."""
    return nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)


def _conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    return [_conv(inputs, outputs, kernel, stride), nn.BatchNorm2d(outputs)]


class PadShortcut(nn.Module):
    """The input in the shape of a later output, without anything to learn.

    Keeps every ``stride``-th row and column and appends channels of zeros up to ``out_channels``.

    Raises:
        ValueError: If a size is less than 1 or channels would be lost.

    Source: He et al., Deep Residual Learning (2015), option A, arXiv:1512.03385.
    """

    @checked
    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1) -> None:
        super().__init__()
        at_least_1(in_channels=in_channels, stride=stride)
        if out_channels < in_channels:
            raise ValueError(f"in_channels must be at most {out_channels}, got {in_channels}")
        self.stride, self.extra = stride, out_channels - in_channels

    @checked
    def forward(self, x: Images) -> Images:
        """Return the pixels that stay, and zeros in the new channels."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))


class PlainBlock(nn.Module):
    r"""Two 3x3 convolutions with batch norm, :math:`y = \mathrm{relu}(F(x))`.

    Args:
        in_channels: Channels of the input.
        channels: Channels of each convolution, hence of the output.
        stride: Stride of the first convolution.

    Raises:
        ValueError: If a size is less than 1.

    Source: He et al. (2015), figure 2 without the shortcut.
    """

    layers, expansion = 2, 1  # convolutions, and output channels for each of `channels`

    @checked
    def __init__(self, in_channels: int, channels: int, *, stride: int = 1) -> None:
        super().__init__()
        at_least_1(in_channels=in_channels, channels=channels, stride=stride)
        self.branch = self._branch(in_channels, channels, stride)

    def _branch(self, in_channels: int, channels: int, stride: int) -> nn.Sequential:
        return nn.Sequential(
            *_conv_norm(in_channels, channels, 3, stride),
            nn.ReLU(),
            *_conv_norm(channels, channels, 3),
        )

    @checked
    def forward(self, x: Images) -> Images:
        """Return what the branch makes of the input, and nothing of the input itself."""
        return torch.relu(self.branch(x))


class BasicBlock(PlainBlock):
    r"""A plain block around which the input is added, :math:`y = \mathrm{relu}(F(x) + x)`.

    Args:
        in_channels, channels, stride: As for `PlainBlock`.
        projection: Where shapes differ, a learned 1x1 convolution with batch norm (He's
            option B) in place of `PadShortcut` (option A).

    Raises:
        ValueError: If a size is less than 1, or channels would be lost without projection.

    Source: He et al. (2015), equation 1 and figure 2.
    """

    @checked
    def __init__(
        self, in_channels: int, channels: int, *, stride: int = 1, projection: bool = False
    ) -> None:
        super().__init__(in_channels, channels, stride=stride)
        out_channels = self.expansion * channels
        if projection and (stride > 1 or in_channels != out_channels):
            self.shortcut = nn.Sequential(*_conv_norm(in_channels, out_channels, 1, stride))
        else:
            self.shortcut = PadShortcut(in_channels, out_channels, stride=stride)

    @checked
    def forward(self, x: Images) -> Images:
        """Return the input, changed by what the branch makes of it."""
        return torch.relu(self.branch(x) + self.shortcut(x))


class Bottleneck(BasicBlock):
    r"""A residual block whose branch is a 1x1 down, a 3x3 and a 1x1 up.

    Args:
        in_channels, stride, projection: As for `BasicBlock`.
        channels: Those of the 3x3 convolution; the output has four times as many.

    Source: He et al. (2015), figure 5, but with the stride in the 3x3, where no pixel is unseen.
    """

    layers, expansion = 3, 4

    def _branch(self, in_channels: int, channels: int, stride: int) -> nn.Sequential:
        return nn.Sequential(
            *_conv_norm(in_channels, channels, 1),
            nn.ReLU(),
            *_conv_norm(channels, channels, 3, stride),
            nn.ReLU(),
            *_conv_norm(channels, 4 * channels, 1),
        )


@checked
def zero_last_gamma(model: nn.Module) -> None:
    """Set the scale of each block's last batch norm to 0, so that its branch returns 0.

    Source: Goyal et al., Accurate, Large Minibatch SGD (2017), section 5.1, arXiv:1706.02677.
    """
    for block in model.modules():
        if isinstance(block, PlainBlock):
            nn.init.zeros_(block.branch[-1].get_parameter("weight"))


class StagedNet(nn.Module):
    """Blocks in stages: each stage after the first halves the image.

    Args:
        stem: What comes before the blocks; it returns as many channels as ``widths[0]``.
        block: `PlainBlock`, `BasicBlock` or `Bottleneck`.
        repeats: Number of blocks of each stage.
        widths: ``channels`` of the blocks of each stage.
        classes: Number of outputs.
        projection: Shortcuts with weights where shapes differ; residual blocks only.

    Raises:
        ValueError: If ``repeats`` and ``widths`` differ in length or a size is less than 1.
    """

    @checked
    def __init__(
        self,
        stem: nn.Module,
        block: type[PlainBlock],
        *,
        repeats: Sequence[int],
        widths: Sequence[int],
        classes: int,
        projection: bool = False,
    ) -> None:
        super().__init__()
        if len(repeats) != len(widths):
            raise ValueError(f"repeats must hold {len(widths)} numbers, got {list(repeats)}")
        least = {"repeats": min(repeats, default=0), "widths": min(widths, default=0)}
        at_least_1(classes=classes, **least)
        options = {"projection": True} if projection else {}
        self.stem, self.stages, in_channels = stem, nn.Sequential(), widths[0]
        for number, (count, width) in enumerate(zip(repeats, widths, strict=True)):
            stage = nn.Sequential()
            for stride in [2 if number else 1] + [1] * (count - 1):
                stage.append(block(in_channels, width, stride=stride, **options))
                in_channels = width * block.expansion
            self.stages.append(stage)
        self.head = nn.Linear(in_channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # He's start
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @checked
    def forward(self, x: Images) -> Float[Tensor, "batch classes"]:
        """Return the logits: the head reads the mean over all positions."""
        return self.head(self.stages(self.stem(x)).mean((2, 3)))


@checked
def small_net(
    depth: int,
    block: type[PlainBlock] = BasicBlock,
    *,
    widths: Sequence[int] = (16, 32, 64),
    image_channels: int = 3,
    stem_stride: int = 1,
    classes: int = 10,
) -> StagedNet:
    """Return He's network for small images: a 3x3 stem, n blocks a stage, a linear layer.

    Args:
        depth: Layers with weights: 6n + 2 in three stages of `BasicBlock`, 9n + 2 of `Bottleneck`.
        block: `PlainBlock`, `BasicBlock` or `Bottleneck`.
        widths: ``channels`` of each stage; the stem has as many as the first.
        image_channels: 3 for colours, 1 for grey.
        stem_stride: Stride of the stem.
        classes: Number of outputs.

    Raises:
        ValueError: If no number of blocks gives this depth.

    Source: He et al. (2015), section 4.2, shortcuts of option A.
    """
    at_least_1(widths=len(widths), image_channels=image_channels, stem_stride=stem_stride)
    count, rest = divmod(depth - 2, len(widths) * block.layers)
    if rest or count < 1:
        raise ValueError(f"depth must be {len(widths) * block.layers}n + 2, got {depth}")
    stem = nn.Sequential(*_conv_norm(image_channels, widths[0], 3, stem_stride), nn.ReLU())
    return StagedNet(stem, block, repeats=[count] * len(widths), widths=widths, classes=classes)


@checked
def imagenet_resnet(depth: Literal[18, 34, 50, 101, 152]) -> StagedNet:
    """Return He's residual network for 224x224 images and 1,000 classes.

    Args:
        depth: 18 or 34, of basic blocks; 50, 101 or 152, of bottlenecks.

    Source: He et al. (2015), table 1, with projections where shapes differ (option B).
    """
    repeats = {18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3]}
    repeats |= {101: [3, 4, 23, 3], 152: [3, 8, 36, 3]}
    block, stem = BasicBlock if depth < 50 else Bottleneck, _imagenet_stem()
    sizes = {"repeats": repeats[depth], "widths": [64, 128, 256, 512], "classes": 1000}
    return StagedNet(stem, block, **sizes, projection=True)


class DenseLayer(nn.Module):
    r"""A 1x1 and a 3x3 convolution that append to what they read, :math:`[x, F(x)]`.

    ``growth`` is the number of channels that it appends; the 1x1 returns four times as many.

    Source: Huang et al., Densely Connected Convolutional Networks (2016), DenseNet-B,
        arXiv:1608.06993. Batch norm and ReLU come before each convolution.
    """

    @checked
    def __init__(self, in_channels: int, growth: int) -> None:
        super().__init__()
        at_least_1(in_channels=in_channels, growth=growth)
        self.branch = nn.Sequential(
            *_norm_conv(in_channels, 4 * growth, 1), *_norm_conv(4 * growth, growth, 3)
        )

    @checked
    def forward(self, x: Images) -> Images:
        """Return the input's channels, then the new ones."""
        return torch.cat([x, self.branch(x)], dim=1)


def densenet121() -> nn.Sequential:
    """Return DenseNet-121: dense blocks of 6, 12, 24 and 16 layers that append 32 channels.

    Source: Huang et al. (2016), table 1; between blocks a 1x1 halves the channels.
    """
    layers: list[nn.Module] = [_imagenet_stem()]
    channels = 64
    for count in (6, 12, 24, 16):
        if len(layers) > 1:
            layers += [*_norm_conv(channels, channels // 2, 1), nn.AvgPool2d(2)]
            channels //= 2
        for _ in range(count):
            layers.append(DenseLayer(channels, 32))
            channels += 32
    layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(channels, 1000))


def _imagenet_stem() -> nn.Sequential:
    """Return what turns 3x224x224 into 64x56x56: 7x7 convolution and max pooling."""
    return nn.Sequential(*_conv_norm(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1))


def _norm_conv(in_channels: int, out_channels: int, kernel: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(in_channels), nn.ReLU(), _conv(in_channels, out_channels, kernel)]
