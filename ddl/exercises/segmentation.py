"""Checks of the exercises on segmentation."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ddl.exercises import NotYet, alike, check, expect, expect_number, expect_tensor


@check
def iou_each(solution: Any) -> str:
    """Check the IoU of each image: ``iou_each(prediction, truth)``."""
    generator = torch.Generator().manual_seed(0)
    for batch, height, width in ((5, 7, 3), (2, 11, 13)):
        prediction, truth = torch.rand(2, batch, 1, height, width, generator=generator) < 0.4
        prediction[0] = truth[0]
        prediction[1] = truth[1] & ~truth[1]
        expected, dice, accuracy = [], [], []
        for p, t in zip(prediction.flatten(1).tolist(), truth.flatten(1).tolist(), strict=True):
            both = sum(a and b for a, b in zip(p, t, strict=True))
            expected.append(both / (sum(p) + sum(t) - both))
            dice.append(2 * both / (sum(p) + sum(t)))
            accuracy.append(sum(a == b for a, b in zip(p, t, strict=True)) / len(p))
        answer = solution(prediction.clone(), truth.clone())
        expect(
            not (isinstance(answer, int | float) and not isinstance(answer, bool)),
            "that is one number for all images. There should be one for each.",
        )
        hint = ""
        if isinstance(answer, Tensor) and answer.shape == (batch,):
            if alike(answer, torch.tensor(dice), atol=1e-4):
                hint = "These are Dice's coefficients. The IoU counts what is in both once."
            elif alike(answer, torch.tensor(accuracy), atol=1e-4):
                hint = "These are shares of right pixels. Only what is marked should count."
        expect_tensor(answer, torch.tensor(expected), hint=hint)
    empty = torch.zeros(3, 1, 5, 2, dtype=torch.bool)
    full = ~empty
    answer = solution(
        torch.stack([empty[0], full[0], empty[0]]), torch.stack([*full[:1], *empty[:2]])
    )
    expect_tensor(
        answer,
        torch.tensor([0.0, 0.0, 1.0]),
        hint="Mind images in which a mask is empty: two empty masks are equal, one is a miss.",
    )
    return "one number for each image, and no division by zero."


@check
def crop_and_join(solution: Any) -> str:
    """Check a skip of the original U-Net: ``crop_and_join(early, late)``."""
    generator = torch.Generator().manual_seed(0)
    for batch, channels, others, size, room in (
        (2, 3, 5, (7, 11), (4, 2)),
        (3, 5, 2, (5, 5), (0, 6)),
    ):
        (height, width), (up, across) = size, room
        early = torch.randn(batch, channels, height + up, width + across, generator=generator)
        late = torch.randn(batch, others, height, width, generator=generator)
        rows, columns = slice(up // 2, up // 2 + height), slice(across // 2, across // 2 + width)
        middle = early[:, :, rows, columns]
        answer = solution(early.clone(), late.clone())
        if isinstance(answer, Tensor) and answer.shape == (batch, channels + others, height, width):
            answer = answer.to(late)
            expect(
                not torch.equal(answer, torch.cat([late, middle], dim=1)),
                "the two maps are joined, in the other order: the encoder's map comes first.",
            )
            expect(
                torch.equal(answer[:, channels:], late),
                "the decoder's map should stand behind the encoder's, as it is.",
            )
            expect(
                not torch.equal(answer[:, :channels], early[:, :, :height, :width]),
                "that is the upper left corner of the encoder's map. The middle is wanted.",
            )
        expect_tensor(
            answer,
            torch.cat([middle, late], dim=1),
            hint="Cut as much from the top as from the bottom, and nothing is resized.",
        )
    return "each pixel meets the map of the place it came from."


class _Endless(BaseException):
    """Stops a search that does not end; not an Exception, so that no solution catches it."""


def _counted(depth: int) -> Callable[[int], int]:
    """Return the output size of an unpadded U-Net as a function that answers 5,000 times."""
    asked = 0

    def output_size(size: int) -> int:
        nonlocal asked
        asked += 1
        if asked > 5_000:
            raise _Endless
        bottom, odd = divmod(size - 4 * (2**depth - 1), 2**depth)
        if odd or bottom < 5:
            raise ValueError(f"size {size} is not allowed")
        return size - 12 * 2**depth + 8

    return output_size


@check
def smallest_tile(solution: Any) -> str:
    """Check a tile's size: ``smallest_tile(wanted, output_size)``."""
    for depth, wanted in ((4, 388), (4, 389), (2, 60), (1, 1), (3, 100)):
        step = 2**depth
        lost = 12 * step - 8
        # The bottom map, before its convolutions, has any whole size from 5 on.
        bottom = max(5, -(-(wanted + lost - 4 * (step - 1)) // step))
        expected = bottom * step + 4 * (step - 1)
        try:
            answer = solution(wanted, _counted(depth))
        except _Endless:
            raise NotYet("your search asked for 5,000 sizes and went on. Does it stop?") from None
        where = f"for wanted={wanted} and a net that halves {depth} times"
        if isinstance(answer, int) and not isinstance(answer, bool):
            odd = (answer - 4 * (step - 1)) % step
            expect(not odd, f"{where} a tile of {answer} is not allowed: one of its maps is odd.")
            expect(answer >= expected, f"{where} a tile of {answer} is too small.")
            expect(answer <= expected, f"{where} {answer} is larger than need be.")
        expect_number(answer, expected, hint=f"It is wrong {where}.")
    return "for 388 pixels it is the paper's tile."
