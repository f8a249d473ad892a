"""Figures that live in the reader's browser: what a page hands to the site.

`interactive` names a figure, its numbers and the models that the page has just
trained. The models travel as ONNX in the output of the cell, so that they reach
the site like any picture; `web/static/interactive/NAME.js` draws the figure.
"""

import base64
import copy
import importlib.util
import logging
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ddl.claims import show
from ddl.support.inputs import checked

INTERACTIVE_MIME = "application/vnd.ddl.interactive+json"
LARGEST = 2**20  # bytes of one model: a quarter of a million weights, as the lecture's largest


@checked
def interactive(
    name: str,
    *,
    data: Mapping[str, Any] | None = None,
    models: Mapping[str, tuple[Callable[..., Tensor], Sequence[Tensor]]] | None = None,
) -> None:
    """Offer an interactive figure below the still one that the cell draws.

    In a notebook the still figure is all there is. Where the package ``onnx`` is
    missing, as on Colab, the models are left out.

    Args:
        name: The figure: the site runs ``interactive/NAME.js``.
        data: Numbers, texts and lists for it; tensors become lists of numbers.
        models: For each name a trained model, or a method of one, and example
            inputs. Their sizes are those of the exported model; the examples and
            what the model makes of them travel along, so that tests can compare.

    Raises:
        ValueError: If a model is larger than 2^20 bytes, a mebibyte, or no model; if the
            name is no name of a file, or ``data`` holds what JSON cannot.

    Example:
        >>> interactive("vae", models={"decoder": (vae.decode, [torch.zeros(1, 2)])})
    """
    if not re.fullmatch(r"\w+", name):
        raise ValueError(f"name must be letters, digits and _, got {name!r}")
    payload: dict[str, Any] = {"name": name, "data": _plain(dict(data or {})), "models": {}}
    if importlib.util.find_spec("onnx") and importlib.util.find_spec("onnxscript"):
        for key, (model, example) in (models or {}).items():
            payload["models"][key] = _exported(key, model, example)
    html = (
        f'<div class="ddl-interactive" data-interactive="{name}">'
        "<p>On the book's site, with scripts, this figure is interactive.</p></div>"
    )
    show(f"Interactive figure: {name}", {"text/html": html, INTERACTIVE_MIME: payload})


class _Method(nn.Module):
    """A method of a model, as a model."""

    def __init__(self, method: Any) -> None:
        super().__init__()
        self.owner, self.name = method.__self__, method.__name__

    def forward(self, *inputs: Tensor) -> Tensor:
        return getattr(self.owner, self.name)(*inputs)


def _still(model: Callable[..., Tensor], name: str) -> nn.Module:
    """Return a copy of a model on the CPU, as it is when it is used."""
    if not isinstance(getattr(model, "__self__", model), nn.Module):
        raise ValueError(f"{name} must be a model or a method of one, got {model!r}")
    module = model if isinstance(model, nn.Module) else _Method(model)
    return copy.deepcopy(module).cpu().eval()


@checked
def to_onnx(model: Callable[..., Tensor], example: Sequence[Tensor]) -> bytes:
    """Return a model as ONNX, for inputs of the sizes of ``example``.

    Inputs are called ``input0``, ``input1``, ...; the output is ``output``.
    The model itself is left as it is, and where it is. What the exporter notes of where
    in the code each part came from, paths on this machine among it, is left out.

    Raises:
        ValueError: If the model is neither an ``nn.Module`` nor a method of one.
    """
    still = _still(model, "model")
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")  # about torch's own deprecations
        program = torch.onnx.export(
            still,
            tuple(tensor.detach().cpu() for tensor in example),
            input_names=[f"input{k}" for k in range(len(example))],
            output_names=["output"],
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    graph = proto.graph
    tensors = (*graph.input, *graph.output, *graph.initializer, *graph.value_info)
    for part in (proto, graph, *graph.node, *tensors):
        part.ClearField("metadata_props")
    return proto.SerializeToString()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what torch says of packages that it could use."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        yield
    finally:
        logging.disable(before)


def _exported(key: str, model: Callable[..., Tensor], example: Sequence[Tensor]) -> dict[str, Any]:
    still = _still(model, f"models[{key!r}]")
    inputs = [tensor.detach().cpu() for tensor in example]
    with torch.no_grad():
        output = still(*inputs)
    if not isinstance(output, Tensor):
        raise ValueError(f"models[{key!r}] must return one tensor, got {type(output).__name__}")
    content = to_onnx(model, example)
    if len(content) > LARGEST:
        raise ValueError(f"models[{key!r}] must be at most {LARGEST:,} bytes, got {len(content):,}")
    return {
        "onnx": base64.b64encode(content).decode(),
        "inputs": [_array(tensor) for tensor in inputs],
        "output": _array(output),
    }


def _array(tensor: Tensor) -> dict[str, Any]:
    """Return a tensor as its sizes and its numbers in a row."""
    return {"shape": list(tensor.shape), "values": tensor.flatten().tolist()}


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it, tensors rounded to five digits."""
    if isinstance(value, Tensor):
        return _plain(value.detach().cpu().tolist())
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"data must hold finite numbers, got {value}")
        return float(f"{value:.5g}")
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is not None and not isinstance(value, str | int):
        raise ValueError(f"data must hold numbers, texts, lists and tensors, got {value!r}")
    return value
