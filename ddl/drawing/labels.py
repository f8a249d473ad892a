"""What a layer or an operation is called in a drawing: its kind, and its sizes."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

LAYERS = {
    "Linear": "linear", "Bilinear": "bilinear", "Embedding": "embedding",
    "Conv1d": "conv", "Conv2d": "conv", "Conv3d": "conv",
    "ConvTranspose1d": "transposed conv", "ConvTranspose2d": "transposed conv",
    "BatchNorm1d": "batch norm", "BatchNorm2d": "batch norm", "LayerNorm": "layer norm",
    "GroupNorm": "group norm", "MaxPool2d": "max pool", "AvgPool2d": "average pool",
    "AdaptiveAvgPool2d": "average pool", "Sigmoid": "sigmoid", "Tanh": "tanh",
    "Softmax": "softmax", "Softplus": "softplus", "Flatten": "flatten", "Unflatten": "unflatten",
    "Upsample": "upsample",
}  # fmt: skip
OPERATIONS = {
    "relu": "ReLU", "silu": "SiLU", "gelu": "GELU", "leaky_relu": "leaky ReLU",
    "max_pool2d": "max pool", "avg_pool2d": "average pool", "interpolate": "resize",
    "getitem": "slice", "chunk": "split", "unbind": "split", "neg": "× −1",
}  # fmt: skip
ACTIVATIONS = {"ReLU", "SiLU", "GELU", "LeakyReLU", "leaky ReLU", "sigmoid", "tanh", "softmax"}
SIGNS = {
    "rsub": "−",
    "rdiv": "÷",
    "rpow": "^",
    "add": "+",
    "sub": "−",
    "mul": "×",
    "div": "÷",
    "pow": "^",
    "cat": "cat",
    "stack": "stack",
}
JOINS = {"+": "plus", "−": "minus", "×": "times", "÷": "over", "cat": "concatenation"}
ALIASES = {
    "truediv": "div", "true_divide": "div", "multiply": "mul", "divide": "div", "subtract": "sub",
    "iadd": "add", "isub": "sub", "imul": "mul", "rmul": "mul", "radd": "add",
    "rtruediv": "rdiv", "concat": "cat", "concatenate": "cat", "bmm": "matmul",
}  # fmt: skip
# Operations that move numbers and change none.
MOVES = {
    "flatten", "unflatten", "view", "reshape", "transpose", "permute", "movedim", "squeeze",
    "unsqueeze", "expand", "expand_as", "contiguous", "mT", "T", "to", "float", "double",
}  # fmt: skip
# How many of the tensors an operation reads; of the others it takes shape and number type only.
SHAPED_LIKE = {
    "new_zeros": 0, "new_ones": 0, "new_full": 0, "new_tensor": 0, "new_empty": 0,
    "zeros_like": 0, "ones_like": 0, "full_like": 0, "empty_like": 0, "rand_like": 0,
    "randn_like": 0, "expand_as": 1, "view_as": 1, "reshape_as": 1, "type_as": 1,
}  # fmt: skip
NOISE = {"rand", "randn", "rand_like", "randn_like", "bernoulli", "normal"}
BESIDE = {"cat", "stack", "pad"}


def operation(function: Any) -> str:
    """Return the short name of a function of torch: ``add`` for ``Tensor.__iadd__``."""
    name: str = function.__name__
    if name == "__get__":  # a property
        name = function.__self__.__name__
    name = name.strip("_")
    return ALIASES.get(name, name)


def of_call(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[tuple[str, ...], str]:
    """Return the lines and the kind of box of an operation's call."""
    operands = args[0] if name in BESIDE and isinstance(args[0], Sequence) else args[:2]
    if name in SIGNS and all(isinstance(each, Tensor) for each in operands):
        return (SIGNS[name],), "join"
    if name in SIGNS and len(operands) == 2:
        operands = operands[::-1] if name.startswith("r") else operands
        left, right = ("" if isinstance(o, Tensor) else f"{o:.4g} " for o in operands)
        return (f"{left}{SIGNS[name]} {right}".strip(),), "layer"
    text = OPERATIONS.get(name, name.replace("_", " "))
    settings = dict(enumerate(args)) | kwargs
    if "pool" in name:
        text += f" {_size(settings.get(1, settings.get('kernel_size')), 2)}"
    if scale := settings.get("scale_factor"):
        text += f" ×{scale:g}" if isinstance(scale, int | float) else ""
    return (text,), "move" if name in MOVES else "layer"


def of_module(module: nn.Module, path: str) -> tuple[str, ...]:
    """Return the lines of a module's box: its kind and kernel, then its sizes and stride."""
    kind = type(module).__name__
    if type(module) is nn.Sequential:
        return (path.replace(".", " "),)
    lines, known = [LAYERS.get(kind, kind)], vars(module)
    if "kernel_size" in known:
        lines[0] += f" {_size(known['kernel_size'], 1 if kind.endswith('1d') else 2)}"
    for given, returned in (
        ("in_features", "out_features"),
        ("in_channels", "out_channels"),
        ("num_embeddings", "embedding_dim"),
    ):
        if given in known and returned in known:
            lines.append(f"{known[given]} → {known[returned]}")
    stride = known.get("stride")
    if "in_channels" in known and stride and set(_each(stride)) != {1}:
        lines[-1] += f", stride {_each(stride)[0]}"
    return tuple(lines)


def _each(size: Any) -> tuple[Any, ...]:
    return tuple(size) if isinstance(size, Sequence) else (size,)


def _size(size: Any, axes: int) -> str:
    sizes = _each(size)
    return "×".join(map(str, sizes * axes if len(sizes) == 1 else sizes))
