"""Wrong answers of several kinds get the message that helps."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ddl.exercises import building_models as check


def right_needed(reads: dict[str, list[str]], output: str) -> list[str]:
    order: list[str] = []
    for name in reads[output]:
        order += [n for n in right_needed(reads, name) if n not in order]
    return [*order, output]


def right_to_keras(weight: Tensor, channels: int) -> Tensor:
    by_pixel = weight.reshape(len(weight), channels, -1)
    return by_pixel.permute(2, 1, 0).reshape(-1, len(weight))


def padded(x: Tensor, weight: Tensor, stride: int, front: Any) -> Tensor:
    pads: list[int] = []
    for axis in (3, 2):
        length, size = x.shape[axis], weight.shape[axis]
        p = max((-(-length // stride) - 1) * stride + size - length, 0)
        pads += [front(p), p - front(p)]
    return F.conv2d(F.pad(x, pads), weight, stride=stride)


def right_same_conv(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    return padded(x, weight, stride, lambda p: p // 2)


RIGHT = [
    (check.needed, right_needed),
    (check.to_keras, right_to_keras),
    (check.same_conv, right_same_conv),
]


@pytest.mark.parametrize(("checked", "answer"), RIGHT)
def test_the_right_answer_is_correct(checked: Any, answer: Any) -> None:
    assert repr(checked(answer)).startswith("Correct: ")


@pytest.mark.parametrize(("checked", "answer"), RIGHT)
def test_a_stub_is_not_yet(checked: Any, answer: Any) -> None:
    assert repr(checked(lambda *arguments: ...)).startswith("Not yet: there is no answer")
    assert "raised" in checked(lambda: answer).message


def test_another_right_order_is_correct_too() -> None:
    def other(reads: dict[str, list[str]], output: str) -> list[str]:
        order = right_needed({n: read[::-1] for n, read in reads.items()}, output)
        return order

    assert check.needed(other).passed


def doubled(reads: dict[str, list[str]], output: str) -> list[str]:
    return [n for name in reads[output] for n in doubled(reads, name)] + [output]


def endless(reads: dict[str, list[str]], output: str) -> list[str]:
    return endless(reads, output)


WRONG = [
    (check.needed, lambda reads, output: list(reads), "'h' is there|comes before"),
    (check.needed, lambda reads, output: right_needed(reads, output)[::-1], "comes before"),
    (check.needed, lambda reads, output: right_needed(reads, output)[:-1], "lacks"),
    (check.needed, lambda reads, output: right_needed(reads, output)[1:], "lacks"),
    (check.needed, lambda reads, output: sorted(reads), "comes before|does not need"),
    (check.needed, lambda reads, output: right_needed(reads, list(reads)[-1]), "lacks|not need"),
    (check.needed, lambda reads, output: [*right_needed(reads, output), "?"], "not need '\\?'"),
    (check.needed, lambda reads, output: set(reads), "expected a list, got set"),
    (check.needed, doubled, "more than once"),
    (check.needed, endless, "raised RecursionError"),
    (check.to_keras, lambda w, c: w, r"expected a \(30, 7\) output, got \(7, 30\)"),
    (check.to_keras, lambda w, c: w.T, "now the rows need Keras' order"),
    (
        check.to_keras,
        lambda w, c: w.reshape(len(w), -1, c).permute(2, 1, 0).reshape(-1, len(w)),
        "Name the axes",
    ),
    (check.to_keras, lambda w, c: w.reshape(-1, len(w)), "permute the axes"),
    (check.to_keras, lambda w, c: right_to_keras(w, c).flip(0), "values are not"),
    (check.to_keras, lambda w, c: w.T.numpy(), "expected a tensor, got ndarray"),
    (check.same_conv, lambda x, w, s: F.conv2d(x, w, stride=s), "expected a"),
    (check.same_conv, lambda x, w, s: right_same_conv(x, w, 1), "expected a"),
    (check.same_conv, lambda x, w, s: padded(x, w, s, lambda p: p - p // 2), "belongs behind"),
    (check.same_conv, lambda x, w, s: padded(x, w, s, lambda p: p), "belongs behind"),
    (check.same_conv, lambda x, w, s: padded(x, w.flip(2, 3), s, lambda p: p // 2), "8x6 pixels"),
    (
        check.same_conv,
        lambda x, w, s: F.conv2d(x, w, stride=s, padding=(w.shape[2] // 2, w.shape[3] // 2)),
        "belongs behind",
    ),
    (check.same_conv, lambda x, w, s: torch.zeros(1), "expected a"),
]


@pytest.mark.parametrize(("checked", "answer", "message"), WRONG)
def test_a_wrong_answer_hears_what_is_wrong(checked: Any, answer: Any, message: str) -> None:
    verdict = checked(answer)
    assert not verdict.passed
    assert re.search(message, verdict.message), verdict.message
