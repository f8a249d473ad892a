"""Checks of the exercises on residual connections."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ddl.exercises import alike, check, expect, expect_number, expect_tensor


@check
def block(solution: Any) -> str:
    """Check a residual block by hand: ``block(x, conv1, norm1, conv2, norm2)``."""
    generator = torch.Generator().manual_seed(0)
    for batch, channels, height, width in ((5, 2, 7, 3), (3, 4, 2, 5)):
        x = torch.randn(batch, channels, height, width, generator=generator)
        layers: list[nn.Module] = []
        for _ in range(2):
            layers.append(nn.Conv2d(channels, channels, 3, padding=1, bias=False))
            layers.append(nn.BatchNorm2d(channels))
        with torch.no_grad():
            for layer in layers:
                for parameter in layer.parameters():
                    parameter.copy_(torch.randn(parameter.shape, generator=generator))
            conv1, norm1, conv2, norm2 = layers
            answer = solution(x, *layers)
            h = norm1(conv1(x))
            f = norm2(conv2(torch.relu(h)))
            expected = torch.relu(f + x)
            hint = ""
            if isinstance(answer, Tensor) and answer.shape == expected.shape:
                others = {
                    "The input should be added.": torch.relu(f),
                    "There is a ReLU behind the sum, too.": f + x,
                    "The sum comes before the last ReLU, not behind it.": torch.relu(f) + x,
                    "There is a ReLU between the two convolutions.": torch.relu(
                        norm2(conv2(h)) + x
                    ),
                    "The second batch norm comes before the sum.": torch.relu(
                        norm2(conv2(torch.relu(h)) + x)
                    ),
                    "Add the input as it came, not what the first half returns.": torch.relu(
                        f + torch.relu(h)
                    ),
                    "The input is added, not subtracted.": torch.relu(f - x),
                }
                for words, other in others.items():
                    if alike(answer, other, atol=1e-5):
                        hint = hint or words
            expect_tensor(answer, expected, hint=hint, atol=1e-4)
    return "the input is added before the last ReLU."


@check
def shortcut(solution: Any) -> str:
    """Check a shortcut without weights: ``shortcut(x, out_channels, stride)``."""
    generator = torch.Generator().manual_seed(0)
    cases = (((2, 3, 5, 7), 5, 2), ((3, 2, 7, 4), 2, 1), ((2, 1, 8, 5), 4, 3))
    for shape, out_channels, stride in cases:
        x = torch.randn(shape, generator=generator)
        before = x.clone()
        answer = solution(x, out_channels, stride)
        batch, channels, height, width = shape
        rows, columns = -(-height // stride), -(-width // stride)
        expected = torch.zeros(batch, out_channels, rows, columns)
        for row in range(rows):
            for column in range(columns):
                expected[:, :channels, row, column] = before[:, :, row * stride, column * stride]
        expect(torch.equal(x, before), "x should stay as it is.")
        where = f"(out_channels={out_channels}, stride={stride})"
        if isinstance(answer, Tensor) and answer.shape == expected.shape:
            swapped = expected.roll(out_channels - channels, dims=1)
            expect(
                out_channels == channels or not alike(answer, swapped),
                f"the zeros come behind the input's channels {where}.",
            )
            expect(
                bool((answer[:, channels:] == 0).all()),
                f"the appended channels should be zeros {where}.",
            )
        expect_tensor(
            answer, expected, hint=f"Keep rows and columns 0, stride, 2 stride, ... {where}"
        )
    return "it fits, and there is nothing to learn."


@check
def bias(solution: Any) -> str:
    """Check the bias of highway gates: ``bias(share, layers)``."""
    for share, layers in ((0.5, 1), (0.9, 50), (0.25, 10), (0.01, 3)):
        answer = solution(share, layers)
        where = f"for share={share:g}, layers={layers}"
        if isinstance(answer, Tensor) and answer.numel() == 1:
            answer = answer.item()
        hint = f"It is wrong {where}."
        if isinstance(answer, int | float) and not isinstance(answer, bool):
            each = share ** (1 / layers)
            exact = math.log((1 - each) / each)
            if abs(answer) < 700:
                passed = (1 / (1 + math.exp(answer))) ** layers
                hint = f"With this bias a share of {passed:.3g} passes {where}."
            if layers > 1 and abs(answer + exact) < 1e-3:
                hint += " A closed gate has a negative bias: mind the sign."
            elif layers > 1 and abs(answer - math.log((1 - share) / share)) < 1e-3:
                hint += " That would be right for one layer."
            expect_number(answer, exact, tolerance=1e-3, hint=hint)
        expect_number(answer, 0.0, tolerance=math.inf)
    return "the deeper the net, the further its gates must be closed."
