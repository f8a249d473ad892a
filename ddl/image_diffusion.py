r"""How noise becomes an image: a U-Net that predicts noise, told the time and the digit.

Residual blocks, self-attention, skips by concatenation and resizing come from earlier
chapters; the step t and the class are added inside the residual blocks. For sampling there are
guidance, averaged weights, a shorter walk, and a split of images into coarse and fine.
"""

import copy

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from ddl.attention import MultiHeadAttention
from ddl.diffusion import NoiseModel, NoiseSchedule, Steps, timestep_embedding
from ddl.support.inputs import at_least_1, checked
from ddl.support.numerics import at_least_float32, readable
from ddl.upsampling import ResizeConv

Images = Float[Tensor, "batch 1 height width"]
Maps = Float[Tensor, "batch _ height width"]
Bands = Float[Tensor, "*batch height width"]
Labels = Int[Tensor, " batch"]
GROUPS = 8  # of each group normalisation


class TimedResidualBlock(nn.Module):
    r"""Two convolutions around which the input is carried, with a condition added between.

    .. math::
        y = S x + \mathrm{conv}_2\big(\phi(\mathrm{conv}_1(\phi(x)) + W c)\big), \qquad
        \phi(h) = \mathrm{silu}(\mathrm{norm}(h))

    The condition c, one vector an image, shifts all pixels of a channel alike. S is the identity,
    or a 1x1 convolution to other channels. The block starts as S: its last convolution is zero.

    Args:
        in_channels: Channels of the input, a multiple of 8.
        out_channels: Channels of the output, a multiple of 8.
        features: Size of the condition.

    Raises:
        ValueError: If channels are no positive multiple of 8 or ``features`` is below 1.

    Source: Ho et al. (2020), appendix B, arXiv:2006.11239, without dropout.
    """

    @checked
    def __init__(self, in_channels: int, out_channels: int, features: int) -> None:
        super().__init__()
        for name, value in (("in_channels", in_channels), ("out_channels", out_channels)):
            if value < 1 or value % GROUPS:
                raise ValueError(f"{name} must be a multiple of {GROUPS}, got {value}")
        at_least_1(features=features)
        self.norm_1 = nn.GroupNorm(GROUPS, in_channels)
        self.conv_1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.condition = nn.Linear(features, out_channels)  # W
        self.norm_2 = nn.GroupNorm(GROUPS, out_channels)
        self.conv_2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1)
        nn.init.zeros_(self.conv_2.weight)

    @checked
    def forward(self, x: Maps, c: Float[Tensor, "batch features"]) -> Maps:
        """Return maps of the same height and width."""
        h = self.conv_1(F.silu(self.norm_1(x)))
        h = h + self.condition(c)[:, :, None, None]
        return self.shortcut(x) + self.conv_2(F.silu(self.norm_2(h)))


class PixelAttention(nn.Module):
    """Lets every pixel look at all others, and adds what it has read.

    Args:
        channels: Channels of the maps, a multiple of 8 and of ``heads``.
        heads: Number of attention heads.
    """

    @checked
    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.attention = MultiHeadAttention(channels, heads)

    @checked
    def forward(self, x: Maps) -> Maps:
        """Return maps of the same shape."""
        pixels = self.norm(x).flatten(2).mT  # batch height*width channels
        read, _ = self.attention(pixels)
        return x + read.mT.unflatten(2, x.shape[2:])


class DiffusionUNet(nn.Module):
    r"""Predicts the noise in an image from the image, the step and, if told, the class.

    One level down, at half the size, where every pixel may look at all others, and up again;
    each map on the way down is concatenated to one of its size on the way up. The network's
    own answer v is added to what is known without it,

    .. math:: \hat\epsilon = \sqrt{1-\bar\alpha_t}\,x_t + \sqrt{\bar\alpha_t}\,v

    which is exact for the velocity :math:`v = \sqrt{\bar\alpha_t}\,\epsilon -
    \sqrt{1-\bar\alpha_t}\,x_0`. Without it, an error of the prediction near t = T would be
    magnified thousands of times on the way to :math:`x_0`.

    Args:
        schedule: The forward process of the images.
        channels: Channels at full size, a multiple of 8; twice as many at half the size.
        classes: Number of classes. Number ``classes`` itself stands for "not told".

    Raises:
        ValueError: If ``classes`` is below 1, ``channels`` is no multiple of 8, a side of the
            images is odd, or a label is out of range.

    Source: Ronneberger et al. (2015), arXiv:1505.04597, in the form of Ho et al. (2020),
        appendix B, much smaller; the velocity: Salimans and Ho, Progressive Distillation
        (2022), arXiv:2202.00512.
    """

    @checked
    def __init__(self, schedule: NoiseSchedule, *, channels: int = 24, classes: int = 10) -> None:
        super().__init__()
        at_least_1(classes=classes)
        if channels < 1 or channels % GROUPS:
            raise ValueError(f"channels must be a multiple of {GROUPS}, got {channels}")
        c, features = channels, 4 * channels
        self.schedule, self.channels, self.classes = schedule, channels, classes
        self.time = nn.Sequential(nn.Linear(c, features), nn.SiLU(), nn.Linear(features, features))
        self.label = nn.Embedding(classes + 1, features)
        self.read_in = nn.Conv2d(1, c, 3, padding=1)
        self.down = TimedResidualBlock(c, c, features)
        self.down_half = TimedResidualBlock(c, 2 * c, features)
        self.look_around = PixelAttention(2 * c, heads=4)
        self.middle = TimedResidualBlock(2 * c, 2 * c, features)
        self.up_half = TimedResidualBlock(4 * c, 2 * c, features)
        self.enlarge = ResizeConv(2 * c, c)
        self.up = TimedResidualBlock(2 * c, c, features)
        self.read_out = nn.Sequential(
            nn.GroupNorm(GROUPS, c), nn.SiLU(), nn.Conv2d(c, 1, 3, padding=1)
        )

    @checked
    def forward(self, x: Images, t: Steps, labels: Labels | None = None) -> Images:
        """Return the predicted noise; without labels, no image is told its class."""
        if x.shape[2] % 2 or x.shape[3] % 2:
            raise ValueError(f"x must have an even height and width, got {tuple(x.shape)}")
        labels = torch.full_like(t, self.classes) if labels is None else labels
        if readable(labels) and ((labels < 0) | (labels > self.classes)).any():
            raise ValueError(f"labels must lie in 0 to {self.classes}, got {labels.tolist()}")
        alpha_bar = self.schedule.at(self.schedule.alpha_bar, t, x)
        known = self.schedule.at(self.schedule.beta_bar, t, x).sqrt() * x
        return (known + alpha_bar.sqrt() * self.velocity(x, t, labels)).to(x.dtype)

    @checked
    def velocity(self, x: Images, t: Steps, labels: Labels) -> Images:
        """Return the network's own answer v, from checked inputs."""
        waves = timestep_embedding(t, self.channels).to(x)
        c = F.silu(self.time(waves) + self.label(labels))
        full = self.down(self.read_in(x), c)  # channels, full size
        half = self.down_half(F.avg_pool2d(full, 2), c)  # twice the channels, half the size
        h = self.middle(self.look_around(half), c)
        h = self.up_half(torch.cat([h, half], dim=1), c)
        h = self.up(torch.cat([self.enlarge(h), full], dim=1), c)
        return self.read_out(h)


@checked
def drop_labels(
    labels: Labels, *, share: float, null_label: int, generator: torch.Generator
) -> Labels:
    """Replace each label with the given probability by the one that tells nothing.

    A network trained on the result learns to predict with the class and without.

    Args:
        labels: The classes.
        share: Probability of being dropped.
        null_label: What stands for "not told".
        generator: CPU generator to draw from.

    Raises:
        ValueError: If ``share`` is not in [0, 1].

    Source: Ho and Salimans, Classifier-Free Diffusion Guidance (2022), algorithm 1,
        arXiv:2207.12598.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be between 0 and 1, got {share}")
    dropped = torch.rand(labels.shape, generator=generator) < share
    return torch.where(dropped.to(labels.device), null_label, labels)


@checked
def guided(model: DiffusionUNet, labels: Labels, *, guidance: float = 0.0) -> NoiseModel:
    r"""Return a noise model of ``(x, t)`` that asks for classes, more strongly than was learnt.

    .. math:: (1 + w)\,\epsilon(x_t, t, c) - w\,\epsilon(x_t, t)

    Args:
        model: Trained with and without labels.
        labels: The class c that each image shall have.
        guidance: The weight w. At 0 the class is told and no more; at -1 it is not told.

    Source: Ho and Salimans (2022), equation 6.
    """

    def predict(x: Images, t: Steps) -> Images:
        told = model(x, t, labels)  # without guidance, that is all the work
        return told if guidance == 0 else (1 + guidance) * told - guidance * model(x, t)

    return predict


class MovingAverage:
    r"""Keeps a running mean of a model's weights, :math:`\bar w \leftarrow d\,\bar w + (1-d)\,w`.

    Early on d is smaller, :math:`\min(d, \frac{1+n}{10+n})` after n updates, so that the
    untrained weights are soon forgotten. Buffers, averages already in batch norm, are copied.

    Args:
        model: The model in training.
        decay: The d of the long run, between 0 and 1.

    Attributes:
        model: A copy that holds the averaged weights; of sixteen bits it makes float32.

    Raises:
        ValueError: If ``decay`` is not in [0, 1).

    Source: Ho et al. (2020), appendix B; the smaller d early on is TensorFlow's.
    """

    @checked
    def __init__(self, model: nn.Module, *, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be between 0 and 1, got {decay}")
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        for kept in (*self.model.parameters(), *self.model.buffers()):
            kept.data = at_least_float32(kept.data)
        self.decay, self.updates = decay, 0

    @checked
    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the model's weights after a training step."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for mean, weight in zip(self.model.parameters(), model.parameters(), strict=True):
            mean.data = mean.to(weight.device).lerp(weight.to(mean.dtype), 1 - decay)
        for kept, buffer in zip(self.model.buffers(), model.buffers(), strict=True):
            kept.data = buffer.to(kept.dtype, copy=True)


@checked
def respaced(schedule: NoiseSchedule, steps: int) -> tuple[NoiseSchedule, Int[Tensor, " stops"]]:
    r"""Return a schedule of fewer steps that has the same noise where it stops.

    .. math:: \beta'_k = 1 - \bar\alpha_{s_k} / \bar\alpha_{s_{k-1}}

    Args:
        schedule: The schedule that a model was trained with, of T steps.
        steps: How many to take instead.

    Returns:
        The schedule and its stops :math:`s_0 = 0, \dots, s_K = T`. Step k of the short one has
        the noise of step :math:`s_k` of the long one, which is what the model wants to hear.

    Raises:
        ValueError: If ``steps`` is not between 1 and T.

    Source: Nichol and Dhariwal (2021), equation 19, arXiv:2102.09672.
    """
    if not 1 <= steps <= schedule.steps:
        raise ValueError(f"steps must lie in 1 to {schedule.steps}, got {steps}")
    stops = torch.linspace(0, schedule.steps, steps + 1, dtype=torch.float64).round().long()
    kept = schedule.alpha_bar[stops.to(schedule.alpha_bar.device)]
    return NoiseSchedule(1 - kept[1:] / kept[:-1]), stops


@checked
def split_bands(images: Bands, cutoff: float) -> tuple[Bands, Bands]:
    """Split images into coarse and fine: waves of low and of high frequency.

    The two add up to the image and are orthogonal, so their energies add up as well.

    Args:
        images: Images, taken as periodic.
        cutoff: Waves up to this many periods per image, in any direction, are coarse.

    Raises:
        ValueError: If ``cutoff`` is negative.
    """
    if not cutoff >= 0:
        raise ValueError(f"cutoff must not be negative, got {cutoff}")
    waves = torch.fft.fft2(images)
    down, across = (torch.fft.fftfreq(n, 1 / n, device=images.device) for n in images.shape[-2:])
    coarse = torch.fft.ifft2(waves * ((down[:, None] ** 2 + across**2).sqrt() <= cutoff)).real
    return coarse, images - coarse
