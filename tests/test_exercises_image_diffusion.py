"""Wrong answers of several kinds get the message that helps."""

import torch
from exercises import both_ways
from torch import Tensor

from ddl.exercises import image_diffusion as check


def right_guide(told: Tensor, untold: Tensor, w: float) -> Tensor:
    return (1 + w) * told - w * untold


def right_betas(alpha_bar: Tensor, stops: Tensor) -> Tensor:
    kept = alpha_bar[stops]
    return 1 - kept[1:] / kept[:-1]


def right_drowns(power: float, alpha_bar: Tensor) -> int:
    return int((alpha_bar * power < 1 - alpha_bar).nonzero()[0])


def first(condition: Tensor) -> int:
    return int(condition.nonzero()[0])


RIGHT = [
    (check.guide, right_guide),
    (check.short_betas, right_betas),
    (check.drowns, right_drowns),
    (check.drowns, lambda p, a: torch.tensor(right_drowns(p, a))),
]


WRONG = [
    (check.guide, lambda told, untold, w: w * told + (1 - w) * untold, "Here w = 0 means told"),
    (check.guide, lambda told, untold, w: untold + w * (untold - told), "leads away from"),
    (check.guide, lambda told, untold, w: told + w * (untold - told), "not back towards"),
    (check.guide, lambda told, untold, w: (1 + w) * told + w * untold, "should sum to 1"),
    (check.guide, lambda told, untold, w: told, "wrong for w = 2"),
    (check.guide, lambda told, untold, w: told.flatten(), r"expected a \(3, 1, 5, 7\) output"),
    (
        check.guide,
        lambda told, untold, w: right_guide(told, untold, max(w, 0)),
        "wrong for w = -1",
    ),
    (check.short_betas, lambda a, s: 1 - a[s], "one beta for each"),
    (check.short_betas, lambda a, s: 1 - a[s][1:], "what one stride adds"),
    (check.short_betas, lambda a, s: (1 - a[1:] / a[:-1])[s[1:] - 1], "longer than a step"),
    (check.short_betas, lambda a, s: 1 - right_betas(a, s), "what a stride keeps"),
    (
        check.short_betas,
        lambda a, s: 1 - (1 - right_betas(a, s)).sqrt(),
        "no root is needed",
    ),
    (check.short_betas, lambda a, s: a[s][:-1] - a[s][1:], "multiply, they do not add"),
    (check.short_betas, lambda a, s: 1 - a[s][:-1] / a[s][1:], "values are not"),
    (check.short_betas, lambda a, s: right_betas(a, s).tolist(), "expected a tensor, got list"),
    (check.drowns, lambda p, a: right_drowns(p, a) - 1, "still the stronger"),
    (check.drowns, lambda p, a: first(a * p < 1), "has the power 1 - alpha_bar"),
    (check.drowns, lambda p, a: first(a.sqrt() * p < (1 - a).sqrt()), "no root is needed"),
    (check.drowns, lambda p, a: first(a < 1 - a), "own power counts"),
    (check.drowns, lambda p, a: right_drowns(p, a) + 1, "wrong for power"),
    (check.drowns, lambda p, a: "late", "expected a number, got str"),
]

test_right_answers, test_stubs, test_wrong_answers, test_spoiled_answers = both_ways(RIGHT, WRONG)
