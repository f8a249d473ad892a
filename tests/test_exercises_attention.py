"""Wrong answers of several kinds get the message that helps."""

import math

import torch
from exercises import both_ways
from torch import Tensor

from ddl.exercises import attention as check


def right_attend(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    return torch.softmax(keys @ query / math.sqrt(len(query)), dim=0) @ values


def right_mask(length: int, window: int) -> Tensor:
    seen = torch.ones(length, length, dtype=torch.bool).tril()
    return seen & ~seen.tril(-window)


def right_parameters(features: int, heads: int) -> int:
    return 4 * (features * features + features)


def right_sharpness(gap: float, share: float) -> float:
    return math.log(share / (1 - share)) / gap


RIGHT = [
    (check.attend, right_attend),
    (check.local_mask, right_mask),
    (check.parameters, right_parameters),
    (check.sharpness, right_sharpness),
]


def full(length: int) -> Tensor:
    return torch.ones(length, length, dtype=torch.bool)


WRONG = [
    (check.attend, lambda q, k, v: torch.softmax(k @ q, 0) @ v, "spread grows with d"),
    (check.attend, lambda q, k, v: torch.softmax(k @ q / len(q), 0) @ v, "not d itself"),
    (check.attend, lambda q, k, v: (k @ q / len(q) ** 0.5) @ v, "positive and sum to 1"),
    (check.attend, lambda q, k, v: v[(k @ q).argmax()], "dictionary is soft"),
    (check.attend, lambda q, k, v: v.mean(0), "does not depend on the query"),
    (check.attend, lambda q, k, v: right_attend(-q, k, v), "values are not"),
    (check.attend, lambda q, k, v: right_attend(q, k, v)[None], r"expected a \(2,\) output"),
    (check.attend, lambda q, k, v: [1.0, 2.0], "expected a tensor, got list"),
    (check.local_mask, lambda n, w: right_mask(n, w).T, "see the future"),
    (check.local_mask, lambda n, w: full(n), "see the future"),
    (check.local_mask, lambda n, w: full(n).tril(), "looks back too far"),
    (check.local_mask, lambda n, w: right_mask(n, w + 1), "looks back too far"),
    (check.local_mask, lambda n, w: full(n).tril(-1), "cannot see itself"),
    (check.local_mask, lambda n, w: right_mask(n, max(w - 1, 1)), "is hidden"),
    (check.local_mask, lambda n, w: right_mask(n, 3), "length=5, window=1"),
    (check.local_mask, lambda n, w: right_mask(n, w).float(), "expected a boolean mask"),
    (check.local_mask, lambda n, w: right_mask(n + 1, w), r"expected a \(7, 7\) output"),
    (check.local_mask, lambda n, w: [[True]], "expected a tensor, got list"),
    (check.parameters, lambda f, h: 3 * (f * f + f), "after the heads have read"),
    (check.parameters, lambda f, h: 4 * f * f, "biases"),
    (check.parameters, lambda f, h: (3 * h + 1) * (f * f + f), "do not cost more"),
    (check.parameters, lambda f, h: 4224, "is not it"),
    (check.parameters, lambda f, h: "many", "expected a number, got str"),
    (check.sharpness, lambda g, s: math.log(s / (1 - s)) * g, "is not it"),
    (check.sharpness, lambda g, s: math.log(s) / g, "should give"),
    (check.sharpness, lambda g, s: 1 / g, "weight of 0.9"),
    (check.sharpness, lambda g, s: float("nan"), "is not it"),
]

test_right_answers, test_stubs, test_wrong_answers, test_spoiled_answers = both_ways(RIGHT, WRONG)
