"""Checks of the exercises on autoencoders."""

from typing import Any

import torch
from torch import Tensor

from ddl.exercises import alike, check, expect, expect_number, expect_tensor


@check
def directions(solution: Any) -> str:
    """Check how many directions an error affords: ``directions(eigenvalues, error)``."""
    eigenvalues = torch.tensor([8.0, 4.0, 2.0, 1.0, 0.5])
    whole = "The error is the sum of the eigenvalues that are dropped, not of those kept."
    cases = (
        (
            0.5,
            4,
            "It is wrong where the error is just enough: at most means that it may be reached.",
        ),
        (3.6, 2, whole),
        (3.4, 3, whole),
        (9.0, 1, whole),
        (0.0, 5, "Without any error all directions are needed."),
        (16.0, 0, "An error as large as the total variance needs no direction."),
    )
    for error, expected, hint in cases:
        expect_number(solution(eigenvalues.clone(), error), expected, hint=hint)
    return "each direction pays back its eigenvalue."


@check
def best_code(solution: Any) -> str:
    """Check the encoder of a linear decoder: ``best_code(x, weight, bias)``."""
    generator = torch.Generator().manual_seed(0)
    for batch, features, latent in ((3, 7, 2), (2, 5, 3), (11, 5, 1)):
        weight = torch.randn(features, latent, generator=generator)
        bias = torch.randn(features, generator=generator)
        x = torch.randn(batch, features, generator=generator)
        expected = (x - bias) @ torch.linalg.pinv(weight).T
        answer = solution(x, weight, bias)
        if isinstance(answer, Tensor) and answer.shape == expected.shape:
            wrong = {
                "The columns of weight are not orthonormal: the transpose alone is not enough.": (
                    (x - bias) @ weight
                ),
                "The decoder adds bias, so take it off first.": x @ torch.linalg.pinv(weight).T,
                "Take the bias off, do not add it.": (x + bias) @ torch.linalg.pinv(weight).T,
            }
            for words, other in wrong.items():
                expect(not alike(answer, other, atol=1e-4), words)
        expect_tensor(answer, expected, atol=1e-4)
    return "no other code comes closer to x through this decoder."


@check
def lloyd(solution: Any) -> str:
    """Check one step of k-means: ``lloyd(x, centroids)``."""
    generator = torch.Generator().manual_seed(0)
    for rows, features, clusters in ((23, 2, 3), (17, 5, 2), (29, 3, 7)):
        x = torch.randn(rows, features, generator=generator)
        centroids = x[:clusters] + 0.3  # each has a row that chooses it, or nearly
        centroids[-1] = 100.0  # nobody's choice
        expected = centroids.clone()
        distances = (x[:, None] - centroids).square().sum(-1)
        for k in range(clusters):
            chosen = distances.argmin(1) == k
            if chosen.any():
                expected[k] = x[chosen].mean(0)
        given = centroids.clone()
        answer = solution(x, given)
        expect(torch.equal(given, centroids), "centroids was changed in place. Work on a copy.")
        if isinstance(answer, Tensor) and answer.shape == expected.shape:
            last = answer[-1]
            expect(
                bool(torch.isfinite(last).all()) and alike(last, centroids[-1]),
                "a centroid that no row chose should stay where it is.",
            )
            expect(
                not alike(answer, centroids, atol=1e-6),
                "no centroid has moved.",
            )
        expect_tensor(answer, expected, hint="Each goes to the mean of the rows nearest to it.")
    return "neither half of the step can raise the error."
