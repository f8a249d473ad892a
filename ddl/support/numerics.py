"""What numbers of sixteen bits and GPUs ask of a formula: room for its terms, and no waiting."""

import math

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Return float16 and bfloat16 as float32, and all else as it is.

    bfloat16 keeps 8 binary digits, so that 1 - 0.9999 is 0; float16 ends at 65,504. A sum, a
    difference, an exponential or a logarithm is therefore computed in float32 and its result
    rounded, if at all.
    """
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def near_1(x: Tensor) -> Tensor:
    """Return numbers times the power of two that brings the largest of them near 1.

    Their squares then neither vanish nor overflow, and ratios keep every digit.
    """
    _, exponent = math.frexp(x.abs().max().item())
    _, smallest = math.frexp(torch.finfo(x.dtype).tiny)
    return x * 2.0 ** -max(exponent, smallest)


def readable(*tensors: Tensor) -> bool:
    """Return whether the values of tensors can be looked at for nothing: they lie on the CPU.

    A question about values on a GPU (is any label too large?) makes the CPU wait until the GPU
    has computed all that came before, and breaks the graph of `torch.compile`. So values are
    checked where they are drawn or loaded, and shapes everywhere. While a graph is traced, by
    `torch.compile` or `torch.fx`, there are no values.
    """
    known = not torch.compiler.is_compiling() and all(isinstance(x, Tensor) for x in tensors)
    return known and all(x.device.type == "cpu" for x in tensors)
