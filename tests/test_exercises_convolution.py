"""The checks of the convolution exercises tell right from wrong, and one wrong from another."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ddl.exercises import convolution as check


def padding_for(kernel: int, dilation: int) -> int:
    return dilation * (kernel - 1) // 2


def pointwise(x: Tensor, matrix: Tensor) -> Tensor:
    return torch.einsum("fc,bchw->bfhw", matrix, x)


def changing(x: Tensor, matrix: Tensor) -> Tensor:
    y = pointwise(x, matrix)
    x += 1
    return y


def transposed(x: Tensor, matrix: Tensor) -> Tensor:
    return pointwise(x, matrix.T if matrix.shape[0] == matrix.shape[1] else matrix)


def along_width(x: Tensor, matrix: Tensor) -> Tensor:
    if x.shape[1] == x.shape[3]:
        return x @ matrix.T
    return pointwise(x, matrix)


def along_height(x: Tensor, matrix: Tensor) -> Tensor:
    if x.shape[1] == x.shape[2]:
        return matrix @ x
    return pointwise(x, matrix)


def widest(channels: int, filters: int, kernel: int) -> int:
    return (channels * filters * kernel**2 - 1) // (channels + filters * kernel**2)


def average_weight(channels: int, size: int) -> Tensor:
    return torch.eye(channels)[:, :, None, None].repeat(1, 1, size, size) / size**2


RIGHT = {
    "padding_for": padding_for,
    "pointwise": pointwise,
    "widest": widest,
    "average_weight": average_weight,
}


@pytest.mark.parametrize(("name", "answer"), RIGHT.items())
def test_right_answers(name: str, answer: Callable[..., Any]) -> None:
    verdict = getattr(check, name)(answer)
    assert verdict.passed, verdict


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("answer", [None, ..., lambda *_: None, lambda *_: ...])
def test_no_answer(name: str, answer: Any) -> None:
    verdict = getattr(check, name)(answer)
    assert not verdict.passed
    assert "there is no answer here" in verdict.message


@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [
        ("padding_for", lambda k, d: 1, "kernel 5 and dilation 1, 31 pixels become 27"),
        ("padding_for", lambda k, d: (k - 1) // 2, "kernel 3 and dilation 2"),
        ("padding_for", lambda k, d: d * (k - 1), "2 is not it"),
        ("padding_for", lambda k, d: d * (k - 1) / 2, "wants a whole number, got 1.0"),
        ("padding_for", lambda k, d: "same", "expected a number, got str"),
        ("padding_for", lambda k, d: k / 0, "raised ZeroDivisionError"),
        ("pointwise", transposed, "the wrong way round"),
        ("pointwise", along_width, "mixes the width"),
        ("pointwise", along_height, "mixes the height"),
        ("pointwise", changing, "changed its own input"),
        (
            "pointwise",
            lambda x, m: pointwise(x, m).movedim(1, -1),
            "expected a (2, 5, 7, 4) output, got (2, 7, 4, 5)",
        ),
        ("pointwise", lambda x, m: 2 * pointwise(x, m), "3 channels and 5 filters"),
        ("pointwise", lambda x, m: pointwise(x, m).tolist(), "expected a tensor, got list"),
        ("pointwise", lambda x, m: m @ x, "raised RuntimeError"),
        ("widest", lambda c, f, k: 62, "32 channels, 8 filters and kernel 3"),
        ("widest", lambda c, f, k: c * f * k**2 // (c + f * k**2), "is not it"),
        ("widest", lambda c, f, k: c * f * k**2 // (c * k**2 + f), "64 channels, 128 filters"),
        ("widest", lambda c, f, k: c * f * k**2 / (c + f * k**2), "62.7451 is not it"),
        ("average_weight", lambda c, n: torch.ones(c, c, n, n) / n**2, "channels are mixed"),
        (
            "average_weight",
            lambda c, n: average_weight(c, n) * n,
            "an image of ones comes out as 2",
        ),
        (
            "average_weight",
            lambda c, n: torch.ones(c, 1, n, n) / n**2,
            "expected a (3, 3, 2, 2) output, got (3, 1, 2, 2)",
        ),
        (
            "average_weight",
            lambda c, n: torch.eye(c)[:, :, None, None] * torch.eye(n) / n,
            "the values are not",
        ),
    ],
)
def test_wrong_answers(name: str, answer: Callable[..., Any], message: str) -> None:
    verdict = getattr(check, name)(answer)
    assert not verdict.passed
    assert message in verdict.message, verdict
