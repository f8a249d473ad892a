"""Wrong answers of several kinds get the message that helps."""

from collections.abc import Callable

import torch
from exercises import both_ways
from torch import Tensor
from torch.nn import functional as F

from ddl.exercises import segmentation as check


def right_iou(prediction: Tensor, truth: Tensor) -> Tensor:
    both = (prediction & truth).flatten(1).sum(1)
    either = (prediction | truth).flatten(1).sum(1)
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


def right_join(early: Tensor, late: Tensor) -> Tensor:
    height, width = late.shape[-2:]
    top, left = (early.shape[-2] - height) // 2, (early.shape[-1] - width) // 2
    return torch.cat([early[..., top : top + height, left : left + width], late], dim=1)


def right_tile(wanted: int, output_size: Callable[[int], int]) -> int:
    size = wanted
    while True:
        try:
            if output_size(size) >= wanted:
                return size
        except ValueError:
            pass
        size += 1


RIGHT = [
    (check.iou_each, right_iou),
    (check.crop_and_join, right_join),
    (check.smallest_tile, right_tile),
]


def dice_each(p: Tensor, t: Tensor) -> Tensor:
    return 2 * (p & t).flatten(1).sum(1) / (p.flatten(1).sum(1) + t.flatten(1).sum(1))


def sum_as_union(p: Tensor, t: Tensor) -> Tensor:
    return (p & t).flatten(1).sum(1) / (p.flatten(1).sum(1) + t.flatten(1).sum(1))


def nan_where_empty(p: Tensor, t: Tensor) -> Tensor:
    return (p & t).flatten(1).sum(1) / (p | t).flatten(1).sum(1)


def zero_where_empty(p: Tensor, t: Tensor) -> Tensor:
    return nan_where_empty(p, t).nan_to_num(0.0)


def never_steps(wanted: int, output_size: Callable[[int], int]) -> int:
    while True:
        try:
            if output_size(wanted) == -1:
                return wanted
        except Exception:
            pass


def first_allowed(wanted: int, output_size: Callable[[int], int]) -> int:
    size = 1
    while True:
        try:
            output_size(size)
        except ValueError:
            size += 1
        else:
            return size


def exactly(wanted: int, output_size: Callable[[int], int]) -> int:
    size = wanted
    while True:
        try:
            if output_size(size) == wanted:
                return size
        except ValueError:
            pass
        size += 1


WRONG = [
    (check.iou_each, lambda p, t: 0.5, "one number for all images"),
    (check.iou_each, lambda p, t: right_iou(p, t).mean(), r"expected a \(5,\) output, got \(\)"),
    (check.iou_each, dice_each, "Dice"),
    (check.iou_each, lambda p, t: (p == t).float().flatten(1).mean(1), "shares of right pixels"),
    (check.iou_each, sum_as_union, "values are not"),
    (check.iou_each, nan_where_empty, "two empty masks are equal"),
    (check.iou_each, zero_where_empty, "two empty masks are equal"),
    (check.iou_each, lambda p, t: right_iou(p, t)[:, None], r"got \(5, 1\)"),
    (check.crop_and_join, lambda e, d: torch.cat([e, d], 1), "raised"),
    (
        check.crop_and_join,
        lambda e, d: torch.cat([e[..., : d.shape[-2], : d.shape[-1]], d], 1),
        "upper left corner",
    ),
    (
        check.crop_and_join,
        lambda e, d: torch.cat([d, right_join(e, d)[:, : e.shape[1]]], 1),
        "in the other order",
    ),
    (
        check.crop_and_join,
        lambda e, d: torch.cat([F.interpolate(e, size=d.shape[-2:]), d], 1),
        "nothing is resized",
    ),
    (check.crop_and_join, lambda e, d: right_join(e, 0 * d), "behind the encoder's, as it is"),
    (check.crop_and_join, lambda e, d: right_join(e, d)[:, :3], r"expected a \(2, 8, 7, 11\)"),
    (check.smallest_tile, never_steps, "Does it stop"),
    (check.smallest_tile, lambda wanted, output_size: wanted, "388 is not allowed"),
    (check.smallest_tile, first_allowed, "too small"),
    (check.smallest_tile, exactly, "Does it stop"),
    (check.smallest_tile, lambda w, size: right_tile(w, size) + 16, "larger than need be"),
    (check.smallest_tile, lambda w, size: w + 184, "573 is not allowed"),
    (check.smallest_tile, lambda w, size: float(right_tile(w, size)) + 0.5, "is not it"),
]

test_right_answers, test_stubs, test_wrong_answers, test_spoiled_answers = both_ways(RIGHT, WRONG)
