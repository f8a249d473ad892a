"""The training loop that every page shares, once it has been written out by hand.

`fit` is the loop of the first chapter that trains: for each batch compute the
loss, its gradient, and take a step. Lightning Fabric adds what does not change
the idea: the device and the precision. One process trains on one device; the recipes
(``ddl.recipes``) divide their batches among several.
"""

import os
from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.strategies.single_device import SingleDeviceStrategy
from torch import Tensor, nn
from tqdm.auto import tqdm

from ddl.support.inputs import at_least_1, checked, positive
from ddl.support.settings import device

Precision = Literal["32-true", "bf16-mixed"]


@runtime_checkable
class BatchSource(Iterable[Any], Sized, Protocol):
    """What `fit` draws its batches from: each pass over it is an epoch."""


@checked
@dataclass
class History:
    """Losses as training saw them."""

    steps: list[float] = field(default_factory=list)  # of each batch
    epochs: list[float] = field(default_factory=list)  # mean over each epoch


@checked
def one_device(precision: Precision = "32-true") -> Fabric:
    """Return a Fabric of this process alone, on `ddl.device`.

    Fabric's own choice would ask more than that: it prefers MPS and TPUs to what `ddl.device`
    says, and takes what SLURM, torchrun, MPI or ``fabric run`` left in the environment of a
    notebook for an order to divide the work among processes that nobody started.

    Args:
        precision: ``"bf16-mixed"`` computes products in bfloat16.
    """
    orders = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("LT_")}
    try:
        place = device()
        if place.type == "cuda":  # the one on which ``tensor.to("cuda")`` puts the batches
            place = torch.device("cuda", torch.cuda.current_device())
        return Fabric(
            accelerator=place.type,
            strategy=SingleDeviceStrategy(place),
            devices=1,
            plugins=[LightningEnvironment()],
            precision=precision,
        )
    finally:
        os.environ.update(orders)


@checked
def fit(
    model: nn.Module,
    loss: Callable[[nn.Module, Any], Tensor],
    batches: BatchSource,
    *,
    epochs: int,
    learning_rate: float = 1e-3,
    optimizer: torch.optim.Optimizer | None = None,
    fabric: Fabric | None = None,
) -> History:
    """Train a model in place and return its losses.

    Args:
        model: The model; after training it lies on the device of ``fabric``.
        loss: Maps the model and a batch to a scalar with a gradient.
        batches: Yields the batches of one epoch each time it is iterated over.
        epochs: Passes over ``batches``.
        learning_rate: Step size of Adam; ignored where ``optimizer`` is given.
        optimizer: Any optimizer over the model's parameters.
        fabric: Device and precision; by default `one_device`.

    Raises:
        ValueError: If ``epochs`` is below 1, ``learning_rate`` is not positive,
            ``batches`` is empty, ``model`` has nothing to learn, ``optimizer`` is
            another model's, ``fabric`` has several processes, or ``loss`` returns
            anything else.
        FloatingPointError: If the loss is no longer finite.

    Example:
        >>> fit(model, lambda net, batch: mse(net(batch[0]), batch[1]), batches, epochs=5)
    """
    at_least_1(epochs=epochs)
    positive(learning_rate=learning_rate)
    if isinstance(batches, str):
        raise ValueError("batches must be an iterable of batches, got a string")
    if len(batches) == 0:
        raise ValueError("batches must not be empty")
    _check_learns(model, optimizer)
    fabric = fabric or one_device()
    if fabric.world_size > 1:
        raise ValueError(f"fabric must have one process, got {fabric.world_size}")
    if optimizer is None:
        optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    lay_channels_together(model)
    wrapped, stepper = fabric.setup(model, optimizer)
    wrapped.train()
    history = History()
    # A bar for people; DDL_PROGRESS=0 keeps it out of stored and compared output.
    quiet = os.environ.get("DDL_PROGRESS") == "0"
    for epoch in (bar := tqdm(range(1, epochs + 1), unit="epoch", leave=False, disable=quiet)):
        losses = []
        for batch in batches:
            stepper.zero_grad()
            value = loss(wrapped, batch)
            if not losses:
                _check_loss(value)
            fabric.backward(value)
            stepper.step()
            losses.append(value.detach())
        steps = torch.stack(losses).tolist()  # one transfer an epoch: a GPU is not kept waiting
        history.steps += steps
        history.epochs.append(sum(steps) / len(steps))
        bar.set_postfix(loss=f"{history.epochs[-1]:.4f}")
        if not torch.tensor(steps).isfinite().all():
            raise FloatingPointError(f"the loss is not finite in epoch {epoch}: {steps}")
    model.eval()
    return history


def _check_learns(model: nn.Module, optimizer: torch.optim.Optimizer | None) -> None:
    learnt = [p for p in model.parameters() if p.requires_grad]
    if not learnt:
        raise ValueError("model must have parameters that require a gradient, got none")
    groups = optimizer.param_groups if optimizer else [{"params": learnt}]
    stepped = {id(p) for group in groups for p in group["params"]}
    if not any(id(p) in stepped for p in learnt):
        raise ValueError("optimizer must be over the model's parameters, got another model's")


def _check_loss(value: Any) -> None:
    if not isinstance(value, Tensor):
        raise ValueError(f"loss must return a tensor, got {value!r}")
    if value.ndim or not value.requires_grad:
        kind = f"the shape {tuple(value.shape)}" if value.ndim else "one without"
        raise ValueError(f"loss must return a scalar with a gradient, got {kind}")


@checked
def lay_channels_together(model: nn.Module) -> None:
    """Lay the channels of 2-D kernels side by side in memory: the same numbers in less time.

    What such a kernel computes has its layout, so the whole net follows.
    """
    for parameter in model.parameters():
        if parameter.ndim == 4:  # not .contiguous(): one channel passes for either layout
            parameter.data = parameter.data.to(memory_format=torch.channels_last)


@checked
def parameter_count(model: nn.Module) -> int:
    """Return how many numbers a model learns; a shared parameter counts once."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
