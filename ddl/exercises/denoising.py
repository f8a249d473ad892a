"""Checks of the exercises of the chapter on denoising."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from ddl.exercises import check, expect, expect_number, expect_tensor


@check
def join(solution: Callable[[Tensor, Tensor], Tensor]) -> str:
    """The decoder's map is resized to the encoder's and joined to it along the channels."""
    generator = torch.Generator().manual_seed(1)
    for batch, deep, early, small, large in ((2, 5, 3, 7, 14), (3, 2, 7, 5, 11)):
        decoder_map = torch.rand(batch, deep, small, small, generator=generator)
        encoder_map = torch.rand(batch, early, large, large, generator=generator)
        answer = solution(decoder_map, encoder_map)
        resized = F.interpolate(decoder_map, size=encoder_map.shape[-2:])
        swapped = torch.cat([encoder_map, resized], dim=1)
        if isinstance(answer, Tensor) and answer.shape == swapped.shape:
            expect(
                not torch.equal(answer, swapped),
                "the two maps are joined, in the other order: the decoder's map comes first.",
            )
        expect_tensor(
            answer,
            torch.cat([resized, encoder_map], dim=1),
            hint="Repeat each pixel (nearest neighbour); leave the encoder's map as it is.",
        )
    return "sizes match, channels add up, and nothing was learned to do it."


@check
def skip_cost(solution: Callable[[int, int, int], int]) -> str:
    """Counts the weights that a concatenated map adds to the next convolution."""
    for carried, filters, kernel in ((128, 64, 3), (64, 1, 3), (5, 7, 2)):
        biased = filters * (carried * kernel**2 + 1)
        answer = solution(carried, filters, kernel)
        expect(
            answer != biased,
            "the biases were there before the skip; count what is added.",
        )
        expect_number(
            answer,
            carried * filters * kernel**2,
            hint=f"With {carried} carried channels, {filters} filters and {kernel}x{kernel} "
            "kernels, each filter gets a kernel for each carried channel.",
        )
    return "the carry is free, the next layer pays for it."


@check
def floor(solution: Callable[[Tensor], float]) -> str:
    """Computes the entropy of grey pixels, which no prediction can go below."""
    generator = torch.Generator().manual_seed(2)
    grey = torch.rand(3, 1, 5, 7, generator=generator)
    black_and_white = grey.round()
    half = torch.full((2, 1, 3, 3), 0.5)
    for images, kind in ((grey, "grey"), (half, "half-grey"), (black_and_white, "black and white")):
        answer = solution(images)
        number = answer.item() if isinstance(answer, Tensor) and answer.numel() == 1 else answer
        expect(
            not isinstance(number, float) or number == number,
            f"the floor of {kind} images came out as nan: mind log(0) where a pixel is 0 or 1.",
        )
        expect_number(
            number,
            F.binary_cross_entropy(images, images).item(),
            hint=f"That is for {kind} images. Predict each pixel by itself and take the mean.",
            tolerance=1e-4,
        )
    return "grey pixels cost something even when they are predicted exactly."
