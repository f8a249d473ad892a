"""Checks of the exercises of the chapter on upsampling."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ddl.exercises import alike, check, expect, expect_number, expect_tensor


@check
def stamps(solution: Callable[[Tensor, Tensor, int], Tensor]) -> str:
    """A transposed convolution in one dimension, by a loop."""
    generator = torch.Generator().manual_seed(1)
    for size, taps, stride in ((5, 3, 1), (4, 3, 2), (3, 2, 5), (7, 5, 3)):
        x = torch.randn(size, generator=generator)
        kernel = torch.randn(taps, generator=generator)
        before = x.clone(), kernel.clone()
        answer = solution(x, kernel, stride)
        expect(
            torch.equal(x, before[0]) and torch.equal(kernel, before[1]),
            "the function changed its own input.",
        )
        expected = F.conv_transpose1d(x[None, None], kernel[None, None], stride=stride)[0, 0]
        case = f"That is for {size} pixels, {taps} taps and stride {stride}."
        if isinstance(answer, Tensor) and answer.shape == expected.shape:
            flipped = F.conv_transpose1d(x[None, None], kernel.flip(0)[None, None], stride=stride)
            expect(
                not alike(answer, flipped[0, 0], atol=1e-5),
                f"the stamps are mirrored: each pixel puts down the kernel as it is. {case}",
            )
            last_wins = torch.zeros_like(expected)
            for i, value in enumerate(x):
                last_wins[i * stride : i * stride + taps] = value * kernel
            expect(
                taps <= stride or not alike(answer, last_wins, atol=1e-5),
                f"a stamp overwrites the one before; where they overlap they add up. {case}",
            )
        expect_tensor(answer, expected, hint=case)
    return "every pixel stamps once, and stamps that overlap add up."


@check
def missing(solution: Callable[[int, int, int, int, int], int]) -> str:
    """The output padding that undoes the floor."""
    cases = (
        (28, 3, 2, 1, 1),
        (27, 3, 2, 1, 1),
        (30, 5, 4, 2, 1),
        (17, 3, 3, 0, 2),
        (19, 4, 5, 1, 3),
    )
    for size, kernel, stride, padding, dilation in cases:
        answer = solution(size, kernel, stride, padding, dilation)
        settings: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
        weight = torch.ones(1, 1, kernel)
        middle = F.conv1d(torch.ones(1, 1, size), weight, **settings)
        back = F.conv_transpose1d(middle, weight, **settings).shape[-1]
        expect_number(
            answer,
            size - back,
            hint=f"With size {size}, kernel {kernel}, stride {stride}, padding {padding} and "
            f"dilation {dilation}, the convolution gives {middle.shape[-1]} and, without output "
            f"padding, the way back {back}.",
        )
    return "what the floor dropped is asked back."


@check
def flat_start(solution: Callable[[Tensor, int], Tensor]) -> str:
    """A kernel whose phases are all equal."""
    generator = torch.Generator().manual_seed(2)
    for channels, filters, taps, stride in ((2, 3, 2, 2), (3, 2, 1, 3), (1, 5, 3, 2), (2, 1, 2, 3)):
        small = torch.randn(channels, filters, taps, taps, generator=generator)
        answer = solution(small, stride)
        expected = small.repeat_interleave(stride, 2).repeat_interleave(stride, 3)
        if isinstance(answer, Tensor) and answer.shape == expected.shape:
            expect(
                taps == 1 or not torch.equal(answer, small.repeat(1, 1, stride, stride)),
                "the small kernel is laid side by side as a whole. Its taps are to be copied, "
                "each into a block of its own.",
            )
            kernel = answer.detach().to(small)
            y = F.conv_transpose2d(torch.ones(1, channels, 5, 5), kernel, stride=stride)
            inside = y[..., stride * taps : -stride * taps, stride * taps : -stride * taps]
            spread = (inside.amax((2, 3)) - inside.amin((2, 3))).max().item()
            expect(
                spread < 1e-4,
                f"with stride {stride}, a constant input does not come out flat: values differ "
                f"by {spread:.2g}.",
            )
        expect_tensor(
            answer,
            expected,
            hint="Flat it is, yet the taps are not those of the small kernel.",
        )
    return "all phases are equal, so a constant stays constant."


@check
def fold(solution: Callable[[Tensor], Tensor]) -> str:
    """A resize-convolution as one transposed convolution."""
    generator = torch.Generator().manual_seed(3)
    for taps in (torch.tensor([1.0, 10.0, 100.0]), *torch.randn(3, 3, generator=generator)):
        answer = solution(taps.clone())
        a, b, c = taps
        expected = torch.stack([c, b + c, a + b, a])
        if isinstance(answer, Tensor) and answer.shape == expected.shape:
            expect(
                not alike(answer, expected.flip(0), atol=1e-5),
                "mirrored: what a convolution reads with its first tap, a stamp writes with its"
                " last.",
            )
            even, odd = answer[::2].sum(), answer[1::2].sum()
            expect(
                torch.allclose(even, odd, atol=1e-4),
                f"the phases sum to {even:.3g} and {odd:.3g}, so a constant would not stay flat.",
            )
        expect_tensor(
            answer,
            expected,
            hint=f"That is for the taps {', '.join(f'{tap:.3g}' for tap in taps)}.",
        )
    return "two layers are one, with four taps made from three."
