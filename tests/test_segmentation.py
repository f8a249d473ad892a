"""Masks and U-Nets against obvious references, the published sizes, and real membranes."""

import os
from itertools import product
from pathlib import Path
from typing import Any, get_args

import matplotlib.image
import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, jaccard_score
from torch import Tensor, nn
from torch.nn import functional as F

from ddl.segmentation import (
    DoubleConv,
    Skips,
    StackedHourglass,
    UNet,
    boundary_band,
    crop_to,
    dice,
    iou,
    unet_output_size,
)

DOUBLE = torch.float64


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(0)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


def masks(*shape: int, share: float = 0.3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.rand(2, *shape, generator=generator) < share
    return first, second


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def parts(net: UNet) -> tuple[list[Any], list[Any], list[Any]]:
    return list(net.down), list(net.up), list(net.refine)


# --- Scores ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_scores_are_those_of_scikit_learn(share: float) -> None:
    prediction, truth = masks(3, 1, 7, 11, share=share)
    flat = truth.flatten().numpy(), prediction.flatten().numpy()
    assert iou(prediction, truth) == pytest.approx(jaccard_score(*flat))
    assert dice(prediction, truth) == pytest.approx(f1_score(*flat))
    assert dice(prediction, truth) == pytest.approx(
        2 * iou(prediction, truth) / (1 + iou(prediction, truth))
    )


def test_scores_of_equal_foreign_and_empty_masks() -> None:
    mask, _ = masks(5, 7)
    empty = torch.zeros_like(mask)
    for score in (iou, dice):
        assert score(mask, mask) == 1
        assert score(mask, ~mask) == 0
        assert score(empty, mask) == score(mask, empty) == 0
        assert score(empty, empty) == 1


def test_scores_refuse_masks_of_different_shapes() -> None:
    for score in (iou, dice):
        with pytest.raises(ValueError, match=r"truth must .* beside prediction of shape \(5, 3\)"):
            score(torch.ones(5, 3, dtype=torch.bool), torch.ones(3, 5, dtype=torch.bool))


@pytest.mark.parametrize("width", [1, 2])
def test_boundary_band_is_what_a_look_at_each_neighbourhood_gives(width: int) -> None:
    mask, _ = masks(11, 13, share=0.1)
    band = boundary_band(mask, width)
    for y, x in product(range(11), range(13)):
        near = mask[max(y - width, 0) : y + width + 1, max(x - width, 0) : x + width + 1]
        assert band[y, x] == (near.any() and not near.all())


def test_boundary_band_of_several_masks_and_of_none() -> None:
    one, two = masks(5, 7)
    together = boundary_band(torch.stack([one, two])[:, None])
    assert together.shape == (2, 1, 5, 7)
    assert torch.equal(together[1, 0], boundary_band(two))
    assert torch.equal(boundary_band(~one), boundary_band(one))
    assert not boundary_band(torch.ones(5, 7, dtype=torch.bool), width=3).any()


def test_boundary_band_refuses_no_width() -> None:
    with pytest.raises(ValueError, match="width must be at least 1, got 0"):
        boundary_band(masks(5, 7)[0], width=0)


# --- Sizes ----------------------------------------------------------------------------------------


def test_crop_to_is_the_middle() -> None:
    x = randn(2, 3, 11, 13)
    assert torch.equal(crop_to(x, (5, 13)), x[:, :, 3:8])
    assert torch.equal(crop_to(x, (11, 7)), x[:, :, :, 3:10])
    assert torch.equal(crop_to(x, (8, 13)), x[:, :, 1:9])  # the odd pixel goes at the end


def test_crop_to_refuses_what_is_not_there() -> None:
    with pytest.raises(ValueError, match=r"size must be at most \(5, 7\), got \(5, 8\)"):
        crop_to(randn(1, 1, 5, 7), (5, 8))


def test_published_net() -> None:
    with torch.device("meta"):
        net = UNet()
        assert net(torch.zeros(1, 1, 572, 572)).shape == (1, 2, 388, 388)
    assert count(net) == 31_030_658  # as other implementations without batch norm count
    assert unet_output_size(572) == 388


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("skips", ["concat", "add", "none"])
def test_output_size_is_the_nets(depth: int, padding: int, skips: Any) -> None:
    with torch.device("meta"):
        net = UNet(3, 5, filters=2, depth=depth, padding=padding, skips=skips)
    allowed = 0
    for size in range(1, 150):
        try:
            expected = unet_output_size(size, depth=depth, padding=padding)
        except ValueError:
            with pytest.raises(ValueError, match="size"), torch.device("meta"):
                net(torch.zeros(1, 3, size, size))
            continue
        allowed += 1
        lost = 0 if padding else 12 * 2**depth - 8
        assert expected == size - lost
        with torch.device("meta"):
            assert net(torch.zeros(7, 3, size, size)).shape == (7, 5, expected, expected)
    assert allowed >= 4


def test_height_and_width_may_differ() -> None:
    net = UNet(1, 2, filters=3, depth=2, padding=0).double()
    assert net(randn(1, 1, 44, 52)).shape == (1, 2, 4, 12)


def test_output_size_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="size 571 gives an odd map, 567, before halving 1"):
        unet_output_size(571)
    with pytest.raises(ValueError, match="size 574 gives an odd map, 281, before halving 2"):
        unet_output_size(574)
    with pytest.raises(ValueError, match="size must be at least 3"):
        unet_output_size(2)


# --- The net --------------------------------------------------------------------------------------


@pytest.mark.parametrize("skips", ["concat", "add", "none"])
@pytest.mark.parametrize(("padding", "size"), [(0, 44), (1, 12)])
def test_unet_is_its_picture(skips: Any, padding: int, size: int) -> None:
    net = UNet(3, 5, filters=2, depth=2, padding=padding, skips=skips).double()
    down, up, refine = parts(net)

    def double(block: Any, x: Tensor) -> Tensor:
        for layer in (block[0], block[2]):
            x = F.conv2d(x, layer.weight, layer.bias, padding=padding).clamp(min=0)
        return x

    def halve(x: Tensor) -> Tensor:
        return x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).amax((3, 5))

    def enlarge(layer: nn.ConvTranspose2d, x: Tensor) -> Tensor:
        stamps = torch.einsum("bchw,cdij->bdhiwj", x, layer.weight)  # they lie side by side
        assert layer.bias is not None
        return stamps.flatten(4).flatten(2, 3) + layer.bias[:, None, None]

    def join(early: Tensor, late: Tensor) -> Tensor:
        cut = (early.shape[-1] - late.shape[-1]) // 2
        early = early[..., cut : early.shape[-2] - cut, cut : early.shape[-1] - cut]
        joined = {"concat": lambda: torch.cat([early, late], 1), "add": lambda: early + late}
        return joined.get(skips, lambda: late)()

    image = randn(7, 3, size, size)
    a = double(down[0], image)
    b = double(down[1], halve(a))
    c = double(down[2], halve(b))
    d = double(refine[0], join(b, enlarge(up[0], c)))
    e = double(refine[1], join(a, enlarge(up[1], d)))
    expected = torch.einsum("bchw,dc->bdhw", e, net.head.weight[:, :, 0, 0])
    assert net.head.bias is not None
    torch.testing.assert_close(net(image), expected + net.head.bias[:, None, None])


def test_adding_saves_one_convolution_a_size_and_nothing_else() -> None:
    nets = {skips: UNet(3, 5, filters=7, depth=3, skips=skips) for skips in get_args(Skips)}
    saved = sum(9 * n * n for n in (7, 14, 28))
    assert count(nets["concat"]) - count(nets["add"]) == saved
    assert count(nets["add"]) == count(nets["none"])


def test_weights_start_as_he_proposed() -> None:
    layer = DoubleConv(32, 64, padding=1)[2]
    assert isinstance(layer, nn.Conv2d)
    assert layer.weight.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)
    assert layer.bias is not None
    assert not layer.bias.any()


def test_tiles_without_padding_fit_together() -> None:
    net = UNet(1, 1, filters=3, depth=2, padding=0).double()
    image = randn(1, 1, 64, 52)
    whole = net(image)
    for top, left in product((0, 4, 20), (0, 8)):
        tile = net(image[..., top : top + 44, left : left + 44])
        torch.testing.assert_close(tile, whole[..., top : top + 4, left : left + 4])


@pytest.mark.parametrize(("skips", "arrives"), [("concat", True), ("add", True), ("none", False)])
def test_only_skips_hand_an_early_map_across(skips: Any, arrives: bool) -> None:
    # With the way up blocked, what arrives has come over the skips.
    x = randn(1, 1, 8, 8).requires_grad_()
    net = UNet(1, 1, filters=5, depth=1, padding=1, skips=skips).double()
    _, up, _ = parts(net)
    nn.init.zeros_(up[0].weight)
    (gradient,) = torch.autograd.grad(net(x).sum(), x)
    assert bool(gradient.any()) == arrives


def test_unet_refuses_wrong_settings() -> None:
    for name in ("in_channels", "out_channels", "filters", "depth"):
        wrong: Any = {name: 0}
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
            UNet(**wrong)
    with pytest.raises(ValueError, match="padding must be 0 or 1, got 2"):
        UNet(padding=2)


def test_unet_refuses_unknown_skips() -> None:
    with pytest.raises(ValueError, match=r"skips must be one of .*, got 'residual'"):
        UNet(skips="residual")  # pyright: ignore[reportArgumentType]


# --- Hourglasses in a row -------------------------------------------------------------------------


def test_stack_is_its_equation() -> None:
    net = StackedHourglass(3, 2, filters=5, depth=1, stacks=3).double()
    image = randn(7, 3, 4, 6)
    x, expected = net.stem(image), []
    hourglasses, draw, back = (list(m) for m in (net.hourglasses, net.draw, net.back))
    assert len(back) == 2
    for k in range(3):
        f = hourglasses[k](x).clamp(min=0)
        p = draw[k](f)
        expected.append(p)
        if k < 2:
            x = x + f + back[k](p)
    torch.testing.assert_close(net(image), expected)
    assert all(isinstance(h, UNet) and h.skips == "add" for h in hourglasses)
    assert expected[0].shape == (7, 2, 4, 6)


def test_a_drawing_is_learned_by_the_hourglasses_before_it_only() -> None:
    net = StackedHourglass(1, 1, filters=3, depth=1, stacks=2).double()
    first, _ = net(randn(2, 1, 4, 4))
    first.sum().backward()
    assert all(p.grad is None for p in net.hourglasses[1].parameters())
    assert net.stem.weight.grad is not None


def test_stack_refuses_wrong_sizes() -> None:
    with pytest.raises(ValueError, match="stacks must be at least 1, got 0"):
        StackedHourglass(1, 1, filters=2, depth=1, stacks=0)
    with pytest.raises(ValueError, match="size 5 gives an odd map, 5, before halving 1"):
        StackedHourglass(1, 1, filters=2, depth=1, stacks=1)(torch.zeros(1, 1, 5, 4))


# --- Real membranes -------------------------------------------------------------------------------


def real_slices() -> tuple[Tensor, Tensor]:
    """Return thirty electron micrographs at half size, and where their membranes are."""
    root = Path(__file__).resolve().parent.parent
    places = [Path(os.environ.get("DDL_DATA", "")), root.parent / "shared" / "data"]
    folders = [place / "membrane" / "train" for place in places]
    folder = next((f for f in folders if (f / "image" / "0.png").is_file()), None)
    if folder is None:
        pytest.skip("membrane/train/image/*.png is neither in DDL_DATA nor in ../shared/data")

    def read(kind: str) -> Tensor:
        files = (folder / kind / f"{k}.png" for k in range(30))
        return torch.tensor(np.stack([matplotlib.image.imread(f) for f in files]))[:, None]

    return F.avg_pool2d(read("image"), 2), F.avg_pool2d(read("label"), 2) < 0.5


def test_a_small_unet_finds_real_membranes_better_than_any_threshold() -> None:
    images, truth = real_slices()
    train, test = slice(0, 24), slice(24, 30)  # the far end of the stack
    smooth = F.avg_pool2d(images[test], 3, stride=1, padding=1, count_include_pad=False)
    levels = torch.linspace(0.2, 0.7, 51)
    threshold = max(iou(smooth < level, truth[test]) for level in levels)  # chosen on the answers

    x = (images - images[train].mean()) / images[train].std()
    net = UNet(1, 1, filters=8, depth=3, padding=1)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        n, top, left = (torch.randint(high, (8,), generator=generator) for high in (24, 193, 193))
        rows, columns = top[:, None, None] + torch.arange(64)[:, None], torch.arange(64)
        window = n[:, None, None], 0, rows, left[:, None, None] + columns
        loss = F.binary_cross_entropy_with_logits(
            net(x[window][:, None]), truth[window][:, None] * 1.0
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        ours = iou(net(x[test]) > 0, truth[test])
    print(f"IoU of the membranes: {ours:.3f}, best threshold {threshold:.3f}")
    assert ours > 1.12 * threshold
