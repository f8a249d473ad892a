"""Drawn cells: seeded, laid out as promised, with a truth that geometry confirms."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ddl.support import microscopy
from ddl.support.microscopy import draw_cells


def draw(count: int, seed: int, size: int = 48) -> tuple[Tensor, Tensor]:
    return draw_cells(count, size=size, generator=torch.Generator().manual_seed(seed))


def test_seed_decides_every_pixel() -> None:
    first, again, other = draw(40, 0), draw(40, 0), draw(40, 1)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert (first[0] != other[0]).flatten(1).any(1).all()
    assert (first[1] != other[1]).flatten(1).any(1).all()


def test_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    draw(3, 0)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("count", [0, 1, microscopy.CHUNK, microscopy.CHUNK + 1])
@pytest.mark.parametrize("size", [1, 29])
def test_shape_and_range(count: int, size: int) -> None:
    images, masks = draw(count, 0, size)
    assert images.shape == masks.shape == (count, 1, size, size)
    assert (images.dtype, masks.dtype) == (torch.float32, torch.bool)
    assert ((images >= 0) & (images <= 1)).all()


def test_no_two_images_are_alike() -> None:
    images, masks = draw(60, 0)
    assert torch.pdist(images.flatten(1)).min() > 5
    assert torch.pdist(masks.flatten(1).float()).min() > 10


def test_a_fifth_to_a_quarter_is_membrane_in_all_parts_of_the_frame() -> None:
    _, masks = draw(400, 0)
    share = masks.float().mean(0).squeeze()
    assert 0.2 < share.mean() < 0.26
    for quarter in (share[:24, :24], share[:24, 24:], share[24:, :24], share[24:, 24:]):
        assert abs(quarter.mean() - share.mean()) < 0.02
    assert abs(masks[..., 0].float().mean() - share.mean()) < 0.03  # no wall along the frame


def test_membranes_are_dark_and_so_are_some_other_pixels() -> None:
    images, masks = draw(100, 0)
    on, off = images[masks], images[~masks]
    assert off.mean() - on.mean() > 0.15
    # Rims: away from membranes there are far more dark pixels than noise would make.
    assert (off < 0.4).float().mean() > 0.04


def test_noise_is_what_it_says() -> None:
    images, masks = draw(100, 0)
    smooth = F.avg_pool2d(images, 3, stride=1)
    rough = (images[..., 1:-1, 1:-1] - smooth)[~masks[..., 1:-1, 1:-1]]
    expected = microscopy.NOISE * (8 / 9) ** 0.5  # a pixel is a ninth of its own mean
    # Rims add a little to it.
    assert 0.95 < rough.quantile(0.8413).item() / expected < 1.25


def test_points_surround_the_frame() -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = microscopy._bent_pixels(50, 48, generator)
    centre, _, _ = microscopy._distances(pixels, microscopy._points(50, 48, generator))
    corners = centre.view(50, 48, 48)[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert centre.max() < 1.3 * microscopy.SPACING
    assert abs(corners.mean() - centre.mean()) < 0.1 * microscopy.SPACING


@pytest.mark.parametrize("size", [1, 48, 55, 64, 66, 88])
def test_the_grid_reaches_over_every_side_of_the_frame(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(microscopy, "WANDER", 0.0)
    points = microscopy._points(500, size, torch.Generator().manual_seed(0))
    # Otherwise cells at an edge would be larger, and walls fewer there.
    assert points.amin(1).max() < -microscopy.SPACING / 2
    assert points.amax(1).min() > size - 1


def test_points_lie_anywhere_and_each_is_shaken() -> None:
    points = microscopy._points(500, 48, torch.Generator().manual_seed(0)) / microscopy.SPACING
    start = points.mean(1)
    uniform, both = 12**-0.5, 2 * microscopy.WANDER * 6**-0.5  # of one, of a difference of two
    torch.testing.assert_close(start.std(0), torch.full((2,), uniform), atol=0.02, rtol=0)
    assert torch.corrcoef(start.T)[0, 1].abs() < 0.1  # across and down do not hang together
    reach = int(points.shape[1] ** 0.5)
    gaps = points.unflatten(1, (reach, reach)).diff(dim=1)
    torch.testing.assert_close(gaps.mean((0, 1, 2)), torch.tensor([1.0, 0.0]), atol=0.01, rtol=0)
    torch.testing.assert_close(gaps.std((0, 1, 2)), torch.full((2,), both), atol=0.01, rtol=0)


def test_each_sheet_is_bent_in_its_own_way() -> None:
    bent = microscopy._bent_pixels(2000, 2, torch.Generator().manual_seed(0))
    bend = bent - torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    expected = microscopy.BEND**2 * microscopy.WAVES / 2 * torch.eye(2)
    for place in range(4):
        torch.testing.assert_close(torch.cov(bend[:, place].T), expected, atol=0.2, rtol=0)


def test_smooth_is_one_slow_wave_for_each_image() -> None:
    axis = torch.arange(64.0)
    sheet = torch.cartesian_prod(axis, axis).expand(500, -1, -1)
    light = microscopy._smooth(sheet, torch.Generator().manual_seed(0)).view(500, 64, 64)
    assert light.min() >= 0
    assert light.max() <= 1
    assert light[:, 0, 0].std().item() == pytest.approx(8**-0.5, rel=0.1)
    steepest = max(light.diff(dim=d).abs().max().item() for d in (1, 2))
    assert steepest == pytest.approx(torch.pi / 2 / microscopy.WAVELENGTH, rel=0.01)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BEND", 0.0),
        ("INSIDE_SPREAD", 0.0),
        ("FADE", 0.0),
        ("NUCLEI", 0.0),
        ("NUCLEI", 1.0),
        ("LARGEST", microscopy.SMALLEST),
        ("LIGHT", 0.0),
    ],
)
def test_what_makes_images_differ_is_seen(
    monkeypatch: pytest.MonkeyPatch, name: str, value: float
) -> None:
    images, _ = draw(20, 0)
    monkeypatch.setattr(microscopy, name, value)
    assert (draw(20, 0)[0] - images).abs().mean() > 0.002


def test_rims_keep_clear_of_walls(monkeypatch: pytest.MonkeyPatch) -> None:
    with_rims, masks = draw(20, 0)
    monkeypatch.setattr(microscopy, "NUCLEI", 0.0)
    assert torch.equal(draw(20, 0)[0][masks], with_rims[masks])


def test_nothing_is_darker_than_the_middle_of_a_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOISE", "LIGHT", "INSIDE_SPREAD"):
        monkeypatch.setattr(microscopy, name, 0.0)
    images, _ = draw(20, 0)
    assert images.min().item() == pytest.approx(microscopy.INSIDE - microscopy.DARK, abs=1e-4)
    assert images.max().item() == pytest.approx(microscopy.INSIDE, abs=1e-4)


def test_walls_differ_in_thickness(monkeypatch: pytest.MonkeyPatch) -> None:
    _, varied = draw(microscopy.CHUNK, 0)
    monkeypatch.setattr(microscopy, "WALL_SPREAD", 0.0)
    _, alike = draw(microscopy.CHUNK, 0)
    change = (varied.float() - alike.float()).mean((1, 2, 3))
    assert change.min() < -0.005
    assert change.max() > 0.005


def flood(open_: Tensor) -> Tensor:
    """Number connected regions: the largest number spreads to the four neighbours."""
    number = torch.arange(1, open_.numel() + 1).reshape(open_.shape) * open_
    while True:
        spread = number.clone()
        spread[1:] = torch.maximum(spread[1:], number[:-1])
        spread[:-1] = torch.maximum(spread[:-1], number[1:])
        spread[:, 1:] = torch.maximum(spread[:, 1:], number[:, :-1])
        spread[:, :-1] = torch.maximum(spread[:, :-1], number[:, 1:])
        spread = spread * open_
        if torch.equal(spread, number):
            return number
        number = spread


def test_walls_part_all_cells() -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = microscopy._bent_pixels(3, 64, generator)
    _, wall, nearest = microscopy._distances(pixels, microscopy._points(3, 64, generator))
    narrowest = microscopy.WALL - microscopy.WALL_SPREAD
    for distance, cell in zip(wall.view(3, 64, 64), nearest.view(3, 64, 64), strict=True):
        regions = flood(distance >= narrowest)
        for region in regions.unique()[1:]:
            assert cell[regions == region].unique().numel() == 1  # no gap joins two cells


def test_distances_are_those_of_geometry() -> None:
    points = torch.tensor([[[0.0, 0.0], [6.0, 8.0], [50.0, 50.0]]])
    pixels = torch.tensor([[[3.0, 4.0], [0.0, 0.0], [4.8, 6.4], [4.0, -3.0]]])
    centre, wall, nearest = microscopy._distances(pixels, points)
    torch.testing.assert_close(centre, torch.tensor([[5.0, 0.0, 2.0, 5.0]]), atol=1e-3, rtol=0)
    torch.testing.assert_close(wall, torch.tensor([[0.0, 5.0, 3.0, 5.0]]), atol=1e-3, rtol=0)
    assert nearest[0, 1:].tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("count", "size", "message"),
    [(-1, 8, "count must be at least 0, got -1"), (2, 0, "size must be at least 1, got 0")],
)
def test_what_cannot_be_drawn_is_refused(count: int, size: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(count, 0, size)
