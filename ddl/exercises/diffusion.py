"""Checks of the exercises on diffusion."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ddl.exercises import alike, check, expect, expect_tensor


def _hint(answer: Any, mistakes: Mapping[str, Tensor]) -> str:
    """Return the words for the mistake that gives this answer."""
    if isinstance(answer, Tensor):
        for words, wrong in mistakes.items():
            if answer.shape == wrong.shape and alike(answer, wrong, atol=1e-5):
                return words
    return ""


@check
def jump(solution: Any) -> str:
    """Check the jump to a step: ``jump(x0, betas, t, noise)``."""
    generator = torch.Generator().manual_seed(0)
    for shape, steps, t in (((5,), 7, 3), ((3, 2), 5, 5), ((2, 3, 5), 11, 1), ((3,), 2, 0)):
        x0, noise = torch.randn(2, *shape, generator=generator)
        betas = 0.1 + 0.4 * torch.rand(steps, generator=generator)
        untouched = betas.clone()
        a = torch.ones(())
        for beta in betas[:t].tolist():
            a = a * (1 - beta)
        less, more = a / (1 - betas[t - 1]), a * (1 - betas[min(t, steps - 1)])
        alone = 1 - betas[t - 1]

        def mix(a: Tensor, x0: Tensor = x0, noise: Tensor = noise) -> Tensor:
            return a.sqrt() * x0 + (1 - a).clamp(min=0).sqrt() * noise

        mistakes = {
            "The factor of the noise is a standard deviation: take the root of the variance.": (
                a.sqrt() * x0 + (1 - a) * noise
            ),
            "The factor of the data has a root, too.": a * x0 + (1 - a).sqrt() * noise,
            "The factors are swapped.": (1 - a).sqrt() * x0 + a.sqrt() * noise,
            "This is the last step alone; all steps up to t count.": mix(alone),
            "One step is missing.": mix(less),
            "One step too many: betas[0] belongs to step 1.": mix(more),
            "Each step keeps 1 - beta of the variance, not beta.": mix(betas[:t].prod()),
        }
        answer = solution(x0, betas, t, noise)
        expect(torch.equal(betas, untouched), "betas should be left as they are.")
        hint = _hint(answer, mistakes) if t else "After no step the data are as they were."
        expect_tensor(answer, mix(a), hint=hint)
    return "any number of steps is one jump."


@check
def implied_noise(solution: Any) -> str:
    """Check the noise behind predicted data: ``implied_noise(x_t, x0, alpha_bar)``."""
    generator = torch.Generator().manual_seed(0)
    for shape, level in (((7,), 0.3), ((3, 2), 0.8), ((2, 3, 5), 0.05)):
        x0, expected = torch.randn(2, *shape, generator=generator)
        a = torch.tensor(level)
        x_t = a.sqrt() * x0 + (1 - a).sqrt() * expected
        mistakes = {
            "Divide by a standard deviation, not by a variance.": ((x_t - a.sqrt() * x0) / (1 - a)),
            "The data were shrunk by a root before the noise was added.": (
                (x_t - a * x0) / (1 - a).sqrt()
            ),
            "The data were shrunk before the noise was added.": (x_t - x0) / (1 - a).sqrt(),
            "The difference still has to be scaled: noise has variance 1.": x_t - a.sqrt() * x0,
            "The sign is turned around.": -expected,
        }
        answer = solution(x_t, x0, a)
        expect_tensor(answer, expected, hint=_hint(answer, mistakes), atol=1e-4)
    return "to predict the data is to predict the noise."


@check
def best_noise(solution: Any) -> str:
    """Check the prediction for one Gaussian: ``best_noise(x_t, alpha_bar, mean, std)``."""
    x_t = torch.linspace(-2, 2, 11)
    for level, mean, std in ((0.3, 1.5, 0.5), (0.9, -0.5, 2.0), (0.6, 0.0, 0.1)):
        a = torch.tensor(level)
        offset, variance = x_t - level**0.5 * mean, level * std**2 + 1 - level
        root = (1 - level) ** 0.5
        expected = root / variance * offset
        mistakes = {
            "This is the score; noise and score differ by a factor.": -offset / variance,
            "The sign is turned around: noise leads away from the data.": -expected,
            "The factor is a standard deviation, a root.": (1 - level) * offset / variance,
            "The hill's mean shrinks on the way to step t.": root / variance * (x_t - mean),
            "Divide by the variance of x_t, not by its standard deviation.": (
                root / variance**0.5 * offset
            ),
            "The variance of x_t holds the square of std.": (
                root / (level * std + 1 - level) * offset
            ),
            "The hill's own variance shrinks on the way to step t.": (
                root / (std**2 + 1 - level) * offset
            ),
            "The hill has a width of its own: this is right for std = 0.": offset / root,
        }
        answer = solution(x_t, a, mean, std)
        expect_tensor(answer, expected, hint=_hint(answer, mistakes))
    return "for one Gaussian the best prediction is a straight line."
