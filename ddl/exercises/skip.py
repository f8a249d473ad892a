"""Checks of the exercises on skip connections."""

from typing import Any

import torch
from torch import Tensor, nn

from ddl.exercises import alike, check, expect, expect_number, expect_tensor


@check
def carry(solution: Any) -> str:
    """Check an MLP with its input carried: ``carry(x, first, second, last)``."""
    generator = torch.Generator().manual_seed(0)
    for batch, features, width, outputs in (((2,), 3, 3, 5), ((5, 2), 4, 7, 3), ((), 3, 2, 1)):
        x = torch.randn(*batch, features, generator=generator)
        first, second = nn.Linear(features, width), nn.Linear(width, width)
        last = nn.Linear(width + features, outputs)
        with torch.no_grad():
            for layer in (first, second, last):
                for parameter in layer.parameters():
                    parameter.copy_(torch.randn(parameter.shape, generator=generator))
            h1 = torch.relu(first(x))
            z2 = second(h1)
            h2 = torch.relu(z2)
            expected = last(torch.cat([h2, x], dim=-1))
            answer = solution(x, first, second, last)
            hint = ""
            if isinstance(answer, Tensor) and answer.shape == expected.shape:
                others = {
                    "The last layer reads the hidden units first, then the input.": [x, h2],
                    "The input should arrive as it was, without a ReLU.": [h2, torch.relu(x)],
                    "There is a ReLU behind the second layer, too.": [z2, x],
                    "The input should be carried, not left out.": [h2, x * 0],
                }
                for words, parts in others.items():
                    if alike(answer, last(torch.cat(parts, dim=-1)), atol=1e-5):
                        hint = hint or words
            expect_tensor(answer, expected, hint=hint)
    return "the last layer sees the hidden units and the input as it came."


@check
def deepest(solution: Any) -> str:
    """Check the depth that a budget affords: ``deepest(channels, growth, budget)``."""

    def cost(channels: int, growth: int, layers: int) -> int:
        return sum((9 * (channels + k * growth) + 1) * growth for k in range(layers))

    for channels, growth, layers in ((3, 32, 5), (16, 12, 12), (1, 1, 3)):
        exact = cost(channels, growth, layers)
        for budget, expected in ((exact, layers), (exact - 1, layers - 1), (exact + 1, layers)):
            answer = solution(channels, growth, budget)
            where = f"for channels={channels}, growth={growth}, budget={budget}"
            if isinstance(answer, int) and not isinstance(answer, bool) and answer > expected:
                spent = cost(channels, growth, min(answer, 999))
                expect(False, f"{where} {answer} layers are too many: they need {spent:,}.")
            if isinstance(answer, int) and not isinstance(answer, bool) and answer >= 0:
                more = cost(channels, growth, answer + 1)
                expect(
                    answer == expected,
                    f"{where} {answer} layers are too few: one more would need {more:,}.",
                )
            expect_number(answer, expected, hint=f"It is wrong {where}.")
    expect_number(solution(3, 32, 5), 0, hint="A budget too small for one layer affords none.")
    return "each layer costs more than the one before."


@check
def untie(solution: Any) -> str:
    """Check the weights behind a concatenation: ``untie(weight, gain)``."""
    generator = torch.Generator().manual_seed(0)
    for outputs, features, gain in ((3, 5, -1.0), (7, 2, 1.0), (5, 5, 0.5)):
        weight = torch.randn(outputs, features, generator=generator)
        a, b = torch.randn(2, 11, features, generator=generator)
        answer = solution(weight, gain)
        expected = torch.cat([weight, gain * weight], dim=1)
        if isinstance(answer, Tensor) and answer.shape == expected.shape:
            columns = answer.detach().to(weight).T
            joined = torch.cat([a, b], dim=-1)
            alone = torch.cat([a, torch.zeros_like(b)], dim=-1)
            expect(
                torch.allclose(alone @ columns, a @ weight.T, atol=1e-4),
                "where b is zero, the layer should answer to a as it did before.",
            )
            expect(
                torch.allclose(joined @ columns, (a + gain * b) @ weight.T, atol=1e-4),
                f"a is weighed right, b is not: with gain={gain:g} it should count "
                f"{gain:g} times as much.",
            )
        expect_tensor(answer, expected)
    return "the two halves may differ: that is what concatenation buys."
