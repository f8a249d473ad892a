"""A diffusion model of digits: cosine schedule, averaged weights, and a sweep of DDIM's steps.

The page's U-Net, told the class or not, is trained to predict the noise of 1,000 steps. Samples
are drawn without a class and scored by the Fréchet distance to real digits in the features of
`ddl.scoring.DigitClassifier`, trained on other images: a score for comparisons on these pages
only. Real digits against others of the same number are the floor.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ddl
from ddl.data import digits
from ddl.diffusion import cosine_schedule, ddim_sample, ddpm_sample
from ddl.image_diffusion import DiffusionUNet, MovingAverage, drop_labels
from ddl.recipes.engine import Batch, Run, Stream, generator
from ddl.scoring import frechet_distance, train_digit_classifier


class Trained(NamedTuple):
    """The averaged network, and images and labels that it has not seen."""

    net: DiffusionUNet
    judge_images: Tensor
    judge_labels: Tensor
    real: Tensor


def options() -> dict[str, tuple[Any, str]]:
    """Return the options, their values at this size, and what they are."""
    smoke = ddl.scale() == "smoke"
    return {
        "images": (ddl.budget(cpu=14_000, gpu=40_000, smoke=64), "training images"),
        "judge": (ddl.budget(cpu=10_000, gpu=10_000, smoke=64), "the classifier's images"),
        "samples": (ddl.budget(cpu=1_000, gpu=5_000, smoke=16), "samples of each score"),
        "shrink": (ddl.budget(cpu=2, gpu=1, smoke=2), "pixels a side that are averaged to one"),
        "channels": (ddl.budget(cpu=24, gpu=64, smoke=8), "channels at full size"),
        "epochs": (ddl.budget(cpu=3, gpu=100, smoke=2), "passes over the training images"),
        "batch": (ddl.budget(cpu=32, gpu=128, smoke=16), "images of a batch"),
        "memory": (ddl.budget(cpu=200, gpu=10_000, smoke=10), "steps that the average spans"),
        "strides": ([2] if smoke else [5, 10, 20, 50, 100], "numbers of DDIM's steps"),
    }


def train(run: Run) -> Trained:
    """Train the U-Net and return the average of its weights."""
    o = run.options
    data = digits(train=o.images + o.judge + 2 * o.samples, test=1)
    run.data = f"{data.name}, {o.images:,} training images"
    small = F.avg_pool2d(data.train.images, o.shrink)
    images, judge_images, real = small.split([o.images, o.judge, 2 * o.samples])
    labels, judge_labels, _ = data.train.labels.split([o.images, o.judge, 2 * o.samples])
    schedule = cosine_schedule(1000).to(run.fabric.device)
    ddl.seed()
    net = DiffusionUNet(schedule, channels=o.channels)
    average = MovingAverage(net, decay=1 - 1 / o.memory)

    def draw(batch: Batch, g: torch.Generator) -> Batch:
        told = drop_labels(batch[1], share=0.15, null_label=10, generator=g)
        return (*schedule.draw(batch[0], generator=g), told)

    stream = Stream(*run.to_device(2 * images - 1, labels), batch_size=o.batch, draw=draw)
    steps = stream.steps(o.epochs)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    run.train(
        "U-Net",
        net,
        stream,
        loss,
        steps=steps,
        optimizer=optimizer,
        schedule=falling,
        average=average,
    )
    return Trained(average.model, judge_images, judge_labels, real)  # type: ignore[arg-type]


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """Return the mean squared error of the predicted noise."""
    x_t, t, noise, told = batch
    return F.mse_loss(model(x_t, t, told), noise)


def score(run: Run, trained: Trained) -> dict[str, float]:
    """Return the Fréchet distances: floor, noise, DDIM by its steps, DDPM at full size."""
    o, net = run.options, trained.net
    g = generator("samples")
    with torch.enable_grad():
        judge = train_digit_classifier(
            trained.judge_images, trained.judge_labels, generator=g, epochs=3
        )
    reference, others = (judge.features(half) for half in trained.real.chunk(2))
    (start,) = run.to_device(torch.randn(o.samples, *trained.real.shape[1:], generator=g))
    scores = {"real against real": frechet_distance(others, reference)}

    def distance(walk: Any) -> float:
        pixels = torch.cat([walk(some) for some in start.split(500)])
        return frechet_distance(judge.features(((pixels + 1) / 2).clamp(0, 1)), reference)

    scores["noise"] = distance(lambda x: x)
    for steps in o.strides:
        scores[f"DDIM, {steps} steps"] = distance(
            lambda x, steps=steps: ddim_sample(net, net.schedule, x, steps=steps)
        )
    if ddl.scale() == "gpu":
        scores["DDPM, 1000 steps"] = distance(
            lambda x: ddpm_sample(net, net.schedule, x, generator=g)
        )
    return {f"Fréchet distance, {name}": value for name, value in scores.items()}
