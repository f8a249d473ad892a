"""What the recipes share: batches that any number of processes divide, training that resumes.

Nothing is drawn from a generator that runs along. The order of epoch e, and the noise of
step k, come from generators seeded by (seed, e) and (seed, k). So a run that was killed needs
no generator's state to go on, and n processes draw what one would draw: each takes its rows.
"""

import argparse
import hashlib
import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from torch import Tensor, nn
from tqdm.auto import tqdm

import ddl
from ddl.image_diffusion import MovingAverage
from ddl.recipes import checkpoint
from ddl.support.inputs import at_least_1, checked, same_length
from ddl.support.settings import device, seed_value
from ddl.training import Precision, lay_channels_together, one_device, parameter_count

Batch = tuple[Tensor, ...]
PRECISIONS: dict[str, Precision] = {"float32": "32-true", "bf16": "bf16-mixed"}
NO_SETTINGS = ("out", "save_every")  # options that change no number


class RecipeError(ValueError):
    """What the person who started the recipe can mend."""


@checked
def generator(purpose: str, number: int = 0) -> torch.Generator:
    """Return a CPU generator that depends on the run's seed, a purpose and a number alone."""
    digest = hashlib.sha256(f"{seed_value()} {purpose} {number}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7]))


class Stream:
    """Batches without end: one shuffled pass over the rows after the other, cut into equal parts.

    Args:
        tensors: Tensors of the same length, on the device of the run.
        batch_size: Rows of a batch, over all processes together.
        draw: Turns rows into what the loss sees: adds noise, say. It is given the whole
            batch and a CPU generator.

    Raises:
        ValueError: If there are no rows, lengths differ, or ``batch_size`` is below 1.
    """

    @checked
    def __init__(
        self,
        *tensors: Tensor,
        batch_size: int,
        draw: Callable[[Batch, torch.Generator], Batch] | None = None,
    ) -> None:
        self.count = same_length(*tensors)
        at_least_1(batch_size=batch_size)
        self.tensors, self.batch_size, self.draw = tensors, batch_size, draw
        self._order = lru_cache(2)(self._shuffled)

    def _shuffled(self, epoch: int) -> Tensor:
        return torch.randperm(self.count, generator=generator("order", epoch))

    @checked
    def steps(self, epochs: int) -> int:
        """Return how many batches hold as many rows as so many passes."""
        at_least_1(epochs=epochs)
        return max(1, round(epochs * self.count / self.batch_size))

    @checked
    def rows(self, step: int) -> Tensor:
        """Return the numbers of the rows in batch ``step`` = 0, 1, 2, ..."""
        if step < 0:
            raise ValueError(f"step must be at least 0, got {step}")
        start, stop = step * self.batch_size, (step + 1) * self.batch_size
        first, last = start // self.count, (stop - 1) // self.count
        orders = torch.cat([self._order(epoch) for epoch in range(first, last + 1)])
        return orders[start - first * self.count : stop - first * self.count]

    @checked
    def batch(self, step: int) -> Batch:
        """Return batch ``step``, the same whatever was asked for before."""
        rows = self.rows(step).to(self.tensors[0].device)
        batch = tuple(tensor[rows] for tensor in self.tensors)
        return self.draw(batch, generator("draw", step)) if self.draw else batch


@checked
@dataclass
class Progress:
    """How far a training has come, beside its tensors."""

    step: int = 0
    seconds: float = 0.0
    resumed: list[int] = field(default_factory=list)  # the steps at which it went on
    losses: list[float] = field(default_factory=list)  # of each batch


class Run:
    """One run of a recipe: its options, its processes, and what it has trained.

    Args:
        options: What the command line says; see ``ddl.recipes.__main__``.

    Attributes:
        trainings: For each training its sizes, seconds and losses, as the results show them.
        data: Name of the data set; a recipe sets it before it trains.
    """

    @checked
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.fabric = connect(options.precision)
        self.folder = options.out.with_suffix("")  # of the checkpoints
        self.trainings: dict[str, dict[str, Any]] = {}
        self.data = ""

    def settings(self) -> dict[str, Any]:
        """Return all that decides the numbers of this run, but for the versions."""
        chosen = {k: v for k, v in vars(self.options).items() if k not in NO_SETTINGS}
        return {**chosen, "scale": ddl.scale(), "seed": seed_value(), "data": self.data}

    @checked
    def to_device(self, *tensors: Tensor) -> list[Tensor]:
        """Return tensors on the device of this process."""
        return [tensor.to(self.fabric.device) for tensor in tensors]

    @checked
    def train(
        self,
        label: str,
        model: nn.Module,
        stream: Stream,
        loss: Callable[[nn.Module, Batch], Tensor],
        *,
        steps: int,
        optimizer: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
        average: MovingAverage | None = None,
    ) -> None:
        """Train a model in place, from its checkpoint where there is one.

        The loop is that of `ddl.training.fit`. Several processes divide each batch and see
        the same losses as one. Batch norm sees all of a batch on GPUs, and on CPUs, where
        torch cannot do that, a process's own part of it.

        Args:
            label: Names the training in the results, and its checkpoint.
            model: The model; afterwards on the run's device and in evaluation mode.
            stream: Its batches.
            loss: Maps the model and a batch to a scalar, a mean over rows.
            steps: How many batches.
            optimizer: Over the model's parameters.
            schedule: Of learning rates, stepped after each batch.
            average: Takes in the weights after each batch.

        Raises:
            ValueError: If ``steps`` is below 1.
            RecipeError: If the batch cannot be divided among the processes, or the
                checkpoint is of a run with other settings.
            FloatingPointError: If a loss is not finite.
        """
        at_least_1(steps=steps)
        fabric = self.fabric
        path = self.folder / f"{label.replace(' ', '_')}.safetensors"
        if stream.batch_size % fabric.world_size:
            raise RecipeError(
                f"{fabric.world_size} processes cannot divide batches of {stream.batch_size}"
            )
        wrapped, stepper = self._set_up(model, optimizer)
        progress = Progress()
        if path.is_file():
            tensors, about = checkpoint.read(path)
            self._refuse_others(path, about.pop("settings"))
            progress = Progress(**about)
            checkpoint.unpack(tensors, model, optimizer, average)
            if average:
                average.updates = progress.step
            if schedule:
                _go_to(progress.step, schedule)
            if progress.step < steps:
                progress.resumed.append(progress.step)

        pending, started = [], time.perf_counter()
        for step in (bar := self._bar(label, progress.step, steps)):
            parts = (part.chunk(fabric.world_size) for part in stream.batch(step))
            batch = tuple(part[fabric.global_rank] for part in parts)
            stepper.zero_grad()
            value = loss(wrapped, batch)
            fabric.backward(value)
            stepper.step()
            if schedule:
                schedule.step()
            if average:
                average.update(model)
            pending.append(value.detach())
            if (step + 1) % self.options.save_every and step + 1 < steps:
                continue
            means: Any = fabric.all_reduce(torch.stack(pending), reduce_op="mean")
            if not means.isfinite().all():
                raise FloatingPointError(f"{label}: the loss is not finite by step {step + 1}")
            progress.step = step + 1
            progress.losses += means.tolist()
            progress.seconds += time.perf_counter() - started
            pending, started = [], time.perf_counter()
            bar.set_postfix(loss=f"{progress.losses[-1]:.4f}")
            if fabric.is_global_zero:
                about = {**asdict(progress), "settings": self.settings()}
                checkpoint.write(path, checkpoint.pack(model, optimizer, average), about)
        model.eval()
        if average:
            average.model.to(fabric.device)
        self.trainings[label] = {
            "parameters": parameter_count(model),
            "batch size": stream.batch_size,
            "steps": steps,
            "seconds": round(progress.seconds, 1),
            "resumed at": progress.resumed,
            "losses": thinned(progress.losses),
        }

    def _set_up(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[Any, Any]:
        """Return model and optimizer as the processes use them; both share the weights."""
        lay_channels_together(model)
        inner: Any = model
        if self.fabric.world_size > 1 and self.fabric.device.type == "cuda":
            inner = nn.SyncBatchNorm.convert_sync_batchnorm(inner)
        if self.options.compile:
            inner = torch.compile(inner)
        wrapped, stepper = self.fabric.setup(inner, optimizer)
        return wrapped.train(), stepper

    def _bar(self, label: str, first: int, steps: int) -> Any:
        """Return the numbers of the steps to come, with a bar for people."""
        quiet = os.environ.get("DDL_PROGRESS") == "0" or not self.fabric.is_global_zero
        return tqdm(range(first, steps), label, initial=first, total=steps, disable=quiet)

    def _refuse_others(self, path: Path, before: dict[str, Any]) -> None:
        now = self.settings()
        if differ := [name for name in now if now[name] != before.get(name)]:
            was, here = (
                ", ".join(f"{name} {settings.get(name)!r}" for name in differ)
                for settings in (before, now)
            )
            raise RecipeError(
                f"{path} is of a run with {was}, this one has {here}; take a new --out"
            )


def _go_to(step: int, schedule: torch.optim.lr_scheduler.LRScheduler) -> None:
    """Bring a fresh schedule to a step: it depends on how often it was stepped alone."""
    with warnings.catch_warnings(action="ignore"):  # it steps before the optimizer
        for _ in range(step):
            schedule.step()


@checked
def connect(precision: Literal["float32", "bf16"]) -> Fabric:
    """Return the run's device and processes.

    Started plainly, a run is one process on one device. torchrun, or ``fabric run``, which
    calls it, says by environment variables how many there are, and on how many machines.
    """
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    machines = int(os.environ.get("WORLD_SIZE", "1")) // here
    if here * machines == 1:
        fabric = one_device(PRECISIONS[precision])
    else:
        fabric = Fabric(
            accelerator=device().type,
            devices=here,
            num_nodes=machines,
            precision=PRECISIONS[precision],
            plugins=[TorchElasticEnvironment()],
        )
    for name in [name for name in os.environ if name.startswith("LT_")]:
        del os.environ[name]  # what `fabric run` says is of this Fabric alone
    fabric.launch()
    return fabric


@checked
def thinned(losses: Sequence[float], most: int = 200) -> list[float]:
    """Return at most so many means over equal stretches of a curve; a short one as it is."""
    at_least_1(most=most)
    stretch = -(-len(losses) // most)
    parts = [losses[k : k + stretch] for k in range(0, len(losses), max(stretch, 1))]
    return [sum(part) / len(part) for part in parts]
