"""Checks of the exercises of the chapter on convolution."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from ddl.exercises import alike, check, expect, expect_number, expect_tensor


@check
def padding_for(solution: Callable[[int, int], int]) -> str:
    """The padding that keeps the size."""
    for kernel, dilation in ((3, 1), (5, 1), (1, 3), (3, 2), (7, 3), (5, 4)):
        answer = solution(kernel, dilation)
        x, weight = torch.ones(1, 1, 31), torch.ones(1, 1, kernel)
        bare = F.conv1d(x, weight, dilation=dilation).shape[-1]
        expect_number(
            answer,
            (31 - bare) // 2,
            hint=f"With kernel {kernel} and dilation {dilation}, 31 pixels become {bare} where "
            "nothing is padded.",
        )
        expect(
            isinstance(answer, int)
            or (isinstance(answer, Tensor) and not answer.is_floating_point()),
            f"a convolution wants a whole number, got {answer!r}.",
        )
    return "as many pixels come out as went in."


@check
def pointwise(solution: Callable[[Tensor, Tensor], Tensor]) -> str:
    """A 1x1 convolution as one matrix."""
    generator = torch.Generator().manual_seed(1)
    for batch, channels, filters, height, width in (
        (2, 3, 5, 7, 4),
        (3, 4, 4, 4, 4),
        (1, 6, 1, 2, 5),
    ):
        x = torch.randn(batch, channels, height, width, generator=generator)
        matrix = torch.randn(filters, channels, generator=generator)
        before = x.clone(), matrix.clone()
        answer = solution(x, matrix)
        expect(
            torch.equal(x, before[0]) and torch.equal(matrix, before[1]),
            "the function changed its own input.",
        )
        expected = F.conv2d(x, matrix[:, :, None, None])
        if isinstance(answer, Tensor) and answer.shape == expected.shape:
            expect(
                filters != channels
                or not alike(answer, F.conv2d(x, matrix.T[:, :, None, None]), atol=1e-5),
                "the matrix is used the wrong way round: its rows are the filters.",
            )
            for axis, name in ((2, "height"), (3, "width")):
                other = (
                    torch.einsum("fc,bhwc->bhwf", matrix, x.movedim(axis, -1))
                    if (x.shape[axis] == channels)
                    else None
                )
                expect(
                    other is None or not alike(answer, other.movedim(-1, axis), atol=1e-5),
                    f"the matrix mixes the {name}, not the channels.",
                )
        expect_tensor(
            answer,
            expected,
            hint=f"That is for {channels} channels and {filters} filters.",
        )
    return "one matrix serves every pixel."


@check
def widest(solution: Callable[[int, int, int], int]) -> str:
    """Up to how many middle channels a 1x1 convolution saves."""
    for channels, filters, kernel in (
        (64, 128, 5),
        (32, 8, 3),
        (4, 4, 1),
        (256, 256, 3),
        (16, 5, 2),
        (72, 1, 3),
    ):
        answer = solution(channels, filters, kernel)
        direct = channels * filters * kernel**2
        most = max(m for m in range(channels + 1) if m * (channels + filters * kernel**2) < direct)
        expect_number(
            answer,
            most,
            hint=f"That is for {channels} channels, {filters} filters and kernel {kernel}, where "
            f"the direct convolution has {direct:,} weights.",
        )
    return "one more, and nothing is saved."


@check
def average_weight(solution: Callable[[int, int], Tensor]) -> str:
    """Average pooling as a convolution."""
    generator = torch.Generator().manual_seed(2)
    for channels, size in ((3, 2), (1, 3), (5, 3), (2, 4)):
        answer = solution(channels, size)
        x = torch.randn(2, channels, 3 * size, 2 * size, generator=generator)
        wanted = (channels, channels, size, size)
        if isinstance(answer, Tensor) and tuple(answer.shape) == wanted:
            across = answer.detach() * (1 - torch.eye(channels))[:, :, None, None]
            expect(
                not across.any(),
                "channels are mixed: pooling keeps each channel to itself.",
            )
            ones = F.conv2d(torch.ones_like(x), answer.detach().float(), stride=size)
            level = ones.mean().item()
            expect(
                abs(level - 1) < 1e-4,
                f"an image of ones comes out as {level:.3g}: the weights of a window do not sum "
                "to 1.",
            )
        expect_tensor(
            answer,
            torch.eye(channels)[:, :, None, None].expand(wanted) / size**2,
            hint=f"That is for {channels} channels and windows of {size}.",
        )
    return "a mean is a weighted sum, so this pooling is a convolution."
