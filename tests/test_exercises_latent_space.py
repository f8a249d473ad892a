"""Wrong answers of several kinds get the message that helps."""

import torch
from exercises import both_ways
from torch import Tensor

from ddl.exercises import latent_space as check


def right_draw(mean: Tensor, covariance: Tensor, noise: Tensor) -> Tensor:
    return mean + noise @ torch.linalg.cholesky(covariance).T


def other_draw(mean: Tensor, covariance: Tensor, noise: Tensor) -> Tensor:
    values, axes = torch.linalg.eigh(covariance)
    return mean + noise @ (axes * values.sqrt()).T


def right_dropped(covariance: Tensor) -> Tensor:
    return (covariance.diag().log().sum() - torch.logdet(covariance)) / 2


def right_shares(z: Tensor, weights: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    squared = (z[:, None] - means).square().sum(-1)
    log_volume = z.shape[1] / 2 * variances.log()
    return (weights.log() - log_volume - squared / (2 * variances)).softmax(-1)


def shares_of_cushioned_densities(
    z: Tensor, weights: Tensor, means: Tensor, variances: Tensor
) -> Tensor:
    squared = (z[:, None] - means).square().sum(-1)
    density = (-squared / (2 * variances)).exp() / variances ** (z.shape[1] / 2)
    joint = weights * density + 1e-300
    return joint / joint.sum(-1, keepdim=True)


def underflowing_shares(z: Tensor, weights: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    squared = (z[:, None] - means).square().sum(-1)
    density = (-squared / (2 * variances)).exp() / variances ** (z.shape[1] / 2)
    return weights * density / (weights * density).sum(-1, keepdim=True)


def squares(z: Tensor, means: Tensor) -> Tensor:
    return (z[:, None] - means).square().sum(-1)


RIGHT = [
    (check.draw, right_draw),
    (check.draw, other_draw),
    (check.dropped, right_dropped),
    (check.dropped, lambda c: right_dropped(c).item()),
    (check.shares, right_shares),
]


WRONG = [
    (check.draw, lambda m, c, n: m + n @ torch.linalg.cholesky(c), "its transpose"),
    (check.draw, lambda m, c, n: n @ torch.linalg.cholesky(c).T, "should be the mean"),
    (check.draw, lambda m, c, n: m + n @ c, "multiplied by the covariance"),
    (check.draw, lambda m, c, n: m + n * c.diag().sqrt(), "do not depend on each other"),
    (check.draw, lambda m, c, n: m + n * c.diag(), "covariance of the codes is not right"),
    (check.draw, lambda m, c, n: m + n, "covariance of the codes is not right"),
    (check.draw, lambda m, c, n: right_draw(m, c, n)[:1], r"expected a \(3, 2\) output, got"),
    (check.draw, lambda m, c, n: 3.0, "expected a tensor, got float"),
    (
        check.draw,
        lambda m, c, n: right_draw(m, c, n if len(n) == len(m) + 1 else n.flip(0)),
        "one code, in the same way",
    ),
    (check.dropped, lambda c: 2 * right_dropped(c), "root of the determinant"),
    (check.dropped, lambda c: -right_dropped(c), "is positive"),
    (check.dropped, lambda c: right_dropped(c) / torch.tensor(2.0).log(), "base e"),
    (check.dropped, lambda c: -torch.logdet(c) / 2, "compare with the diagonal"),
    (check.dropped, lambda c: 0.0, "is not it"),
    (check.dropped, lambda c: "much", "expected a number, got str"),
    (
        check.shares,
        lambda z, w, m, v: (-z.shape[1] / 2 * v.log() - squares(z, m) / (2 * v)).softmax(-1),
        "weights count",
    ),
    (
        check.shares,
        lambda z, w, m, v: (w.log() - squares(z, m) / (2 * v)).softmax(-1),
        "divided by its volume",
    ),
    (
        check.shares,
        lambda z, w, m, v: (w.log() - v.log() / 2 - squares(z, m) / (2 * v)).softmax(-1),
        "for each of the code's axes",
    ),
    (
        check.shares,
        lambda z, w, m, v: (w.log() - z.shape[1] / 2 * v.log() - squares(z, m) / v).softmax(-1),
        "factor one half",
    ),
    (
        check.shares,
        lambda z, w, m, v: (w.log() - z.shape[1] / 2 * v.log() - squares(z, m) / (2 * v)).softmax(
            0
        ),
        "over the humps",
    ),
    (check.shares, underflowing_shares, "Stay with logarithms"),
    (
        check.shares,
        lambda z, w, m, v: right_shares(z, w, m, v).nan_to_num() * (z.abs().max() < 100),
        "sum to 1",
    ),
    (check.shares, shares_of_cushioned_densities, "add nothing to a density"),
    (check.shares, lambda z, w, m, v: right_shares(z, w, m, v).T, "expected a"),
    (check.shares, lambda z, w, m, v: torch.ones(len(z), len(m)) / len(m), "values are not"),
]

test_right_answers, test_stubs, test_wrong_answers, test_spoiled_answers = both_ways(RIGHT, WRONG)
