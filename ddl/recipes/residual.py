"""Plain and residual networks on CIFAR-10, by He's schedule.

SGD with momentum 0.9 and weight decay 1e-4, batches of 128; the learning rate 0.1 is divided by
10 after a half and three quarters of the steps, 32,000 and 48,000 of 64,000. From 110 layers on
it is 0.01 for the first 400. Training images are padded by 4 pixels, cut at random and flipped.
Source: He et al., Deep Residual Learning (2015), section 4.2, arXiv:1512.03385, but with the
channels' means and deviations in place of each pixel's mean, and all training images.

Below full size, images are averaged to 16x16 and nets have 8 channels, as on the page, and
where CIFAR-10 is not at hand digits take its place.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ddl
from ddl.data import cifar10, cifar10_is_here, digits
from ddl.recipes.engine import Batch, Run, Stream
from ddl.residual import BasicBlock, PlainBlock, small_net

KINDS = {"plain": PlainBlock, "residual": BasicBlock}


class Trained(NamedTuple):
    """The nets, and normalised images and labels by the name of their part."""

    nets: dict[str, nn.Module]
    parts: dict[str, list[Tensor]]


def options() -> dict[str, tuple[Any, str]]:
    """Return the options, their values at this size, and what they are."""
    deep = ddl.scale() == "gpu"
    return {
        "images": (ddl.budget(cpu=1_000, gpu=50_000, smoke=64), "training images"),
        "tests": (ddl.budget(cpu=1_000, gpu=10_000, smoke=64), "test images"),
        "depths": ([20, 32, 44, 56, 110] if deep else [8, 20, 56], "layers of the nets"),
        "steps": (ddl.budget(cpu=160, gpu=64_000, smoke=4), "batches of each training"),
        "batch": (ddl.budget(cpu=100, gpu=128, smoke=16), "images of a batch"),
        "shrink": (ddl.budget(cpu=2, gpu=1, smoke=4), "pixels a side that are averaged to one"),
    }


def shifted_and_flipped(batch: Batch, generator: torch.Generator) -> Batch:
    """Cut each image at random out of itself padded by an eighth, and flip every second one."""
    images, labels = batch
    count, _, size, _ = images.shape
    margin = size // 8
    padded = F.pad(images, (margin,) * 4)
    down, across = torch.randint(2 * margin + 1, (2, count, 1), generator=generator)
    flip = torch.rand(count, 1, generator=generator) < 0.5
    pixels = torch.arange(size)
    across = across + torch.where(flip, pixels.flip(0), pixels)
    down = down + pixels
    number = torch.arange(count)[:, None, None]
    where = [index.to(images.device) for index in (number, down[:, :, None], across[:, None, :])]
    return padded.movedim(1, -1)[tuple(where)].movedim(-1, 1), labels


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """Return the cross-entropy in nats."""
    return F.cross_entropy(model(batch[0]), batch[1])


def he_schedule(
    optimizer: torch.optim.Optimizer, *, steps: int, warm_up: int
) -> torch.optim.lr_scheduler.LambdaLR:
    """Return the schedule: a tenth for ``warm_up`` steps; a tenth from half on, and so on."""

    def factor(step: int) -> float:
        if step < warm_up:
            return 0.1
        return 0.1 ** ((step >= steps // 2) + (step >= 3 * steps // 4))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def train(run: Run) -> Trained:
    """Train a plain and a residual net of each depth."""
    o = run.options
    if ddl.scale() == "gpu" or cifar10_is_here():
        data = cifar10(o.images, o.tests)
    else:
        data = digits(o.images, o.tests)
    run.data = str(data)
    train_images, tests = (F.avg_pool2d(part.images, o.shrink) for part in (data.train, data.test))
    mean = train_images.mean((0, 2, 3), keepdim=True)
    std = train_images.std((0, 2, 3), keepdim=True)
    parts = {
        "training": run.to_device((train_images - mean) / std, data.train.labels),
        "test": run.to_device((tests - mean) / std, data.test.labels),
    }
    stream = Stream(*parts["training"], batch_size=o.batch, draw=shifted_and_flipped)
    nets = {}
    for depth in o.depths:
        for kind, block in KINDS.items():
            ddl.seed()
            net = small_net(
                depth,
                block,
                widths=(16, 32, 64) if ddl.scale() == "gpu" else (8, 8, 8),
                image_channels=train_images.shape[1],
                stem_stride=1 if ddl.scale() == "gpu" else 2,
            )
            rate = 0.1 if ddl.scale() == "gpu" else 0.05  # a narrow net bears no more
            optimizer = torch.optim.SGD(net.parameters(), rate, momentum=0.9, weight_decay=1e-4)
            schedule = he_schedule(
                optimizer, steps=o.steps, warm_up=min(400, o.steps // 4) if depth >= 110 else 0
            )
            label = f"{kind}-{depth}"
            run.train(
                label, net, stream, loss, steps=o.steps, optimizer=optimizer, schedule=schedule
            )
            nets[label] = net
    return Trained(nets, parts)


def score(run: Run, trained: Trained) -> dict[str, float]:
    """Return the errors in per cent after the last step: not the best on the way."""
    scores = {}
    for label, net in trained.nets.items():
        for part, (images, labels) in trained.parts.items():
            guesses = torch.cat([net(some).argmax(1) for some in images.split(1_000)])
            wrong = 100 * (guesses != labels).float().mean().item()
            scores[f"{label}, {part} error in %"] = wrong
    return scores
