"""Checks of the exercises on attention."""

import math
from typing import Any

import torch
from torch import Tensor

from ddl.exercises import alike, check, expect, expect_number, expect_tensor


@check
def attend(solution: Any) -> str:
    """Check attention of one query: ``attend(query, keys, values)``."""
    generator = torch.Generator().manual_seed(0)
    for places, features, channels in ((5, 3, 2), (3, 64, 7), (1, 2, 5)):
        query = torch.randn(features, generator=generator)
        keys = torch.randn(places, features, generator=generator)
        values = torch.randn(places, channels, generator=generator)
        scores = keys @ query / math.sqrt(features)
        answer = solution(query, keys, values)
        hint = ""
        if isinstance(answer, Tensor) and answer.shape == (channels,):
            slips = {
                "The scores are still on the scale of the features: their spread grows with d.": (
                    torch.softmax(keys @ query, dim=0) @ values
                ),
                "The root of d is enough, not d itself.": (
                    torch.softmax(keys @ query / features, dim=0) @ values
                ),
                "The weights should be positive and sum to 1.": scores @ values,
                "The best value alone is not it: this dictionary is soft.": (
                    values[scores.argmax()]
                ),
                "This mixture does not depend on the query.": values.mean(dim=0),
            }
            hint = next((h for h, slip in slips.items() if alike(answer, slip)), "")
        expect_tensor(answer, torch.softmax(scores, dim=0) @ values, hint=hint)
    return "the query reads where its keys match, softly."


@check
def local_mask(solution: Any) -> str:
    """Check a causal mask with a window: ``local_mask(length, window)``."""
    for length, window in ((7, 3), (5, 1), (4, 9)):
        answer = solution(length, window)
        where = f"for length={length}, window={window}"
        if isinstance(answer, Tensor):
            expect(
                answer.dtype == torch.bool,
                f"expected a boolean mask, got {answer.dtype}: True where a position may look.",
            )
        rows, columns = torch.arange(length)[:, None], torch.arange(length)
        back = rows - columns
        expected = (back >= 0) & (back < window)
        if isinstance(answer, Tensor) and answer.shape == expected.shape:
            expect(
                not bool(answer[back < 0].any()),
                f"{where} a position can see the future. Rows look, columns are looked at.",
            )
            expect(
                bool(answer.diagonal().all()),
                f"{where} a position cannot see itself.",
            )
            expect(
                not bool(answer[back >= window].any()),
                f"{where} a position looks back too far: it counts itself as one of the window.",
            )
            expect(
                bool(answer[expected].all()),
                f"{where} a position that lies within the window is hidden.",
            )
        expect_tensor(answer if answer is ... else _as_numbers(answer), expected.double())
    return "each position sees itself and its nearest past."


def _as_numbers(answer: Any) -> Any:
    return answer.double() if isinstance(answer, Tensor) else answer


@check
def parameters(solution: Any) -> str:
    """Check the size of multi-head attention: ``parameters(features, heads)``."""
    for features, heads in ((32, 4), (32, 1), (512, 8), (6, 3)):
        answer = solution(features, heads)
        expected = 4 * (features**2 + features)
        hint = f"For {features} features and {heads} heads it is another number."
        if isinstance(answer, int | float):
            slips: dict[float, str] = {
                3 * (features**2 + features): "What comes after the heads have read?",
                4 * features**2: "Each linear layer has biases, too.",
                3 * heads * (features**2 + features) + features**2 + features: (
                    "More heads do not cost more: each works on its share of the features."
                ),
            }
            hint = slips.get(answer, hint)
        expect_number(answer, expected, hint=hint)
    return "four square layers with biases, however many heads share them."


@check
def sharpness(solution: Any) -> str:
    """Check the factor on two scores: ``sharpness(gap, share)``."""
    for gap, share in ((1.0, 0.9), (0.25, 0.9), (3.0, 0.5), (2.0, 0.999)):
        expected = math.log(share / (1 - share)) / gap
        answer = solution(gap, share)
        expect_number(
            answer,
            expected,
            tolerance=1e-3 * max(expected, 1),
            hint=f"Two scores that differ by {gap:g}, times this factor, should give "
            f"the better one a weight of {share:g}.",
        )
    return "the closer the scores, the larger the factor that tells them apart."
