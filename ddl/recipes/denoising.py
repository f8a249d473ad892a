"""What skips give back to a denoising autoencoder: the lecture's recipe on all digits.

Three networks: without skips, with skips, and without but as many numbers to learn. 20 epochs of
Adam, batches of 128, binary cross-entropy, noise drawn once for each image, as on the page.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ddl
from ddl.data import Split, digits
from ddl.denoising import DenoisingAutoencoder, add_noise, entropy_floor, ternary_noise
from ddl.recipes.engine import Batch, Run, Stream, generator
from ddl.support.numerics import at_least_float32

NETS: dict[str, dict[str, Any]] = {
    "without skips": {"skips": False},
    "with skips": {"skips": True},
    "control: wider middle, no skips": {"skips": False, "bottleneck": 49},
}


def options() -> dict[str, tuple[Any, str]]:
    """Return the options, their values at this size, and what they are."""
    return {
        "images": (ddl.budget(cpu=1_000, gpu=60_000, smoke=96), "training images"),
        "tests": (ddl.budget(cpu=500, gpu=10_000, smoke=50), "test images"),
        "epochs": (ddl.budget(cpu=20, gpu=20, smoke=3), "passes over them"),
        "batch": (ddl.budget(cpu=128, gpu=128, smoke=32), "images of a batch"),
        "filters": (ddl.budget(cpu=64, gpu=64, smoke=2), "channels at 28x28"),
    }


class Logits(nn.Module):
    """A network up to its sigmoid: in bfloat16 a probability of 0.999 would be 1.

    Args:
        net: The network.
    """

    def __init__(self, net: DenoisingAutoencoder) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """Return the log odds of each pixel."""
        return self.net.logits(x)


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """Return the cross-entropy in nats a pixel of a model that returns logits."""
    noisy, clean = batch
    return F.binary_cross_entropy_with_logits(at_least_float32(model(noisy)), clean)


def train(run: Run) -> tuple[Split, dict[str, nn.Module]]:
    """Train the networks and return them with the test images."""
    o = run.options
    data = digits(o.images, o.tests)
    run.data = str(data)
    clean = data.train.images
    noisy = add_noise(clean, ternary_noise(clean, generator=generator("noise")))
    stream = Stream(*run.to_device(noisy, clean), batch_size=o.batch)
    nets = {}
    for label, kind in NETS.items():
        ddl.seed()
        nets[label] = net = Logits(DenoisingAutoencoder(filters=o.filters, **kind))
        optimizer = torch.optim.Adam(net.parameters())
        run.train(label, net, stream, loss, steps=stream.steps(o.epochs), optimizer=optimizer)
    return data.test, nets


def score(run: Run, trained: tuple[Split, dict[str, nn.Module]]) -> dict[str, float]:
    """Return the test losses, and the floor that no network can go below."""
    test, nets = trained
    noise = ternary_noise(test.images, generator=generator("test noise"))
    noisy, clean = run.to_device(add_noise(test.images, noise), test.images)
    parts = list(zip(noisy.split(500), clean.split(500), strict=True))
    scores = {"floor": entropy_floor(test.images)}
    for label, net in nets.items():
        total = sum(loss(net, part).item() * len(part[0]) for part in parts)
        scores[label] = total / len(clean)
    return {f"cross-entropy on the test images, {name}": s for name, s in scores.items()}
