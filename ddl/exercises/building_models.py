"""Checks of the exercises on building models."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddl.exercises import NotYet, alike, check, expect, expect_tensor

DRAWINGS: tuple[tuple[dict[str, list[str]], str], ...] = (
    ({"x": [], "h": ["x"], "y": ["h"]}, "y"),
    ({"y": ["join"], "join": ["h", "x"], "h": ["x"], "x": []}, "y"),
    ({"y": ["b", "a"], "side": ["a"], "b": ["a"], "a": ["x"], "x": [], "unused": []}, "y"),
    ({"y": ["h"], "h": ["x", "z"], "x": [], "z": []}, "h"),
    ({"d": ["c", "b", "a"], "c": ["b", "a"], "b": ["a"], "a": []}, "d"),
    ({"x": []}, "x"),
)


@check
def needed(solution: Any) -> str:
    """Check the order of computing a drawing: ``needed(reads, output)``."""
    for reads, output in DRAWINGS:
        wanted, waiting = set(), [output]
        while waiting:
            name = waiting.pop()
            wanted.add(name)
            waiting += reads[name]
        answer = solution({name: list(read) for name, read in reads.items()}, output)
        expect(answer is not None and answer is not ..., "there is no answer. Replace the dots.")
        if not isinstance(answer, list):
            raise NotYet(f"expected a list, got {type(answer).__name__}.")
        expect(all(isinstance(name, str) for name in answer), "the list should hold names alone.")
        where = f"for {reads} and the output {output!r}"
        for name in answer:
            expect(name in wanted, f"{where} the output does not need {name!r}.")
            expect(answer.count(name) == 1, f"{where} {name!r} is there more than once.")
        missing = sorted(wanted - set(answer))
        expect(not missing, f"{where} the list lacks {missing}.")
        for place, name in enumerate(answer):
            late = [read for read in reads[name] if read not in answer[:place]]
            expect(not late, f"{where} {name!r} comes before {late}, which it reads.")
    return "each name stands after what it reads, and nothing is there in vain."


@check
def to_keras(solution: Any) -> str:
    """Check a kernel for Keras: ``to_keras(weight, channels)``."""
    generator = torch.Generator().manual_seed(0)
    for channels, height, width, units in ((3, 2, 5, 7), (2, 3, 3, 12), (1, 2, 3, 5)):
        linear = nn.Linear(channels * height * width, units, bias=False)
        with torch.no_grad():
            linear.weight.copy_(torch.randn(linear.weight.shape, generator=generator))
        weight = linear.weight.detach()
        expected = torch.empty(channels * height * width, units)
        for c in range(channels):
            for i in range(height):
                for j in range(width):
                    column = weight[:, (c * height + i) * width + j]
                    expected[(i * width + j) * channels + c] = column
        answer = solution(weight.clone(), channels)
        hint = ""
        if isinstance(answer, Tensor) and answer.shape == expected.shape:
            pixels = height * width
            others = {
                "This is the transpose: now the rows need Keras' order.": weight.T,
                "Name the axes of torch's order: units, channels, pixels.": weight.reshape(
                    units, pixels, channels
                ).permute(2, 1, 0),
                "Reshaping alone moves no number: permute the axes.": weight,
            }
            for words, other in others.items():
                if torch.equal(answer, other.reshape(expected.shape)):
                    hint = hint or words
        expect_tensor(answer, expected, hint=hint)
    return "Keras' maps meet the weights that torch's maps met."


@check
def same_conv(solution: Any) -> str:
    """Check Keras' ``padding="same"`` at a stride: ``same_conv(x, weight, stride)``."""
    generator = torch.Generator().manual_seed(0)
    sizes = ((8, 6, 3, 3, 2), (7, 8, 3, 2, 2), (11, 5, 5, 3, 1), (9, 10, 2, 5, 3), (7, 5, 1, 1, 2))
    for height, width, k_height, k_width, stride in sizes:
        x = torch.randn(2, 3, height, width, generator=generator)
        weight = torch.randn(5, 3, k_height, k_width, generator=generator)
        rows, above = _places(height, k_height, stride)
        columns, left = _places(width, k_width, stride)
        expected = torch.zeros(2, 5, rows, columns)
        for i in range(rows):
            for j in range(columns):
                top, start = i * stride - above, j * stride - left
                for a in range(k_height):
                    for b in range(k_width):
                        if 0 <= top + a < height and 0 <= start + b < width:
                            expected[:, :, i, j] += (
                                x[:, :, top + a, start + b] @ weight[:, :, a, b].T
                            )
        answer = solution(x.clone(), weight.clone(), stride)
        hint = ""
        if isinstance(answer, Tensor) and answer.shape == expected.shape:
            more = [
                (max((-(-n // stride) - 1) * stride + k - n, 0) + 1) // 2
                for n, k in ((height, k_height), (width, k_width))
            ]
            even = F.conv2d(x, weight, stride=stride, padding=(more[0], more[1]))
            if alike(answer, even[:, :, :rows, :columns], atol=1e-4):
                hint = "An odd zero belongs behind: right and bottom."
        hint = hint or f"It is wrong for {height}x{width} pixels, a {k_height}x{k_width} kernel"
        hint = hint if hint.endswith(".") else f"{hint} and stride {stride}."
        expect_tensor(answer, expected, hint=hint, atol=1e-4)
    return "the zeros lie where Keras puts them."


def _places(length: int, size: int, stride: int) -> tuple[int, int]:
    """Return Keras' output length and the zeros in front."""
    count = (length + stride - 1) // stride
    return count, max((count - 1) * stride + size - length, 0) // 2
