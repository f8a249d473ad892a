"""Checks of the exercises on the space of codes."""

from typing import Any

import torch
from torch import Tensor

from ddl.exercises import alike, check, expect, expect_number, expect_tensor


def _covariance(size: int, generator: torch.Generator) -> Tensor:
    root = torch.randn(size, size, generator=generator, dtype=torch.float64)
    return root @ root.T + 0.5 * torch.eye(size, dtype=torch.float64)


@check
def draw(solution: Any) -> str:
    """Check codes drawn from a Gaussian: ``draw_codes(mean, covariance, noise)``.

    Any matrix A with A A^T = C is a right root, so means and covariances are compared.
    """
    generator = torch.Generator().manual_seed(0)
    for size in (2, 5):
        covariance = _covariance(size, generator)
        mean = torch.randn(size, generator=generator, dtype=torch.float64)
        exact = torch.cat([torch.zeros(1, size), torch.eye(size)]).double()
        answer = solution(mean, covariance, exact)
        expect_tensor(answer, answer if isinstance(answer, Tensor) else exact)
        shape, wanted = tuple(answer.shape), tuple(exact.shape)
        expect(shape == wanted, f"expected a {wanted} output, got {shape}.")
        expect(
            torch.allclose(answer[0].double(), mean),
            "without noise each code should be the mean.",
        )
        root = (answer[1:] - answer[0]).double()  # row i: what noise along axis i adds
        got = root.T @ root
        expect(
            not torch.allclose(root, covariance),
            "the noise is multiplied by the covariance; it takes a root of it.",
        )
        expect(
            not torch.allclose(got, covariance.diag().diag()),
            "the variances are right, but the numbers do not depend on each other.",
        )
        expect(
            not torch.allclose(root @ root.T, covariance) or torch.allclose(got, covariance),
            "the covariance is not right yet: which of L and its transpose meets a row?",
        )
        expect(torch.allclose(got, covariance), "the covariance of the codes is not right.")
        many = torch.randn(7, size, generator=generator, dtype=torch.float64)
        expect_tensor(
            solution(mean, covariance, many),
            mean + many @ root,
            hint="Each row of noise should make one code, in the same way.",
        )
    return "the codes lean as the covariance says."


@check
def dropped(solution: Any) -> str:
    """Check the nats that a diagonal Gaussian drops: ``dropped_nats(covariance)``."""
    generator = torch.Generator().manual_seed(0)
    for size in (2, 3, 7):
        covariance = _covariance(size, generator)
        scale = covariance.diag().sqrt()
        correlations = covariance / scale[:, None] / scale
        expected = -torch.linalg.eigvalsh(correlations).log().sum().item() / 2
        answer = solution(covariance)
        value = answer.item() if isinstance(answer, Tensor) and answer.numel() == 1 else answer
        hint = ""
        if isinstance(value, int | float):
            others = {
                "The density holds the root of the determinant.": 2 * expected,
                "The full Gaussian gains, so the number is positive.": -expected,
                "Nats are logarithms to base e.": expected / torch.tensor(2.0).log().item(),
                "The covariances' own scale should cancel: compare with the diagonal.": (
                    -torch.logdet(covariance).item() / 2
                ),
            }
            for words, wrong in others.items():
                if abs(value - wrong) < 1e-4:
                    hint = words
        expect_number(value, expected, hint=hint, tolerance=1e-4)
    return "independent numbers would give zero, and the code's units do not matter."


@check
def shares(solution: Any) -> str:
    """Check the E step for round humps: ``shares(z, weights, means, variances)``."""
    generator = torch.Generator().manual_seed(0)
    for count, humps, size in ((5, 3, 2), (3, 2, 7)):
        z = torch.randn(count, size, generator=generator, dtype=torch.float64)
        means = torch.randn(humps, size, generator=generator, dtype=torch.float64)
        variances = torch.rand(humps, generator=generator, dtype=torch.float64) + 0.3
        weights = torch.rand(humps, generator=generator, dtype=torch.float64) + 0.1
        weights = weights / weights.sum()

        def reply(
            power: float = 0.5, weighted: bool = True, half: float = 2, axis: int = 1
        ) -> Tensor:
            apart = torch.cdist(z, means).square()  # noqa: B023 - used in this round only
            density = (-apart / (half * variances)).exp() / variances ** (size * power)  # noqa: B023
            joint = density * weights if weighted else density  # noqa: B023
            return joint / joint.sum(axis, keepdim=True)

        expected = reply()
        answer = solution(z, weights, means, variances)
        hint = ""
        if isinstance(answer, Tensor) and answer.shape == expected.shape:
            others = {
                "Do the weights count?": reply(weighted=False),
                "A wide hump is lower: its density is divided by its volume.": reply(power=0),
                "The volume has a factor for each of the code's axes.": reply(power=0.5 / size),
                "The exponent has a factor one half.": reply(half=1),
                "The shares of one code sum to 1, over the humps.": reply(axis=0),
            }
            for words, wrong in others.items():
                if alike(answer, wrong, atol=1e-5):
                    hint = words
        expect_tensor(answer, expected, hint=hint)
    far = torch.full((1, size), 1e3, dtype=torch.float64)
    answer = solution(far, weights, means, variances)
    expect(
        bool(answer.isfinite().all()),
        "it is right near the humps; far away the shares are not numbers. Stay with logarithms.",
    )
    expect(abs(answer.sum().item() - 1) < 1e-5, "far away, too, shares should sum to 1.")
    apart = torch.cdist(far, means).square()
    logits = weights.log() - size / 2 * variances.log() - apart / (2 * variances)
    hint = "Far away it is not right: stay with logarithms, and add nothing to a density."
    expect_tensor(answer, logits.softmax(-1), hint=hint)
    return "each code is shared out among the humps, however far away it is."
