"""Deep autoencoders of digits against PCA, by the size of the code.

The lecture's convolutional network, trained by Adam under a one-cycle schedule as on the page,
and PCA of the same training images. Both are scored by the mean squared error of a test pixel.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ddl
from ddl.autoencoder import PCA, ConvAutoencoder
from ddl.data import digits
from ddl.recipes.engine import Batch, Run, Stream


def options() -> dict[str, tuple[Any, str]]:
    """Return the options, their values at this size, and what they are."""
    return {
        "images": (ddl.budget(cpu=6_400, gpu=60_000, smoke=64), "training images"),
        "tests": (ddl.budget(cpu=2_000, gpu=10_000, smoke=64), "test images"),
        "dimensions": (
            [2, 8] if ddl.scale() == "smoke" else [2, 4, 8, 16, 32],
            "sizes of the code",
        ),
        "epochs": (ddl.budget(cpu=1, gpu=50), "passes over the training images"),
        "batch": (ddl.budget(cpu=8, gpu=64, smoke=8), "images of a batch"),
        "channels": (ddl.budget(cpu=16, gpu=32, smoke=2), "channels of the network"),
    }


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """Return the mean squared error of a pixel."""
    return F.mse_loss(model(batch[0]), batch[0])


def train(run: Run) -> tuple[Tensor, Tensor, dict[int, nn.Module]]:
    """Train a network for each size, return them after the training and the test images."""
    o = run.options
    data = digits(o.images, o.tests)
    run.data = str(data)
    images, tests = run.to_device(data.train.images, data.test.images)
    stream = Stream(images, batch_size=o.batch)
    steps = stream.steps(o.epochs)
    nets = {}
    for d in o.dimensions:
        ddl.seed()
        nets[d] = net = ConvAutoencoder(d, o.channels)
        for layer in net.encoder:
            if isinstance(layer, nn.Conv2d):  # He's start, as on the page
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.get_parameter("bias"))
        optimizer = torch.optim.Adam(net.parameters())
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps + 1)
        run.train(
            f"d = {d}", net, stream, loss, steps=steps, optimizer=optimizer, schedule=schedule
        )
    return images, tests, nets


def score(run: Run, trained: tuple[Tensor, Tensor, dict[int, nn.Module]]) -> dict[str, float]:
    """Return the test errors of the mean image, of PCA and of the networks."""
    images, tests, nets = trained
    flat = tests.flatten(1)
    pca = PCA.fit(images.flatten(1), max(nets))
    scores = {"mean image": F.mse_loss(pca.mean.expand_as(flat), flat).item()}
    for d, net in nets.items():
        narrow = pca.first(d)
        scores[f"PCA, d = {d}"] = F.mse_loss(narrow.decode(narrow.encode(flat)), flat).item()
        drawn = torch.cat([net(some) for some in tests.split(1_000)])
        scores[f"network, d = {d}"] = F.mse_loss(drawn, tests).item()
    return {f"test error of a pixel, {name}": value for name, value in scores.items()}
