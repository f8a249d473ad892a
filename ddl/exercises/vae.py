"""Checks of the exercises on variational autoencoders."""

import math
from typing import Any

import torch
from torch import Tensor

from ddl.exercises import alike, check, expect, expect_number, expect_tensor


@check
def kl_of_spread(solution: Any) -> str:
    """Check the KL of an encoder with a standard-deviation head: ``kl_of_spread(mean, std)``."""
    generator = torch.Generator().manual_seed(0)
    for batch, latent in ((5, 3), (2, 7), (1, 1)):
        mean = torch.randn(batch, latent, generator=generator)
        std = 0.2 + 1.5 * torch.rand(batch, latent, generator=generator)

        def kl(log_variance: Tensor, mean: Tensor = mean) -> Tensor:
            return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)

        terms = kl(2 * std.log())
        answer = solution(mean.clone(), std.clone())
        hint = ""
        if isinstance(answer, Tensor) and answer.shape == (batch, latent):
            expect(False, "one number for each input, please: add up the latents.")
        if isinstance(answer, Tensor) and answer.shape == () and batch > 1:
            expect(False, "keep the inputs apart: add up along the last axis only.")
        if isinstance(answer, Tensor) and answer.shape == (batch,):
            others = {
                "The second argument is sigma, not its square.": kl(std.log()).sum(-1),
                "The second argument is sigma, not the logarithm of its square.": kl(std).sum(-1),
                "Nats add up over independent latents; a mean hides how many there are.": (
                    terms.mean(-1)
                ),
                "A divergence is never negative: look at the sign.": -terms.sum(-1),
                "A factor of two is off.": 2 * terms.sum(-1),
                "The KL is zero for mean 0 and sigma 1; yours is not.": (terms + 0.5).sum(-1),
            }
            for words, wrong in others.items():
                if alike(answer, wrong, atol=1e-5):
                    hint = hint or words
        expect_tensor(answer, terms.sum(-1), hint=hint)
    narrow = solution(torch.zeros(1, 1), torch.full((1, 1), 1e-30))
    if not math.isfinite(float(narrow)):
        expect(False, "with sigma = 1e-30 the square is zero in float32: take the log of sigma.")
    expect(
        abs(float(narrow) - (30 * math.log(10) - 0.5)) < 0.01,
        "with sigma = 1e-30 it is wrong: take the log of sigma itself, and add nothing to it.",
    )
    return "nats, summed over the latents, one number for each input."


@check
def hidden_beta(solution: Any) -> str:
    """Check the beta behind two reductions: ``hidden_beta(pixels, latents, pixel, latent)``."""
    cases = [
        (784, 20, "sum", "sum"),
        (784, 20, "mean", "sum"),
        (784, 20, "sum", "mean"),
        (784, 20, "mean", "mean"),
        (9, 2, "mean", "mean"),
    ]
    for pixels, latents, pixel, latent in cases:
        factor = (pixels if pixel == "mean" else 1.0) / (latents if latent == "mean" else 1.0)
        answer = solution(pixels, latents, pixel, latent)
        where = f"It is wrong for {pixel} over {pixels} pixels and {latent} over {latents} latents."
        if isinstance(answer, int | float) and factor != 1 and abs(answer - 1 / factor) < 1e-9:
            where = "That is one over it: a small first term makes the second one heavy."
        expect_number(answer, factor, hint=where, tolerance=1e-6 * factor)
    return "what is averaged in one term weighs more in the other."


@check
def tight_bound(solution: Any) -> str:
    """Check the bound from the logarithms of k weights: ``tight_bound(log_weights)``."""
    generator = torch.Generator().manual_seed(0)
    for draws, batch, level in ((5, 3, 0.0), (1, 2, 0.0), (50, 7, 0.0), (5, 3, -500.0)):
        log_weights = level + 2 * torch.randn(draws, batch, generator=generator)
        expected = log_weights.logsumexp(0) - math.log(draws)
        answer = solution(log_weights.clone())
        hint = ""
        if isinstance(answer, Tensor) and answer.shape == (draws,) != (batch,):
            expect(False, "average over the draws, the first axis, not over the images.")
        if isinstance(answer, Tensor) and answer.shape == expected.shape:
            if not answer.isfinite().all():
                hint = "exp(-500) is zero in float32: torch.logsumexp stays finite."
            elif alike(answer, log_weights.logsumexp(0), atol=1e-4):
                hint = "That is the log of the sum. The bound is the log of the mean."
            elif alike(answer, log_weights.mean(0), atol=1e-4):
                hint = "That is the mean of the logs, which is the ELBO again."
            elif alike(answer, log_weights.amax(0), atol=1e-4):
                hint = "The best draw alone says too much: take the mean of the weights."
        expect_tensor(answer, expected, hint=hint, atol=1e-4)
    return "the log of the mean is at least the mean of the logs, and closer to log p(x)."
