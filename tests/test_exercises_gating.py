"""Wrong answers of several kinds get the message that helps."""

import torch
from exercises import both_ways
from torch import Tensor, nn

from ddl.exercises import gating as check
from ddl.gating import logistic_unit


def right_bump(x: Tensor, left: float, right: float, steepness: float) -> Tensor:
    return logistic_unit(x, steepness, -steepness * left) - logistic_unit(
        x, steepness, -steepness * right
    )


def right_relu_gate(x1: Tensor, x2: Tensor, steepness: float) -> Tensor:
    return torch.relu(steepness * x1 + x2) - torch.relu(steepness * x1)


def right_highway(x: Tensor, transform: nn.Linear, gate: nn.Linear) -> Tensor:
    t = torch.sigmoid(gate(x))
    return t * torch.relu(transform(x)) + (1 - t) * x


def right_memory(steps: int, share: float) -> float:
    return 1 / (1 - share ** (1 / steps))


RIGHT = [
    (check.bump, right_bump),
    (check.relu_gate, right_relu_gate),
    (check.highway_by_hand, right_highway),
    (check.memory_for, right_memory),
]


WRONG = [
    (check.bump, lambda x, a, b, w: -right_bump(x, a, b, w), "upside down"),
    (check.bump, lambda x, a, b, w: logistic_unit(x, w, -w * a), "what goes up"),
    (check.bump, lambda x, a, b, w: right_bump(x, a, b, w) + 1, "far left"),
    (check.bump, lambda x, a, b, w: right_bump(x, a + 0.3, b, w), "at its own edge"),
    (
        check.bump,
        lambda x, a, b, w: logistic_unit(x, w, -w * a) * logistic_unit(x, -w, w * b),
        "Add or subtract",
    ),
    (check.bump, lambda x, a, b, w: right_bump(x, -1, 2, 8), "far left|values are not|middle"),
    (check.bump, lambda x, a, b, w: right_bump(x, a, b, w)[:, None], r"expected a \(61,\) output"),
    (check.relu_gate, lambda x1, x2, w: x2, "open where it should be closed"),
    (check.relu_gate, lambda x1, x2, w: torch.relu(w * x1 + x2), "unchanged"),
    (check.relu_gate, lambda x1, x2, w: torch.relu(x1 + x2) - torch.relu(x1), "closed"),
    (check.relu_gate, lambda x1, x2, w: right_relu_gate(x1, x2, 10.0), "open|unchanged"),
    (check.relu_gate, lambda x1, x2, w: x2 * (x1 > 0), "jumps at x1 = 0"),
    (check.relu_gate, lambda x1, x2, w: x2 * ((w * x1 + 1) / 2).clamp(0, 1), "do not multiply"),
    (check.relu_gate, lambda x1, x2, w: [0.0], "expected a tensor, got list"),
    (
        check.highway_by_hand,
        lambda x, h, t: torch.sigmoid(t(x)) * x + (1 - torch.sigmoid(t(x))) * h(x).relu(),
        "open where it should be closed",
    ),
    (check.highway_by_hand, lambda x, h, t: torch.sigmoid(t(x)) * h(x).relu(), "carried"),
    (check.highway_by_hand, lambda x, h, t: h(x).relu() + x, "depends on the gate"),
    (
        check.highway_by_hand,
        lambda x, h, t: torch.sigmoid(t(x)) * h(x) + (1 - torch.sigmoid(t(x))) * x,
        "is a ReLU",
    ),
    (check.highway_by_hand, lambda x, h, t: right_highway(x, h, t).T, r"expected a \(4, 3\)"),
    (check.memory_for, lambda steps, share: 2.0, "is not it"),
    (check.memory_for, lambda steps, share: share ** (1 / steps), "is not it"),
    (check.memory_for, lambda steps, share: 1 / (1 - share), "After steps=50"),
    (check.memory_for, lambda steps, share: float("nan"), "is not it"),
    (check.memory_for, lambda steps, share: "long", "expected a number, got str"),
]

test_right_answers, test_stubs, test_wrong_answers, test_spoiled_answers = both_ways(RIGHT, WRONG)
