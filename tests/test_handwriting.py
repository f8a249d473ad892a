import gzip
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddl.support import handwriting
from ddl.support.handwriting import draw_digits


def draw(count: int, seed: int) -> tuple[Tensor, Tensor]:
    labels = torch.arange(count) % 10
    return draw_digits(labels, generator=torch.Generator().manual_seed(seed)), labels


def test_seed_decides_every_pixel() -> None:
    first, _ = draw(300, seed=0)
    again, _ = draw(300, seed=0)
    other, _ = draw(300, seed=1)
    assert torch.equal(first, again)
    assert (first != other).flatten(1).any(1).all()


def test_global_generator_and_labels_are_left_alone() -> None:
    state = torch.get_rng_state()
    labels = torch.tensor([3, 1, 4])
    draw_digits(labels, generator=torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), state)
    assert labels.tolist() == [3, 1, 4]


@pytest.mark.parametrize("count", [0, 1, handwriting.CHUNK, handwriting.CHUNK + 1])
def test_shape_and_range(count: int) -> None:
    images, _ = draw(count, seed=0)
    assert images.shape == (count, 1, 28, 28)
    assert images.dtype == torch.float32
    assert ((images >= 0) & (images <= 1)).all()


@pytest.mark.parametrize("dtype", [torch.int8, torch.int32])
def test_any_integers_are_labels(dtype: torch.dtype) -> None:
    labels = torch.arange(10, dtype=dtype)
    images = draw_digits(labels, generator=torch.Generator().manual_seed(0))
    assert torch.equal(images, draw(10, seed=0)[0])


def test_no_two_digits_of_a_class_are_alike() -> None:
    images, labels = draw(200, seed=0)
    for digit in range(10):
        assert torch.pdist(images[labels == digit].flatten(1)).min() > 1


def test_layout_is_that_of_mnist() -> None:
    images, _ = draw(2000, seed=0)
    inked = images.squeeze(1) > 0.5
    height, width = inked.any(2).sum(1), inked.any(1).sum(1)
    longer = torch.maximum(height, width)
    assert longer.min() >= 19
    assert longer.max() <= 21
    # The centre of mass is moved by whole pixels: half a pixel is the most it is off,
    # but for a few digits that would leave the frame.
    pixel = torch.arange(28.0) - 13.5
    share = images.squeeze(1) / images.sum((2, 3))[..., None]
    off = torch.stack([share.sum(1) @ pixel, share.sum(2) @ pixel]).abs().amax(0)
    assert (off < 0.51).float().mean() > 0.95
    assert off.max() < 3


def test_ink_is_that_of_mnist() -> None:
    images, labels = draw(2000, seed=0)
    # MNIST's test images: mean 0.133, standard deviation 0.310, 0.466 of the ink above 0.9.
    assert 0.115 < images.mean() < 0.15
    assert 0.28 < images.std() < 0.34
    assert 0.35 < (images > 0.9).sum() / (images > 0).sum() < 0.55
    means = torch.stack([images[labels == digit].mean() for digit in range(10)])
    assert means.argmin() == 1  # a single stroke; in MNIST, too, the least ink
    assert means.min() > 0.06


def test_labels_name_the_digits_in_order() -> None:
    images, labels = draw(2000, seed=0)
    means = torch.stack([images[labels == digit].mean(0).flatten() for digit in range(10)])
    shuffled = labels[torch.randperm(1000, generator=torch.Generator().manual_seed(2))]
    others = draw_digits(shuffled, generator=torch.Generator().manual_seed(1)).flatten(1)
    nearest = torch.cdist(others, means).argmin(1)
    assert (nearest == shuffled).float().mean() > 0.6  # chance is 0.1


def test_curves_pass_through_their_points() -> None:
    weights = handwriting._catmull_rom(5)
    points = torch.rand(5, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close((weights @ points)[::32], points)
    # Points at equal steps on a line give the line, at equal steps.
    line = torch.linspace(0, 1, 5)
    torch.testing.assert_close(weights @ line, torch.linspace(0, 1, len(weights)))


def test_corners_and_lifts_cut_a_style() -> None:
    pieces = list(handwriting._smooth_pieces("10 80 80 49 / 25 75"))
    assert pieces == [["10", "80"], ["80", "49"], ["25", "75"]]
    points, weights = handwriting._compile_style("10 80 80 49 / 25 75")
    assert points.shape == (5, 2)  # the corner is one point
    steps = torch.linalg.norm((weights @ points).diff(dim=0), dim=1)
    # One long step in the air, from the foot to the bar; all others alike.
    assert (steps > 2 * steps.median()).sum() == 1


def test_ink_covers_the_area_of_the_stroke() -> None:
    x = torch.linspace(-9, 9, handwriting.DISCS)
    curve = torch.stack([x, 0.3 * x], dim=-1)[None]
    radius = 1.7
    radii = torch.full((1, handwriting.DISCS), radius)
    image = handwriting._ink(curve, radii, torch.ones(1, 1))
    length = 18 * math.hypot(1, 0.3)
    area = 2 * radius * length + math.pi * radius**2
    assert image.sum().item() == pytest.approx(area, rel=0.02)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            torch.zeros(2, 3, dtype=torch.long),
            r"labels must be .* \(count\), got int64 of shape \(2, 3\)",
        ),
        (torch.zeros(3), r"labels must be an integer tensor .* got float32"),
        (
            torch.zeros(3, dtype=torch.bool),
            r"labels must be an integer tensor .* got bool",
        ),
        (torch.tensor([1, 10]), "labels must be digits from 0 to 9, got 10"),
        (torch.tensor([-1, 1]), "labels must be digits from 0 to 9, got -1"),
    ],
)
def test_what_is_no_digit_is_refused(labels: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_digits(labels, generator=torch.Generator())


def real_test_digits() -> tuple[Tensor, Tensor]:
    raw = Path(os.environ.get("DDL_DATA", "")) / "MNIST" / "raw"
    files = [raw / "t10k-images-idx3-ubyte.gz", raw / "t10k-labels-idx1-ubyte.gz"]
    if not all(file.is_file() for file in files):
        pytest.skip("DDL_DATA names no folder with MNIST/raw/*.gz")
    pixels, labels = (gzip.decompress(file.read_bytes()) for file in files)
    images = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 1, 28, 28)
    digits = np.frombuffer(labels, np.uint8, offset=8)
    return torch.tensor(images) / 255, torch.tensor(digits).long()


def train_on_drawings(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    images, labels = draw(12_000, seed)
    network = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * 7 * 7, 10)),
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(2):
        for rows in torch.randperm(len(images)).split(128):
            optimizer.zero_grad()
            F.cross_entropy(network(images[rows]), labels[rows]).backward()
            optimizer.step()
    return network


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_network_trained_on_drawings_reads_mnist(seed: int) -> None:
    images, labels = real_test_digits()
    network = train_on_drawings(seed)
    with torch.no_grad():
        right = torch.cat([network(batch) for batch in images.split(1000)]).argmax(1) == labels
    accuracy = right.float().mean().item()
    print(f"seed {seed}: {accuracy:.2%} of MNIST's test images")
    assert accuracy > 0.9
