"""Wrong answers of several kinds get the message that helps."""

import torch
from exercises import both_ways
from torch import Tensor

from ddl.exercises import autoencoder as check


def right_directions(eigenvalues: Tensor, error: float) -> int:
    left = [eigenvalues[d:].sum().item() for d in range(len(eigenvalues) + 1)]
    return [amount <= error for amount in left].index(True)


def right_best_code(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.linalg.lstsq(weight, (x - bias).T).solution.T


def right_lloyd(x: Tensor, centroids: Tensor) -> Tensor:
    choice = torch.cdist(x, centroids).argmin(dim=1)
    moved = centroids.clone()
    for k in choice.unique():
        moved[k] = x[choice == k].mean(dim=0)
    return moved


def careless_lloyd(x: Tensor, centroids: Tensor) -> Tensor:
    choice = torch.cdist(x, centroids).argmin(dim=1)
    return torch.stack([x[choice == k].mean(dim=0) for k in range(len(centroids))])


def farthest_lloyd(x: Tensor, centroids: Tensor) -> Tensor:
    moved = right_lloyd(x, centroids)
    moved[:-1] = moved[:-1].flip(0) + 1
    return moved


def lloyd_in_place(x: Tensor, centroids: Tensor) -> Tensor:
    centroids.copy_(right_lloyd(x, centroids))
    return centroids


def summing_lloyd(x: Tensor, centroids: Tensor) -> Tensor:
    moved = right_lloyd(x, centroids)
    moved[:-1] *= 2
    return moved


RIGHT = [
    (check.directions, right_directions),
    (check.best_code, right_best_code),
    (check.lloyd, right_lloyd),
]


WRONG = [
    (
        check.directions,
        lambda v, e: next((d for d in range(6) if v[d:].sum() < e), 5),
        "just enough",
    ),
    (check.directions, lambda v, e: int((v > e).sum()), "dropped"),
    (check.directions, lambda v, e: int((v.cumsum(0) <= e).sum()), "is not it"),
    (check.directions, lambda v, e: max(right_directions(v, e), 1), "needs no direction"),
    (check.directions, lambda v, e: min(right_directions(v, e), 4), "all directions"),
    (check.directions, lambda v, e: right_directions(v, e * 15.5), "is not it"),
    (check.directions, lambda v, e: "two", "expected a number, got str"),
    (check.best_code, lambda x, w, b: (x - b) @ w, "transpose alone"),
    (check.best_code, lambda x, w, b: right_best_code(x, w, 0 * b), "take it off"),
    (check.best_code, lambda x, w, b: right_best_code(x, w, -b), "do not add"),
    (check.best_code, lambda x, w, b: right_best_code(x, w, b).T, r"expected a \(3, 2\)"),
    (check.best_code, lambda x, w, b: 2 * right_best_code(x, w, b), "values are not"),
    (check.best_code, lambda x, w, b: (x - b) @ torch.linalg.qr(w).Q, "values are not"),
    (check.best_code, lambda x, w, b: x, r"expected a \(3, 2\) output, got \(3, 7\)"),
    (check.lloyd, careless_lloyd, "no row chose"),
    (check.lloyd, lambda x, c: c, "has moved"),
    (check.lloyd, lloyd_in_place, "in place"),
    (check.lloyd, farthest_lloyd, "values are not"),
    (check.lloyd, summing_lloyd, "values are not"),
    (check.lloyd, lambda x, c: torch.cdist(x, c).argmin(dim=1), r"expected a \(3, 2\) output"),
    (check.lloyd, lambda x, c: [1], "expected a tensor, got list"),
]

test_right_answers, test_stubs, test_wrong_answers, test_spoiled_answers = both_ways(RIGHT, WRONG)
