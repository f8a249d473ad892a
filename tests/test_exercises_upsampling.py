"""The checks of the upsampling exercises tell right from wrong, and one wrong from another."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ddl.exercises import upsampling as check


def stamps(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    return F.conv_transpose1d(x[None, None], kernel[None, None], stride=stride)[0, 0]


def overwritten(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    y = torch.zeros((len(x) - 1) * stride + len(kernel))
    for i, value in enumerate(x):
        y[i * stride : i * stride + len(kernel)] = value * kernel
    return y


def changing(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    y = stamps(x, kernel, stride)
    x += 1
    return y


def missing(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    return (size + 2 * padding - dilation * (kernel - 1) - 1) % stride


def flat_start(small: Tensor, stride: int) -> Tensor:
    return small.repeat_interleave(stride, 2).repeat_interleave(stride, 3)


def fold(taps: Tensor) -> Tensor:
    a, b, c = taps
    return torch.stack([c, b + c, a + b, a])


@pytest.mark.parametrize(
    ("name", "answer"),
    [("stamps", stamps), ("missing", missing), ("flat_start", flat_start), ("fold", fold)],
)
def test_right_answers(name: str, answer: Callable[..., Any]) -> None:
    verdict = getattr(check, name)(answer)
    assert verdict.passed, verdict


@pytest.mark.parametrize("name", ["stamps", "missing", "flat_start", "fold"])
@pytest.mark.parametrize("answer", [None, ..., lambda *_: None, lambda *_: ...])
def test_no_answer(name: str, answer: Any) -> None:
    verdict = getattr(check, name)(answer)
    assert not verdict.passed
    assert "there is no answer here" in verdict.message


@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [
        ("stamps", lambda x, k, s: stamps(x, k.flip(0), s), "mirrored"),
        ("stamps", overwritten, "overlap they add up"),
        ("stamps", changing, "changed its own input"),
        ("stamps", lambda x, k, s: stamps(x, k, 1), "expected a (9,) output, got (6,)"),
        ("stamps", lambda x, k, s: 2 * stamps(x, k, s), "off by up to"),
        ("stamps", lambda x, k, s: stamps(x, k, s).tolist(), "expected a tensor, got list"),
        ("missing", lambda *_: 1, "1 is not it"),
        ("missing", lambda n, k, s, p, d: (n + 2 * p - k) % s, "dilation 2"),
        ("missing", lambda n, k, s, p, d: (n - d * (k - 1) - 1) % s, "padding 1 and dilation"),
        ("missing", lambda n, k, s, p, d: s - 1, "not it"),
        ("missing", lambda n, k, s, p, d: n / 0, "raised ZeroDivisionError"),
        ("flat_start", lambda w, s: w.repeat(1, 1, s, s), "side by side"),
        ("flat_start", lambda w, s: w, "expected a (2, 3, 4, 4) output, got (2, 3, 2, 2)"),
        (
            "flat_start",
            lambda w, s: flat_start(w, s) + torch.eye(w.shape[-1] * s),
            "not come out flat",
        ),
        ("flat_start", lambda w, s: flat_start(w, s) / s, "not those of the small kernel"),
        ("flat_start", lambda w, s: flat_start(w.flip(2), s), "not those of the small kernel"),
        ("fold", lambda t: fold(t.flip(0)), "mirrored"),
        ("fold", lambda t: torch.stack([t[0], t[1], t[1], t[2]]), "a constant would not stay flat"),
        ("fold", lambda t: fold(t) * 2, "off by up to"),
        ("fold", lambda t: t, "expected a (4,) output, got (3,)"),
        ("fold", lambda t: torch.tensor([100.0, 110.0, 11.0, 1.0]), "not"),
    ],
)
def test_wrong_answers(name: str, answer: Callable[..., Any], message: str) -> None:
    verdict = getattr(check, name)(answer)
    assert not verdict.passed
    assert message in verdict.message, verdict
