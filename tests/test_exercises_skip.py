"""Wrong answers of several kinds get the message that helps."""

import torch
from exercises import both_ways
from torch import Tensor, nn

from ddl.exercises import skip as check


def right_carry(x: Tensor, first: nn.Linear, second: nn.Linear, last: nn.Linear) -> Tensor:
    h = torch.relu(second(torch.relu(first(x))))
    return last(torch.cat([h, x], dim=-1))


def right_deepest(channels: int, growth: int, budget: int) -> int:
    layers = 0
    while True:
        budget -= (9 * (channels + layers * growth) + 1) * growth
        if budget < 0:
            return layers
        layers += 1


def right_untie(weight: Tensor, gain: float) -> Tensor:
    return torch.cat([weight, gain * weight], dim=1)


def without_bias(channels: int, growth: int, budget: int) -> int:
    layers = 0
    while budget >= 9 * (channels + layers * growth) * growth:
        budget -= 9 * (channels + layers * growth) * growth
        layers += 1
    return layers


RIGHT = [
    (check.carry, right_carry),
    (check.deepest, right_deepest),
    (check.untie, right_untie),
]


def hidden(x: Tensor, first: nn.Linear, second: nn.Linear) -> Tensor:
    return second(first(x).relu()).relu()


WRONG = [
    (
        check.carry,
        lambda x, f, s, o: o(torch.cat([x, hidden(x, f, s)], -1)),
        "hidden units first, then the input",
    ),
    (check.carry, lambda x, f, s, o: o(torch.cat([hidden(x, f, s), x.relu()], -1)), "as it was"),
    (check.carry, lambda x, f, s, o: o(torch.cat([s(f(x).relu()), x], -1)), "behind the second"),
    (check.carry, lambda x, f, s, o: o(torch.cat([s(f(x)).relu(), x], -1)), "values are not"),
    (check.carry, lambda x, f, s, o: o(torch.cat([hidden(x, f, s), 0 * x], -1)), "carried"),
    (check.carry, lambda x, f, s, o: o(torch.cat([hidden(x, f, s), x], 1)), "raised|expected"),
    (check.carry, lambda x, f, s, o: right_carry(x, f, s, o).relu(), "values are not"),
    (check.carry, lambda x, f, s, o: hidden(x, f, s), r"expected a \(2, 5\) output, got \(2, 3\)"),
    (check.deepest, lambda c, g, budget: 5, "too many: they need"),
    (check.deepest, without_bias, "too many"),
    (check.deepest, lambda c, g, budget: max(right_deepest(c, g, budget) - 1, 0), "too few"),
    (check.deepest, lambda c, g, budget: budget // ((9 * c + 1) * g), "too many: they need"),
    (check.deepest, lambda c, g, budget: right_deepest(c, g, budget + 1), "too many"),
    (check.deepest, lambda c, g, budget: right_deepest(c, g, budget - 1), "too few"),
    (check.deepest, lambda c, g, budget: right_deepest(c, g, budget) or 1, "affords none"),
    (check.deepest, lambda c, g, budget: -1, "is not it"),
    (check.deepest, lambda c, g, budget: 4.5, "is not it"),
    (check.deepest, lambda c, g, budget: "deep", "expected a number, got str"),
    (check.untie, lambda weight, gain: weight, r"expected a \(3, 10\) output, got \(3, 5\)"),
    (
        check.untie,
        lambda weight, gain: torch.cat([weight, gain * weight], 0),
        r"expected a \(3, 10\) output, got \(6, 5\)",
    ),
    (check.untie, lambda weight, gain: torch.cat([weight, weight], 1), "b is not: with gain=-1"),
    (check.untie, lambda weight, gain: torch.cat([gain * weight, weight], 1), "answer to a"),
    (check.untie, lambda weight, gain: torch.cat([weight, -weight], 1), "with gain=1 it"),
    (check.untie, lambda weight, gain: [weight, gain], "expected a tensor, got list"),
]

test_right_answers, test_stubs, test_wrong_answers, test_spoiled_answers = both_ways(RIGHT, WRONG)
