"""Handwritten digits that need no download: how a few pen strokes become images like MNIST's.

Each style of a digit is a handful of points on squared paper, and a writer's
hand is noise in the right places: points wander, the page bends, leans and
turns, pens differ. `draw_digits` goes from one to the other in five steps:

    style -> curve through its points -> bend the page -> fit the frame -> ink

A network trained on these drawings alone reads MNIST's real digits nine times
in ten and better; ``tests/test_handwriting.py`` measures it.
"""

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ddl.support.inputs import checked

# How people write digits, from memory and on ten-by-ten paper. The point "xy" lies in column x
# and row y, counted from the top left. A stroke is a smooth curve through its points; a point
# written twice is a sharp corner; "/" lifts the pen. Where a point's name comes back within a
# style, it is the same point: strokes that meet stay together however they are bent.
STYLES: dict[int, tuple[str, ...]] = {
    0: (
        "50 21 14 27 49 77 84 71 50",  # round
        "50 32 25 38 59 67 64 51 40",  # narrow, left open
        "61 31 13 17 39 78 85 72 50 31",  # the end overlaps the start
        "51 30 12 16 38 69 87 83 61 30",  # leaning back
        "62 31 04 07 38 77 95 82 51",  # wide and flat
        "60 42 24 17 39 68 86 83 71 50",  # egg
    ),
    1: (
        "50 49",  # one straight line
        "50 45 49",  # one bent line
        "32 50 50 59",  # flag
        "23 50 50 59 / 29 89",  # flag and base
    ),
    2: (
        "12 30 60 72 65 38 19 19 89",  # angular foot
        "12 30 60 73 56 39 18 27 48 89 98",  # loop in the foot
        "22 40 71 64 37 19 19 48 89 98",  # wavy foot
        "11 50 73 56 19 19 99",  # flat and wide
        "13 11 40 71 74 57 28 17 35 57 89",  # great loop, short tail
        "10 70 70 45 19 19 89",  # like a Z
        "22 30 60 73 66 38 18 06 25 57 89",  # round foot
    ),
    3: (
        "11 40 71 73 44 44 75 78 49 18",  # two bows, one corner
        "12 40 71 63 44 35 45 75 77 49 18",  # small loop in the waist
        "10 70 70 44 44 76 78 49 18",  # flat top
        "11 40 62 53 34 34 64 77 58 29 08",  # round and slim
        "12 30 60 73 54 34 34 65 77 59 29 08",  # both bows round
        "22 41 70 72 54 44 44 64 66 48 19 08",  # leaning, two bows
        "01 30 61 52 33 33 75 87 79 48 18",  # small head, large belly
        "12 40 81 83 54 34 34 65 67 49 29",  # large head
        "21 40 71 62 44 44 65 57 38 09",  # leaning, long tail
    ),
    4: (
        "30 15 15 85 / 71 69",  # open
        "20 14 36 65 73 / 80 74 69",  # a bowl and a leg
        "60 15 15 85 / 60 59",  # closed
        "10 04 04 84 / 70 69",  # square
        "20 15 25 64 80 80 65 59",  # one stroke
        "40 16 16 96 / 51 49",  # low bar, short leg
    ),
    5: (
        "70 20 20 14 14 43 75 68 39 08",  # angular
        "20 14 14 53 76 58 29 08 / 20 80",  # the bar comes last
        "80 40 22 34 65 67 49 18",  # like an S
        "80 30 30 24 24 54 77 69 39 17",  # belly closes below
        "20 23 23 53 75 68 38 17 / 31 90",  # the bar flies off
    ),
    6: (
        "60 33 16 28 59 77 65 35 17",  # leans on its back
        "40 24 17 39 68 66 45 17",  # narrow
        "71 40 13 16 38 69 87 75 45 17",  # hooked top
        "30 14 17 39 69 87 75 55 36 38",  # ring turned inwards
        "40 22 15 27 49 78 86 74 45 26",  # large ring
        "61 33 15 17 39 69 87 85 64 45 27 28",  # ring as wide as the arch
        "81 50 23 15 17 39 68 76 54 35 16",  # long arched neck
    ),
    7: (
        "10 80 80 49",  # plain
        "11 40 80 80 65 49",  # arched
        "12 10 10 80 80 54 39",  # serif
        "10 80 80 49 / 25 75",  # crossbar
        "12 20 50 80 72 55 49 / 35 85",  # round corner, crossbar
        "13 11 30 60 72 65 59",  # round all the way
        "20 80 80 54 49 / 15 95",  # wide crossbar
        "03 22 22 80 80 56 39",  # long hook at the start
    ),
    8: (
        "71 40 12 44 77 49 17 44 71",  # one stroke
        "40 12 44 72 40 / 44 17 49 77 44",  # two rings
        "80 40 22 44 67 49 17 45 81",  # left open
        "72 40 22 44 66 58 39 27 45 63",  # narrow
        "61 30 12 34 55 57 39 27 45 72 60",  # large head, small belly
        "81 50 21 13 44 65 67 49 28 36 54 82",  # wide head
        "19 37 54 72 50 22 34 57 79",  # a ribbon, open below
        "90 54 27 29 58 46 23 31 50",  # open above, the pen flies in
    ),
    9: (
        "72 50 22 24 45 72 72 69",  # straight leg
        "72 50 22 24 45 72 72 76 49 18",  # curved leg
        "71 40 12 14 35 64 71 71 59",  # bowed leg
        "61 30 12 14 34 62 61 65 49",  # round corner
        "60 30 13 25 54 72 60 60 59",  # leg from the top
        "70 40 21 14 35 54 72 70 70 56 39",  # ring and slanted leg
        "80 40 13 24 54 81 81 66 49",  # wide
        "80 40 12 15 37 65 82 80 79",  # a large ring on a short leg
    ),
}

SIDE = 28  # pixels along the frame
BOX = 20  # pixels along the box that a digit fills, as in MNIST
DISCS = 80  # dots of ink per digit: on the longest strokes still closer than the pen is wide
CHUNK = 128  # digits inked at once: 128 x 80 x 784 distances are 32 MB

# A writer's hand. Lengths are parts of the paper's side, angles radians, the pen's pixels.
WANDER = 0.03  # of each point
BEND, WAVES, WAVENUMBER = 0.28, 3, 4.0  # of the page: slope, number and wave number of its waves
STRETCH, STRETCH_SPREAD = -0.12, 0.15  # logarithm of the width: digits are narrow
SLANT, SLANT_SPREAD = 0.15, 0.25  # to the right, as most people write
TURN = 0.15
PEN, PEN_SPREAD, THINNEST, THICKEST = 1.2, 0.28, 0.8, 2.2  # radius of the line
PRESSURE = 0.15  # part of the radius that comes and goes along the line
SHARPEST, SOFTEST = 0.9, 1.3  # width of the line's grey edge


@checked
def draw_digits(
    labels: Int[Tensor, "count"], *, generator: torch.Generator
) -> Float[Tensor, "count 1 28 28"]:
    """Return one drawn digit for each label, white on black, laid out as in MNIST.

    Args:
        labels: The digits to draw, 0 to 9.
        generator: CPU generator: styles, hands and pens all come from it.

    Returns:
        Images in [0, 1]. Each digit fits a box of 20 pixels, its centre of mass in the middle.

    Raises:
        ValueError: If ``labels`` is not a row of integers from 0 to 9.
    """
    _check_labels(labels)
    points, weights = _compile_styles()
    styles_of = torch.tensor([len(STYLES[digit]) for digit in range(10)])
    first_of = styles_of.cumsum(0) - styles_of
    images = []
    for digits in labels.long().split(CHUNK):
        chance = torch.rand(len(digits), generator=generator)
        style = first_of[digits] + (chance * styles_of[digits]).long()
        wandering = WANDER * torch.randn(len(digits), *points.shape[1:], generator=generator)
        curves = _bend(weights[style] @ (points[style] + wandering), generator)
        radii = _pen_radii(len(digits), generator)
        edge = SHARPEST + (SOFTEST - SHARPEST) * torch.rand(len(digits), 1, generator=generator)
        images.append(_centre(_ink(_fit(curves, radii), radii, edge)))
    return torch.cat(images).unsqueeze(1)


def _check_labels(labels: Tensor) -> None:
    wrong = labels[(labels < 0) | (labels > 9)]
    if len(wrong):
        raise ValueError(f"labels must be digits from 0 to 9, got {wrong[0].item()}")


def _compile_styles() -> tuple[
    Float[Tensor, "styles points 2"], Float[Tensor, "styles discs points"]
]:
    """Return every style's points, and the weights that turn them into its curve.

    A curve is linear in the points it passes through: once a style is a matrix of weights, any
    number of wandering copies of its points become curves in one batched product.
    """
    compiled = [_compile_style(style) for styles in STYLES.values() for style in styles]
    points = pad_sequence([points for points, _ in compiled], batch_first=True)
    weights = pad_sequence([weights.mT for _, weights in compiled], batch_first=True).mT
    return points, weights


def _compile_style(style: str) -> tuple[Float[Tensor, "points 2"], Float[Tensor, "discs points"]]:
    pieces = list(_smooth_pieces(style))
    names = list(dict.fromkeys(name for piece in pieces for name in piece))
    points = torch.tensor([[int(x), int(y)] for x, y in names]) / 9
    weights = []
    for piece in pieces:
        chosen = torch.eye(len(names))[[names.index(name) for name in piece]]
        weights.append(_catmull_rom(len(piece)) @ chosen)
    # Discs at equal steps of the way the pen goes on paper; in the air it adds nothing.
    steps = [torch.linalg.norm((dense @ points).diff(dim=0), dim=1) for dense in weights]
    way = torch.cat([torch.cat([torch.zeros(1), step]) for step in steps]).cumsum(0)
    at = torch.searchsorted(way, torch.linspace(0, 1, DISCS) * way[-1])
    return points, torch.cat(weights)[at]


def _smooth_pieces(style: str) -> Iterator[list[str]]:
    """Cut a style where the pen is lifted and at its corners."""
    for stroke in style.split("/"):
        names = stroke.split()
        corners = [i for i in range(1, len(names)) if names[i] == names[i - 1]]
        for start, stop in pairwise([0, *corners, len(names)]):
            yield names[start:stop]


def _catmull_rom(count: int) -> Float[Tensor, "samples count"]:
    """Return the weights of ``count`` points on a smooth curve through them, 32 steps a span.

    Source: Catmull and Rom, A class of local interpolating splines (1974).
    """
    position = torch.linspace(0, count - 1, 32 * (count - 1) + 1)
    span = position.floor().clamp(max=count - 2)
    powers = (position - span)[:, None] ** torch.arange(4)
    cubic = torch.tensor([[0.0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    # Each span also needs the points before and after it; past an end, the end's mirror image.
    point = torch.eye(count)
    before, after = 2 * point[:1] - point[1:2], 2 * point[-1:] - point[-2:-1]
    neighbours = torch.cat([before, point, after])[span.long()[:, None] + torch.arange(4)]
    return ((powers @ cubic).unsqueeze(1) @ neighbours).squeeze(1)


def _bend(
    curves: Float[Tensor, "count discs 2"], generator: torch.Generator
) -> Float[Tensor, "count discs 2"]:
    """Bend, stretch, slant and turn the paper under each digit."""
    count = len(curves)
    curves = curves - 0.5
    waves = WAVENUMBER * torch.randn(count, 2, WAVES, generator=generator)
    phase = 2 * math.pi * torch.rand(count, 1, WAVES, generator=generator)
    # Short waves are shallow ones: paper bends, it does not crumple.
    height = BEND / (1 + torch.linalg.norm(waves, dim=1).unsqueeze(-1))
    sway = height * torch.randn(count, WAVES, 2, generator=generator)
    x, y = (curves + torch.sin(curves @ waves + phase) @ sway).unbind(-1)

    stretch, slant, turn = torch.randn(3, count, 1, generator=generator)
    x = x * torch.exp(STRETCH + STRETCH_SPREAD * stretch)
    x = x - (SLANT + SLANT_SPREAD * slant) * y
    cos, sin = torch.cos(TURN * turn), torch.sin(TURN * turn)
    return torch.stack([cos * x - sin * y, sin * x + cos * y], dim=-1)


def _pen_radii(count: int, generator: torch.Generator) -> Float[Tensor, "count discs"]:
    spread = PEN_SPREAD * torch.randn(count, 1, generator=generator)
    pen = (PEN * spread.exp()).clamp(THINNEST, THICKEST)
    phase = 2 * math.pi * torch.rand(count, 1, generator=generator)
    return pen * (1 + PRESSURE * torch.sin(torch.linspace(0, 2 * math.pi, DISCS) + phase))


def _fit(
    curves: Float[Tensor, "count discs 2"], radii: Float[Tensor, "count discs"]
) -> Float[Tensor, "count discs 2"]:
    """Scale and move each digit, the pen's width included, into a box around the origin."""
    low, high = curves.amin(1, keepdim=True), curves.amax(1, keepdim=True)
    length = (BOX - 2 * radii.mean(1))[:, None, None]
    return (curves - (low + high) / 2) * length / (high - low).amax(2, keepdim=True)


def _ink(
    curves: Float[Tensor, "count discs 2"],
    radii: Float[Tensor, "count discs"],
    edge: Float[Tensor, "count 1"],
) -> Float[Tensor, "count 28 28"]:
    r"""Ink each pixel by how far it lies inside the nearest disc, with a soft edge.

    Nearest in the power :math:`|p - q|^2 - r^2 = |p|^2 + (-2 p \cdot q + |q|^2 - r^2)` of pixel
    ``p`` and disc ``q``: one matrix product gives the bracket for all discs and pixels at once.
    """
    axis = torch.arange(SIDE) - (SIDE - 1) / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    x, y = x.flatten(), y.flatten()
    pixels = torch.stack([-2 * x, -2 * y, torch.ones(SIDE**2)])
    power = (curves**2).sum(-1) - radii**2
    discs = torch.cat([curves, power[..., None]], dim=-1)
    nearest = x**2 + y**2 + (discs @ pixels).amin(1)
    radius = radii.mean(1, keepdim=True)
    distance = (nearest + radius**2).clamp(min=0).sqrt()
    return (0.5 + (radius - distance) / edge).clamp(0, 1).unflatten(1, (SIDE, SIDE))


def _centre(images: Float[Tensor, "count 28 28"]) -> Float[Tensor, "count 28 28"]:
    """Move each image by whole pixels until its centre of mass is in the middle, as in MNIST."""
    axis = torch.arange(SIDE)
    mass = images.sum((1, 2))[:, None]
    # The margin around the box, less a pixel for soft edges, is as far as a digit can go.
    room = (SIDE - BOX) // 2 - 1
    down = (images.sum(2) / mass) @ axis.float() - (SIDE - 1) / 2
    right = (images.sum(1) / mass) @ axis.float() - (SIDE - 1) / 2
    # What leaves the frame on one side, black margin, comes back on the other.
    rows = (axis + down.round().long().clamp(-room, room)[:, None]) % SIDE
    columns = (axis + right.round().long().clamp(-room, room)[:, None]) % SIDE
    return images[torch.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]]
