"""Checks of the exercises on gates."""

from typing import Any

import torch
from torch import Tensor, nn

from ddl.exercises import alike, check, expect, expect_number, expect_tensor


@check
def bump(solution: Any) -> str:
    """Check a bump made of two logistic units: ``bump(x, left, right, steepness)``."""
    x = torch.linspace(-6, 6, 61, dtype=torch.float64)
    for left, right, steepness in ((-1.0, 2.0, 8.0), (-3.5, -0.5, 3.0), (0.5, 4.0, 12.0)):
        answer = solution(x, left, right, steepness)
        where = f"for left={left}, right={right}, steepness={steepness}"
        expected = torch.sigmoid(steepness * (x - left)) - torch.sigmoid(steepness * (x - right))
        if isinstance(answer, Tensor) and answer.shape == x.shape:
            middle = answer[((x - (left + right) / 2).abs()).argmin()].item()
            far_left, far_right = answer[0].item(), answer[-1].item()
            expect(
                abs(far_left) < 0.01,
                f"{where} the far left should be near 0, got {far_left:.2f}.",
            )
            expect(
                middle > 0,
                f"{where} the middle should be up, it is at {middle:.2f}: the bump is upside down.",
            )
            expect(
                abs(far_right) < 0.01,
                f"{where} the far right should be near 0, got {far_right:.2f}: what goes up "
                "must come down.",
            )
        hint = "Add or subtract two units, each half on at its own edge."
        expect_tensor(answer, expected, hint=hint)
    return "two logistic units, one up and one down, make a bump."


@check
def relu_gate(solution: Any) -> str:
    """Check a gate made of ReLUs: ``relu_gate(x1, x2, steepness)`` for x in [-1, 1]."""
    generator = torch.Generator().manual_seed(0)
    for steepness in (10.0, 35.0):
        x1, x2 = (2 * torch.rand(2, 997, dtype=torch.float64, generator=generator) - 1).unbind()
        x1, x2 = x1[x1.abs() > 1 / steepness], x2[x1.abs() > 1 / steepness]
        answer = solution(x1, x2, steepness)
        expected = x2 * (x1 > 0)
        if isinstance(answer, Tensor) and answer.shape == x1.shape:
            closed, opened = x1 < 0, x1 > 0
            leak = answer[closed].abs().max().item()
            expect(
                leak < 1e-6,
                f"the gate is open where it should be closed: at steepness {steepness:g}, "
                f"up to {leak:.2g} comes through where x1 < -1/steepness.",
            )
            off = (answer - x2)[opened].abs().max().item()
            expect(
                off < 1e-6,
                f"where x1 > 1/steepness, x2 should come through unchanged; at steepness "
                f"{steepness:g} it is off by up to {off:.2g}.",
            )
        expect_tensor(answer, expected)
    line = torch.linspace(-0.03, 0.03, 7, dtype=torch.float64)
    answer = solution(line, torch.full_like(line, 0.5), 10.0)
    jump = (answer[1:] - answer[:-1]).abs().max().item()
    expect(
        jump < 0.2,
        "the output jumps at x1 = 0. A sum of ReLUs is continuous: use torch.relu, no comparison.",
    )
    line = torch.linspace(-1, 1, 4001, dtype=torch.float64)
    bends = (solution(line, line, 10.0).diff().diff().abs() > 1e-9).sum().item()
    expect(
        bends <= 4,  # two ReLUs bend once each, between two points or at one
        "it is curved around x1 = 0, which no sum of two ReLUs is: do not multiply by x2.",
    )
    return "a sum of two ReLUs gates, outside a band around x1 = 0."


@check
def highway_by_hand(solution: Any) -> str:
    """Check a highway layer: ``highway(x, transform, gate)`` with two linear layers."""
    generator = torch.Generator().manual_seed(0)
    for rows, features, bias in ((4, 3, 0.0), (5, 7, -1.0), (2, 3, -40.0), (2, 3, 40.0)):
        x = torch.randn(rows, features, generator=generator)
        transform, gate = nn.Linear(features, features), nn.Linear(features, features)
        with torch.no_grad():
            for parameter in (*transform.parameters(), *gate.parameters()):
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
            gate.bias.add_(bias)
            h, t = torch.relu(transform(x)), torch.sigmoid(gate(x))
            answer = solution(x, transform, gate)
        hint = ""
        if bias == 0 and isinstance(answer, Tensor) and answer.shape == x.shape:
            if alike(answer, t * x + (1 - t) * h, atol=1e-5):
                hint = "The gate is open where it should be closed: T weighs H(x), not x."
            elif alike(answer, t * h, atol=1e-5):
                hint = "Where the gate closes, the input should be carried."
            elif alike(answer, h + x, atol=1e-5):
                hint = "Nothing here depends on the gate."
            elif alike(answer, t * transform(x) + (1 - t) * x, atol=1e-5):
                hint = "H(x) is a ReLU of the linear layer."
        expect_tensor(answer, t * h + (1 - t) * x, hint=hint)
    return "open, the layer transforms; closed, it carries its input."


@check
def memory_for(solution: Any) -> str:
    """Check the memory that an LSTM needs: ``memory_for(steps, share)``."""
    for steps, share in ((1, 0.5), (50, 0.5), (200, 0.9), (7, 0.1)):
        expected = 1 / (1 - share ** (1 / steps))
        answer = solution(steps, share)
        expect_number(
            answer,
            expected,
            tolerance=1e-3 * expected,
            hint=f"After steps={steps} with a forget gate of 1 - 1/memory, "
            f"a share of {share} of the gradient should be left.",
        )
    return "a forget gate must be nearly open to remember for long."
