"""Our U-Net for diffusion beside two that people use, at their smallest sensible settings.

All three learn by the same loss, from the same digits, by the same optimizer and average of
weights: only the network differs.
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

from benchmarks.measure import Result, in_turns, seconds, spread
from ddl.data import digits
from ddl.diffusion import NoiseSchedule, cosine_schedule
from ddl.image_diffusion import MovingAverage, UNet
from ddl.training import parameter_count

SIZE, BATCH = 16, 32

Net = Callable[[Tensor, Tensor], Tensor]


def ours(schedule: NoiseSchedule) -> nn.Module:
    """Return the network of the page on diffusion of images."""
    return UNet(schedule, channels=24)


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
    make: Callable[[NoiseSchedule], nn.Module], images: Tensor, seed: int
) -> tuple[nn.Module, MovingAverage, Iterator[None]]:
    """Return a network, its average and an endless iterator that takes one step at a time."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    schedule = cosine_schedule(1000)
    net = make(schedule)
    average = MovingAverage(net, decay=0.995)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)

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
