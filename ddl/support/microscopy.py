"""Drawn microscope images of touching cells: how a few random points become a tissue.

Each cell is what lies nearest to one of a few scattered points, so that cells touch
everywhere and a wall parts any two neighbours. `draw_cells` makes images and the masks of
their membranes in four steps:

    points -> bend the sheet -> walls half way between points -> light and noise

Three things make the task honest. Light is uneven and walls fade, so that no one
threshold finds them. Nuclei have rims as dark as a wall, so that a small window does not
tell one from the other. And the truth is known for every pixel.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ddl.support.inputs import at_least_1, checked

CHUNK = 32  # images drawn at once: 32 x 4096 pixels x 36 points are 19 MB

# Lengths are pixels, shades run from 0 (black) to 1 (white).
SPACING = 22.0  # from one point to the next, before they wander
WANDER = 0.38  # of a spacing: how far points leave their grid
BEND, WAVES, WAVELENGTH = 1.1, 3, 30.0  # of the sheet: height, number and length of its waves
WALL, WALL_SPREAD = 1.4, 0.15  # half the width of what the mask calls membrane
EDGE = 1.4  # half the width of a wall's or a rim's dark line
INSIDE, INSIDE_SPREAD = 0.72, 0.06  # shade of a cell, and how cells differ
DARK, FADE = 0.42, 0.45  # how much darker a wall is, and the part of it that may fade
NUCLEI = 0.75  # part of the cells that have one
SMALLEST, LARGEST = 3.0, 5.5  # radius of a nucleus
LIGHT = 0.22  # how much one side of an image is brighter than the other
NOISE = 0.11  # standard deviation for each pixel


@checked
def draw_cells(
    count: int, *, size: int = 64, generator: torch.Generator
) -> tuple[Float[Tensor, "count 1 size size"], Bool[Tensor, "count 1 size size"]]:
    """Return drawn images of touching cells, and where their membranes are.

    Args:
        count: Number of images.
        size: Height and width of an image in pixels.
        generator: CPU generator: points, bends, light and noise all come from it.

    Returns:
        Images in [0, 1], cells bright and membranes dark, and masks that are true on
        membranes: about a fifth of the pixels. The rim of a nucleus is no membrane.

    Raises:
        ValueError: If ``count`` is negative or ``size`` is less than 1.
    """
    if count < 0:
        raise ValueError(f"count must be at least 0, got {count}")
    at_least_1(size=size)
    images = torch.empty(count, 1, size, size)
    masks = torch.empty(count, 1, size, size, dtype=torch.bool)
    for start in range(0, count, CHUNK):
        chunk = slice(start, min(start + CHUNK, count))
        images[chunk, 0], masks[chunk, 0] = _draw(images[chunk].shape[0], size, generator)
    return images, masks


def _draw(
    count: int, size: int, generator: torch.Generator
) -> tuple[Float[Tensor, "count size size"], Bool[Tensor, "count size size"]]:
    def uniform(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator)

    pixels = _bent_pixels(count, size, generator)
    points = _points(count, size, generator)
    centre, wall, nearest = _distances(pixels, points)

    def of_cell(values: Float[Tensor, "count points"]) -> Float[Tensor, "count pixels"]:
        return values.gather(1, nearest)

    cells = points.shape[1]
    shade = INSIDE + INSIDE_SPREAD * (2 * of_cell(uniform(cells)) - 1)
    fading = 1 - FADE * _smooth(pixels, generator)
    radius = SMALLEST + (LARGEST - SMALLEST) * of_cell(uniform(cells))
    rim = _line(centre - radius) * (of_cell(uniform(cells)) < NUCLEI)
    rim = rim * (wall > 2 * EDGE)  # a nucleus keeps clear of the wall
    dark = torch.maximum(_line(wall) * fading, rim)
    light = LIGHT * (_smooth(pixels, generator) - 0.5)
    noise = NOISE * torch.randn(count, size**2, generator=generator)
    image = (shade - DARK * dark + light + noise).clamp(0, 1)
    half_width = WALL + WALL_SPREAD * (2 * uniform(1) - 1)
    return image.unflatten(1, (size, size)), (wall < half_width).unflatten(1, (size, size))


def _bent_pixels(
    count: int, size: int, generator: torch.Generator
) -> Float[Tensor, "count pixels 2"]:
    """Return where each pixel lies on a sheet that is bent by a few waves."""
    axis = torch.arange(size, dtype=torch.float32)
    pixels = torch.cartesian_prod(axis, axis)
    direction = 2 * math.pi * torch.rand(count, 1, WAVES, generator=generator)
    waves = torch.cat([direction.cos(), direction.sin()], dim=1) * 2 * math.pi / WAVELENGTH
    phase = 2 * math.pi * torch.rand(count, 1, WAVES, generator=generator)
    sway = BEND * torch.randn(count, WAVES, 2, generator=generator)
    return pixels + torch.sin(pixels @ waves + phase) @ sway


def _points(count: int, size: int, generator: torch.Generator) -> Float[Tensor, "count points 2"]:
    """Return a square grid of points that lies anywhere, each point shaken."""
    reach = math.ceil(size / SPACING + 0.5) + 3  # cells outside the frame still push in
    axis = torch.arange(reach) - 1.5
    grid = torch.cartesian_prod(axis, axis)
    start = torch.rand(count, 1, 2, generator=generator)
    shake = WANDER * (2 * torch.rand(count, len(grid), 2, generator=generator) - 1)
    return SPACING * (grid - start + shake)


def _distances(
    pixels: Float[Tensor, "count pixels 2"], points: Float[Tensor, "count points 2"]
) -> tuple[Float[Tensor, "count pixels"], Float[Tensor, "count pixels"], Tensor]:
    r"""Return each pixel's distances from its cell's point and wall, and the number of its cell.

    The wall between points :math:`a` and :math:`b` is the line of pixels :math:`p` as far
    from one as from the other; :math:`(|p-b|^2 - |p-a|^2) / (2 |b-a|)` is the distance from it.
    """
    # A matrix product is faster, and near enough as long as no coordinate is large.
    fast = "use_mm_for_euclid_dist_if_necessary"
    mode = fast if pixels.shape[1] <= 128**2 else "donot_use_mm_for_euclid_dist"
    squares = torch.cdist(pixels, points, compute_mode=mode).square()
    two, which = squares.topk(2, dim=2, largest=False)
    a, b = (points.gather(1, which[..., i, None].expand(-1, -1, 2)) for i in (0, 1))
    apart = torch.linalg.norm(b - a, dim=-1)
    return two[..., 0].sqrt(), (two[..., 1] - two[..., 0]) / (2 * apart), which[..., 0]


def _line(distance: Tensor) -> Tensor:
    """Return how dark a line is at some distance from its middle, 1 at most."""
    return torch.exp(-((distance / EDGE) ** 2))


def _smooth(
    pixels: Float[Tensor, "count pixels 2"], generator: torch.Generator
) -> Float[Tensor, "count pixels"]:
    """Return one slow wave over each image, from 0 to 1."""
    count = len(pixels)
    direction, phase = 2 * math.pi * torch.rand(2, count, 1, 1, generator=generator)
    wave = torch.cat([direction.cos(), direction.sin()], dim=1) * math.pi / WAVELENGTH
    return (0.5 + 0.5 * torch.sin(pixels @ wave + phase)).squeeze(2)
