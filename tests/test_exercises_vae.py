"""Wrong answers of several kinds get the message that helps."""

import math

import torch
from exercises import both_ways
from torch import Tensor

from ddl.exercises import vae as check


def right_kl(mean: Tensor, std: Tensor) -> Tensor:
    return (mean.square() / 2 + std.square() / 2 - 0.5 - std.log()).sum(-1)


def right_beta(pixels: int, latents: int, pixel: str, latent: str) -> float:
    return (pixels if pixel == "mean" else 1) / (latents if latent == "mean" else 1)


def right_bound(log_weights: Tensor) -> Tensor:
    return torch.logsumexp(log_weights, dim=0) - math.log(len(log_weights))


RIGHT = [
    (check.kl_of_spread, right_kl),
    (check.hidden_beta, right_beta),
    (check.tight_bound, right_bound),
]


def terms(mean: Tensor, log_variance: Tensor) -> Tensor:
    return (mean.square() + log_variance.exp() - 1 - log_variance) / 2


WRONG = [
    (check.kl_of_spread, lambda m, s: terms(m, s.log()).sum(-1), "sigma, not its square"),
    (check.kl_of_spread, lambda m, s: terms(m, s).sum(-1), "not the logarithm"),
    (check.kl_of_spread, lambda m, s: right_kl(m, s) / m.shape[-1], "add up over independent"),
    (check.kl_of_spread, lambda m, s: -right_kl(m, s), "never negative"),
    (check.kl_of_spread, lambda m, s: 2 * right_kl(m, s), "factor of two"),
    (check.kl_of_spread, lambda m, s: right_kl(m, s) + m.shape[-1] / 2, "zero for mean 0"),
    (check.kl_of_spread, lambda m, s: terms(m, 2 * s.log()), "one number for each input"),
    (check.kl_of_spread, lambda m, s: right_kl(m, s).sum(), "keep the inputs apart"),
    (check.kl_of_spread, lambda m, s: right_kl(m, s) + 1, "values are not"),
    (check.kl_of_spread, lambda m, s: terms(m, s.square().log()).sum(-1), "log of sigma"),
    (check.kl_of_spread, lambda m, s: terms(m, (s**2 + 1e-8).log()).sum(-1), "add nothing to it"),
    (check.kl_of_spread, lambda m, s: right_kl(m, s.clamp(min=1e-6)), "add nothing to it"),
    (check.kl_of_spread, lambda m, s: 3.0, "expected a tensor, got float"),
    (
        check.hidden_beta,
        lambda p, z, pixel, latent: 1 / right_beta(p, z, pixel, latent),
        "one over",
    ),
    (check.hidden_beta, lambda p, z, pixel, latent: 1.0, "mean over 784 pixels and sum"),
    (check.hidden_beta, lambda p, z, pixel, latent: p if pixel == "mean" else 1, "mean over 20"),
    (check.hidden_beta, lambda p, z, pixel, latent: "big", "expected a number, got str"),
    (check.tight_bound, lambda w: w.exp().mean(0).log(), r"exp\(-500\) is zero"),
    (check.tight_bound, lambda w: w.logsumexp(0), "log of the sum"),
    (check.tight_bound, lambda w: w.mean(0), "the ELBO again"),
    (check.tight_bound, lambda w: w.amax(0), "best draw alone"),
    (check.tight_bound, lambda w: w.logsumexp(1) - math.log(w.shape[1]), "not over the images"),
    (check.tight_bound, lambda w: right_bound(w) + 1, "values are not"),
    (check.tight_bound, lambda w: w.tolist(), "expected a tensor, got list"),
]

test_right_answers, test_stubs, test_wrong_answers, test_spoiled_answers = both_ways(RIGHT, WRONG)
