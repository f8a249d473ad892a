"""What skip connections give back to a denoising autoencoder, and what feeding it back does.

An encoder-decoder squeezes an image and rebuilds it. Fine detail that does not
fit through the narrow middle is lost, unless skip connections carry it past.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ddl.support.inputs import at_least_1, checked
from ddl.support.numerics import at_least_float32


@checked
def ternary_noise(
    images: Float[Tensor, "*shape"], *, generator: torch.Generator
) -> Float[Tensor, "*shape"]:
    """Draw the lecture's noise: -1, 0 or +1 for each pixel with probability 1/4, 1/2, 1/4.

    Args:
        images: Gives the shape and the device.
        generator: CPU generator to draw from.

    Returns:
        ``round(u)`` for u uniform in (-1, 1), not yet added to anything.

    Source: the public notebook of SDSC's special connections (2024),
        ciml-org/ciml-summer-institute-2024, 3.6.
    """
    return (2 * torch.rand(images.shape, generator=generator) - 1).round().to(images)


@checked
def add_noise(
    images: Float[Tensor, "*shape"], noise: Float[Tensor, "*shape"], amount: float = 1.0
) -> Float[Tensor, "*shape"]:
    """Add a part of the noise to images and clip the result to [0, 1].

    Args:
        images: Pixels in [0, 1].
        noise: Noise of the same shape.
        amount: How much of it, from 0 (none) to 1 (all).

    Raises:
        ValueError: If ``amount`` is outside [0, 1].
    """
    if not 0 <= amount <= 1:
        raise ValueError(f"amount must be between 0 and 1, got {amount}")
    return (images + amount * noise).clamp(0, 1)


class DenoisingAutoencoder(nn.Module):
    r"""A convolutional encoder-decoder for 28x28 images, with or without skips.

    Sizes go 28 → 14 → 7 and back; each arrow down is a max pooling, each arrow up a
    nearest-neighbour resize. With skips, the encoder's maps from before each
    pooling are concatenated, along the channels, to the decoder's maps of the same size.

    Args:
        filters: Channels at 28x28; twice as many at 14x14.
        bottleneck: Channels at 7x7, the narrowest place.
        skips: Whether to concatenate the encoder's maps.

    Raises:
        ValueError: If ``filters`` or ``bottleneck`` is below 1.

    Source: the Keras model of SDSC's special connections (2023), as completed in its
        public notebook: filters 64 and 128, bottleneck 16, 185,873 parameters.
    """

    @checked
    def __init__(self, *, filters: int = 64, bottleneck: int = 16, skips: bool) -> None:
        super().__init__()
        at_least_1(filters=filters, bottleneck=bottleneck)
        self.skips = skips
        n, extra = filters, int(skips)
        self.encode_28 = nn.Conv2d(1, n, 3, padding=1)
        self.encode_14 = nn.Conv2d(n, 2 * n, 3, padding=1)
        self.narrow = nn.Conv2d(2 * n, bottleneck, 3, padding=1)
        self.decode_7 = nn.Conv2d(bottleneck, 2 * n, 3, padding=1)
        self.decode_14 = nn.Conv2d(2 * n + extra * 2 * n, n, 3, padding=1)
        self.decode_28 = nn.Conv2d(n + extra * n, 1, 3, padding=1)
        for layer in self.children():
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.xavier_uniform_(layer.weight)  # Keras' default, part of the recipe
                nn.init.zeros_(layer.bias)

    @checked
    def forward(self, x: Float[Tensor, "batch 1 28 28"]) -> Float[Tensor, "batch 1 28 28"]:
        """Return the probability that each clean pixel is white."""
        return torch.sigmoid(self.logits(x))

    @checked
    def logits(self, x: Float[Tensor, "batch 1 28 28"]) -> Float[Tensor, "batch 1 28 28"]:
        """Return the log odds that each clean pixel is white.

        In sixteen bits a loss is computed from these: a probability near 1 is rounded to 1.
        """
        e28 = F.relu(self.encode_28(x))
        e14 = F.relu(self.encode_14(F.max_pool2d(e28, 2)))
        code = F.relu(self.narrow(F.max_pool2d(e14, 2)))  # bottleneck x 7 x 7
        d14 = F.interpolate(F.relu(self.decode_7(code)), scale_factor=2)
        d14 = torch.cat([d14, e14], dim=1) if self.skips else d14
        d28 = F.interpolate(F.relu(self.decode_14(d14)), scale_factor=2)
        d28 = torch.cat([d28, e28], dim=1) if self.skips else d28
        return self.decode_28(d28)


@checked
def entropy_floor(images: Float[Tensor, "*shape"]) -> float:
    r"""Return the smallest binary cross-entropy any prediction of these images can have.

    A grey target :math:`x` costs :math:`-x \log x - (1-x) \log(1-x)` even if it is
    predicted exactly; only black and white pixels cost nothing.

    Args:
        images: Targets in [0, 1].

    Returns:
        Nats a pixel, the mean over all pixels.

    Raises:
        ValueError: If a value is outside [0, 1].
    """
    if images.min() < 0 or images.max() > 1:
        raise ValueError(
            f"images must lie in [0, 1], got {images.min().item():g} to {images.max().item():g}"
        )
    images = at_least_float32(images)
    return F.binary_cross_entropy(images, images).item()


@checked
@torch.no_grad()
def feed_back(
    model: nn.Module, images: Float[Tensor, "batch 1 28 28"], passes: int
) -> list[Float[Tensor, "batch 1 28 28"]]:
    """Apply a model to its own output again and again.

    Args:
        model: Maps images to images.
        images: What the first pass sees.
        passes: How often the model is applied.

    Returns:
        The outputs after 1, 2, ..., ``passes`` passes.

    Raises:
        ValueError: If ``passes`` is below 1.
    """
    at_least_1(passes=passes)
    outputs = []
    for _ in range(passes):
        images = model(images)
        outputs.append(images)
    return outputs
