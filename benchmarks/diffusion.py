"""Our U-Net for diffusion beside two that people use, at their smallest sensible settings.

All three learn by the same loss, from the same digits, by the same optimizer and average of
weights, and are sampled by the same walk: only the network differs, and where a score is
raced for, the learning rate.
"""

import importlib
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.measure import Result, Run, in_turns, race, seconds, spread, until
from ddl.data import digits
from ddl.diffusion import NoiseSchedule, cosine_schedule, ddim_sample
from ddl.image_diffusion import DiffusionUNet, MovingAverage
from ddl.scoring import frechet_distance, train_digit_classifier
from ddl.training import parameter_count

SIZE, BATCH = 16, 32
SAMPLES, STRIDES = 300, 10  # of a score: how many, by so many steps of DDIM
TRAINED, JUDGED, REAL = 14_000, 10_000, 3_000  # digits: for the nets, the judge, to compare with
TARGET = 13.0  # Fréchet distance
ROUND = 50  # training steps between two scores
RATE = 2e-3  # of learning, the page's
RATES = (3e-4, 1e-3, 2e-3, 4e-3)  # that the other tries
TRIAL = 150  # its training steps with each

Net = Callable[[Tensor, Tensor], Tensor]


def ours(schedule: NoiseSchedule) -> nn.Module:
    """Return the network of the page on diffusion of images."""
    return DiffusionUNet(schedule, channels=24)


def lucidrains(schedule: NoiseSchedule) -> nn.Module:
    """Return the U-Net of denoising-diffusion-pytorch, two levels."""
    if importlib.util.find_spec("torchvision") is None:
        # It imports torchvision for a data set and a trainer that are not used here.
        stand_in: Any = types.ModuleType("torchvision")
        stand_in.transforms = stand_in.utils = None
        sys.modules["torchvision"] = stand_in
    net = importlib.import_module("denoising_diffusion_pytorch")
    if sys.modules.get("torchvision", net).__spec__ is None:
        del sys.modules["torchvision"]
    return net.Unet(dim=24, dim_mults=(1, 2), channels=1, flash_attn=False)


class Velocity(nn.Module):
    """A network asked for the velocity, which tells the noise, as `DiffusionUNet` is.

    It is the default of denoising-diffusion-pytorch, whose weights of the loss make it the mean
    squared error of the noise.
    """

    def __init__(self, net: nn.Module, schedule: NoiseSchedule) -> None:
        super().__init__()
        self.net, self.schedule = net, schedule

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the predicted noise."""
        alpha_bar = self.schedule.at(self.schedule.alpha_bar, t, x)
        beta_bar = self.schedule.at(self.schedule.beta_bar, t, x)
        return beta_bar.sqrt() * x + alpha_bar.sqrt() * self.net(x, t)


class Diffusers(nn.Module):
    """The U-Net of diffusers, two levels of one block each."""

    def __init__(self, schedule: NoiseSchedule) -> None:
        super().__init__()
        from diffusers import UNet2DModel  # pyright: ignore[reportPrivateImportUsage]

        self.net = UNet2DModel(
            sample_size=SIZE,
            in_channels=1,
            out_channels=1,
            layers_per_block=1,
            block_out_channels=(24, 48),
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            norm_num_groups=8,
        )

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the predicted noise."""
        return self.net(x, t).sample


def _images() -> Tensor:
    """Return digits of 16x16."""
    small = F.avg_pool2d(digits(14_000, 1).train.images, 2)
    return F.pad(small, (1, 1, 1, 1))


def _training(
    make: Callable[[NoiseSchedule], nn.Module], images: Tensor, seed: int, rate: float = RATE
) -> tuple[nn.Module, MovingAverage, Iterator[None]]:
    """Return a network, its average and an endless iterator that takes one step at a time."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    schedule = cosine_schedule(1000)
    net = make(schedule)
    average = MovingAverage(net, decay=0.995)
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)

    def steps() -> Iterator[None]:
        while True:
            rows = torch.randint(len(images), (BATCH,), generator=generator)
            x_t, t, noise = schedule.draw(2 * images[rows] - 1, generator=generator)
            optimizer.zero_grad()
            F.mse_loss(net(x_t, t), noise).backward()
            optimizer.step()
            average.update(net)
            yield

    return net, average, steps()


def steps() -> list[Result]:
    """Seconds of one training step and one sampling step, by parameter and pixel."""
    images = _images()
    results = []
    nets = {"denoising-diffusion-pytorch": lucidrains, "diffusers": Diffusers}
    for name, make in nets.items():
        pair = [_training(kind, images, 0) for kind in (ours, make)]
        sizes = [parameter_count(net) for net, _, _ in pair]
        x, t = torch.randn(BATCH, 1, SIZE, SIZE), torch.full((BATCH,), 500)

        @torch.no_grad()
        def sample(net: nn.Module, x: Tensor = x, t: Tensor = t) -> None:
            for _ in range(10):
                net(x, t)

        def train(step: Iterator[None]) -> None:
            for _ in range(10):
                next(step)

        work = {
            "training": [seconds(lambda p=p: train(p[2])) for p in pair],
            "sampling": [seconds(lambda p=p: sample(p[0])) for p in pair],
        }
        for what, sides in work.items():
            a, b = in_turns(*sides)
            ms = [1e3 * median(values) / 10 for values in (a, b)]
            each = [
                f"{1e9 * value / size / SIZE**2 / BATCH:.2g}"
                for value, size in zip(ms, sizes, strict=True)
            ]
            results.append(
                Result(
                    f"one {what} step of our U-Net against that of {name}",
                    ours=ms[0],
                    peer=ms[1],
                    ratio=ms[0] / ms[1],
                    unit="ms",
                    bar="stated",
                    reached=None,
                    spread=(spread(a), spread(b)),
                    note=f"batches of {BATCH}, {SIZE}x{SIZE} pixels; {sizes[0]:,} against "
                    f"{sizes[1]:,} parameters; by parameter, pixel and image "
                    f"{each[0]} against {each[1]} ps",
                )
            )
    return results


def to_a_score() -> list[Result]:
    """Seconds of training to the same Fréchet distance, at the size of the page's images."""
    parts, train = [TRAINED, JUDGED, REAL], digits(TRAINED + JUDGED + REAL, 1).train
    images, judged, real = F.avg_pool2d(train.images, 2).split(parts)
    labels, judged_labels, _ = train.labels.split(parts)
    generator = torch.Generator().manual_seed(0)
    judge = train_digit_classifier(judged, judged_labels, generator=generator)
    reference = judge.features(real)

    def distance(pixels: Tensor) -> float:
        return frechet_distance(judge.features(pixels), reference)

    def begin(
        make: Callable[[NoiseSchedule], nn.Module], rate: float, seed: int
    ) -> tuple[Iterator[None], Callable[[], float]]:
        _, average, step = _training(make, images, seed, rate)
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(SAMPLES, *images.shape[1:], generator=generator)

        def score() -> float:
            walk = ddim_sample(average.model, cosine_schedule(1000), noise, steps=STRIDES)
            return distance(((walk + 1) / 2).clamp(0, 1))

        return step, score

    def side(make: Callable[[NoiseSchedule], nn.Module], rate: float) -> Run:
        def run(turn: int, limit: float) -> float:
            step, score = begin(make, rate, seed=1 + turn)
            return until(lambda: score() < TARGET, step, every=ROUND, limit=limit)

        return run

    def other(schedule: NoiseSchedule) -> nn.Module:
        return Velocity(lucidrains(schedule), schedule)

    tried: dict[float, float] = {}
    for rate in RATES:
        step, score = begin(other, rate, seed=0)
        for _ in range(TRIAL):
            next(step)
        tried[rate] = score()
    best = min(RATES, key=tried.__getitem__)
    shown = ", ".join(f"{value:.3g} by {rate:g}" for rate, value in tried.items())
    floor = distance(images[:SAMPLES])
    five = distance(images[labels < 5][:SAMPLES])
    one = median(distance(image.expand(SAMPLES, -1, -1, -1)) for image in images[:5])
    return [
        race(
            "training our U-Net to a score against that of denoising-diffusion-pytorch",
            side(ours, RATE),
            side(other, best),
            at_most=0.5,
            note=f"until {SAMPLES} samples by {STRIDES} steps of DDIM have a Fréchet distance "
            f"below {TARGET:g}, scores not timed; {SAMPLES} real digits have {floor:.2g}, those "
            f"below 5 {five:.2g}, one repeated {one:.3g}; both predict the velocity; ours learns "
            f"at the page's rate, the other at its best: after {TRIAL} steps it had {shown}",
        )
    ]
