"""A training's state as one safetensors file: tensors, and JSON in its header. No pickles.

One file is replaced in one go, so that weights, optimizer and step never disagree.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ddl.image_diffusion import MovingAverage
from ddl.support.inputs import checked


@checked
def pack(
    model: nn.Module, optimizer: torch.optim.Optimizer, average: MovingAverage | None
) -> dict[str, Tensor]:
    """Return all that training changes, each tensor under a name that says what it is."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    if average:
        tensors |= {f"average.{k}": value for k, value in average.model.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {
            f"optimizer.{number}.{k}": torch.as_tensor(value)
            for k, value in state.items()
            if value is not None
        }
    return tensors


@checked
def unpack(
    tensors: dict[str, Tensor],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: MovingAverage | None,
) -> None:
    """Put back what `pack` returned; learning rates are the schedule's and not touched.

    Raises:
        ValueError: If the tensors are those of another model, optimizer or average.
    """

    def part(name: str) -> dict[str, Tensor]:
        start = f"{name}."
        return {k.removeprefix(start): t for k, t in tensors.items() if k.startswith(start)}

    try:
        model.load_state_dict(part("model"))
        if average:
            average.model.load_state_dict(part("average"))
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in part("optimizer").items():
            number, key = name.split(".")
            state.setdefault(int(number), {})[key] = tensor
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"tensors must be what pack returned of these: {error}") from error


@checked
def write(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Write a file beside its place and move it there when it is whole.

    Raises:
        ValueError: If JSON cannot hold ``about``.
    """
    try:
        metadata = {"about": json.dumps(about)}
    except (TypeError, ValueError) as error:
        raise ValueError(f"about must be what JSON can hold: {error}") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    # Copies: safetensors takes no tensors that share memory, as a buffer of two modules does.
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    save_file(plain, unfinished, metadata=metadata)
    os.replace(unfinished, path)


@checked
def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the description that `write` was given.

    Raises:
        ValueError: If the file is not one that `write` wrote.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()["about"])
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118
    except (SafetensorError, TypeError, KeyError) as error:
        raise ValueError(f"path must be a checkpoint, got {path}: {error}") from error
