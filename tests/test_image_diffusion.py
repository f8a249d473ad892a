"""The U-Net's parts against slow references, guidance, averages, and wrong input."""

import copy
import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddl.diffusion import ddpm_sample, linear_schedule, timestep_embedding
from ddl.image_diffusion import (
    DiffusionUNet,
    MovingAverage,
    PixelAttention,
    TimedResidualBlock,
    drop_labels,
    guided,
    respaced,
    split_bands,
)

DOUBLE = torch.float64


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(0)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


def shaken(model: nn.Module) -> nn.Module:
    """Give every parameter a random value, so that nothing hides behind a zero."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p + 0.3 * torch.randn(p.shape, generator=generator))
    return model.double()


def normed(x: Tensor, norm: nn.GroupNorm) -> Tensor:
    groups = x.reshape(x.shape[0], 8, -1)
    centred = groups - groups.mean(-1, keepdim=True)
    unit = (centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()).reshape(x.shape)
    return unit * norm.weight[:, None, None] + norm.bias[:, None, None]


def norm_silu(x: Tensor, norm: nn.GroupNorm) -> Tensor:
    h = normed(x, norm)
    return h * torch.sigmoid(h)


@pytest.mark.parametrize(("before", "after"), [(8, 16), (16, 16)])
def test_block_is_its_equation(before: int, after: int) -> None:
    block = TimedResidualBlock(before, after, 5)
    shaken(block)
    x, c = randn(3, before, 7, 11), randn(3, 5, seed=1)
    h = F.conv2d(norm_silu(x, block.norm_1), block.conv_1.weight, block.conv_1.bias, padding=1)
    h = h + (c @ block.condition.weight.T + block.condition.bias)[:, :, None, None]
    h = F.conv2d(norm_silu(h, block.norm_2), block.conv_2.weight, block.conv_2.bias, padding=1)
    carried = block.shortcut(x) if before != after else x
    torch.testing.assert_close(block(x, c), carried + h)


def test_block_starts_as_its_shortcut() -> None:
    x, c = randn(3, 16, 7, 11), randn(3, 5, seed=1)
    same, wider = TimedResidualBlock(16, 16, 5).double(), TimedResidualBlock(16, 24, 5).double()
    bias = same.conv_2.bias
    assert bias is not None
    torch.testing.assert_close(same(x, c), x + bias[:, None, None])
    assert isinstance(wider.shortcut, nn.Conv2d)
    assert wider.shortcut.kernel_size == (1, 1)


def test_block_refuses_wrong_sizes() -> None:
    with pytest.raises(ValueError, match="in_channels must be a multiple of 8, got 12"):
        TimedResidualBlock(12, 16, 5)
    with pytest.raises(ValueError, match="out_channels must be a multiple of 8, got 0"):
        TimedResidualBlock(8, 0, 5)
    with pytest.raises(ValueError, match="features must be at least 1, got 0"):
        TimedResidualBlock(8, 8, 0)


def test_pixel_attention_does_not_mind_where_pixels_are() -> None:
    layer, x = PixelAttention(16, heads=2), randn(3, 16, 5, 7)
    shaken(layer)
    order = torch.randperm(35, generator=torch.Generator().manual_seed(0))
    shuffled = x.flatten(2)[..., order].unflatten(2, (5, 7))
    expected = layer(x).flatten(2)[..., order].unflatten(2, (5, 7))
    torch.testing.assert_close(layer(shuffled), expected)
    pixels = torch.stack([normed(x, layer.norm)[:, :, i, j] for i in range(5) for j in range(7)], 1)
    read, _ = layer.attention(pixels)
    torch.testing.assert_close(layer(x)[:, :, 2, 3], x[:, :, 2, 3] + read[:, 17])
    assert layer.attention.heads == 2
    # One changed pixel is seen by the pixel that is farthest away, but not in another image.
    changed = x.clone()
    changed[0, 3, 0, 0] += 1
    gap = (layer(changed) - layer(x)).abs()
    assert gap[0, :, 4, 6].max() > 1e-4
    assert gap[1:].max() == 0


def test_pixel_attention_adds_to_what_is_carried() -> None:
    layer, x = PixelAttention(16, heads=2).double(), randn(3, 16, 5, 7)
    nn.init.zeros_(layer.attention.output.weight)
    nn.init.zeros_(layer.attention.output.bias)
    torch.testing.assert_close(layer(x), x)


def net(channels: int = 8, classes: int = 3) -> DiffusionUNet:
    model = DiffusionUNet(linear_schedule(1000), channels=channels, classes=classes)
    shaken(model)
    return model


def test_unet_answers_in_the_shape_of_the_image() -> None:
    assert net()(randn(3, 1, 10, 6), torch.tensor([1, 500, 1000])).shape == (3, 1, 10, 6)


def test_unet_hears_the_step_and_the_class_of_each_image_alone() -> None:
    model, x = net(), randn(2, 1, 6, 10)
    t, labels = torch.tensor([7, 7]), torch.tensor([1, 1])
    base = model(x, t, labels)
    for other in (
        model(x, torch.tensor([7, 500]), labels),
        model(x, t, torch.tensor([1, 2])),
    ):
        torch.testing.assert_close(other[0], base[0])
        assert (other[1] - base[1]).abs().max() > 1e-4


def test_no_labels_and_the_label_that_tells_nothing_are_one() -> None:
    model, x, t = net(), randn(2, 1, 6, 10), torch.tensor([3, 11])
    torch.testing.assert_close(model(x, t), model(x, t, torch.tensor([3, 3])))


def test_unet_is_the_chain_of_its_parts() -> None:
    model, x = net(), randn(2, 1, 6, 10)
    t, labels = torch.tensor([7, 500]), torch.tensor([2, 0])
    waves = timestep_embedding(t, 8).double()
    w1, b1, w2, b2 = model.time.parameters()
    time = F.linear(F.silu(F.linear(waves, w1, b1)), w2, b2)
    c = F.silu(time + model.label.weight[labels])
    full = model.down(model.read_in(x), c)
    half = model.down_half(full.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).mean((3, 5)), c)
    h = model.middle(model.look_around(half), c)
    h = model.up_half(torch.cat([h, half], dim=1), c)
    h = model.up(torch.cat([model.enlarge(h), full], dim=1), c)
    norm, last = model.read_out[0], model.read_out[2]
    assert isinstance(norm, nn.GroupNorm)
    assert isinstance(last, nn.Conv2d)
    velocity = F.conv2d(norm_silu(h, norm), last.weight, last.bias, padding=1)
    a = model.schedule.alpha_bar[t][:, None, None, None]
    torch.testing.assert_close(model(x, t, labels), (1 - a).sqrt() * x + a.sqrt() * velocity)
    assert model.look_around.attention.heads == 4


def test_not_told_is_learnt_like_a_class() -> None:
    model, x = net(), randn(2, 1, 6, 10)
    model(x, torch.tensor([7, 500])).square().sum().backward()
    gradient = model.label.weight.grad
    assert gradient is not None
    assert gradient.abs().sum(1).bool().tolist() == [False, False, False, True]


def test_unet_parameter_count_is_the_sum_of_its_parts() -> None:
    def block(i: int, o: int, f: int) -> int:
        shortcut = 0 if i == o else i * o + o
        return 2 * i + (9 * i + 1) * o + (f + 1) * o + 2 * o + (9 * o + 1) * o + shortcut

    c, k = 16, 7
    f = 4 * c
    expected = (c + 1) * f + (f + 1) * f + (k + 1) * f  # time, label
    expected += 10 * c + block(c, c, f) + block(c, 2 * c, f)  # in, down
    expected += 4 * c + 4 * (2 * c + 1) * 2 * c  # norm and attention
    expected += block(2 * c, 2 * c, f) + block(4 * c, 2 * c, f) + (18 * c + 1) * c
    expected += block(2 * c, c, f) + 2 * c + 9 * c + 1
    assert (
        sum(
            p.numel() for p in DiffusionUNet(linear_schedule(5), channels=c, classes=k).parameters()
        )
        == expected
    )


def test_the_answer_of_the_layers_is_the_velocity() -> None:
    model, x0, noise = net(), randn(2, 1, 6, 10), randn(2, 1, 6, 10, seed=1)
    t = torch.tensor([30, 900])
    a = model.schedule.alpha_bar[t][:, None, None, None]
    velocity = a.sqrt() * noise - (1 - a).sqrt() * x0
    model.read_out = Constant(velocity)
    x_t = model.schedule.q_sample(x0, t, noise)
    torch.testing.assert_close(model(x_t, t), noise)
    torch.testing.assert_close(model.schedule.predict_x0(x_t, t, model(x_t, t)), x0)


class Constant(nn.Sequential):
    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return self.value


def test_unet_refuses_wrong_input() -> None:
    with pytest.raises(ValueError, match="classes must be at least 1, got 0"):
        DiffusionUNet(linear_schedule(5), channels=8, classes=0)
    model, t = DiffusionUNet(linear_schedule(5), channels=8, classes=3), torch.tensor([1, 2])
    for size in ((6, 7), (7, 6)):
        with pytest.raises(ValueError, match="x must have an even height and width"):
            model(torch.zeros(2, 1, *size), t)
    for labels in ([0, 4], [-1, 0]):
        with pytest.raises(ValueError, match="labels must lie in 0 to 3, got "):
            model(torch.zeros(2, 1, 6, 6), t, torch.tensor(labels))


def test_drop_labels_drops_the_share() -> None:
    labels = torch.arange(10).repeat(1000)
    generator = torch.Generator().manual_seed(0)
    kept = drop_labels(labels, share=0.2, null_label=10, generator=generator)
    assert labels.equal(torch.arange(10).repeat(1000))
    assert kept[kept != 10].equal(labels[kept != 10])
    assert 0.19 < (kept == 10).double().mean().item() < 0.21
    for share, expected in ((0.0, labels), (1.0, torch.full_like(labels, 10))):
        assert drop_labels(labels, share=share, null_label=10, generator=generator).equal(expected)
    generator.manual_seed(0)
    assert drop_labels(labels, share=0.2, null_label=10, generator=generator).equal(kept)
    for share in (-0.5, 1.5):
        with pytest.raises(ValueError, match=f"share must be between 0 and 1, got {share}"):
            drop_labels(labels, share=share, null_label=10, generator=generator)


def test_guidance_walks_on_from_not_told_past_told() -> None:
    model, x = net(), randn(2, 1, 6, 10)
    t, labels = torch.tensor([7, 500]), torch.tensor([2, 0])
    told, untold = model(x, t, labels), model(x, t)
    torch.testing.assert_close(guided(model, labels)(x, t), told)
    torch.testing.assert_close(guided(model, labels, guidance=-1)(x, t), untold)
    expected = told + 3 * (told - untold)
    torch.testing.assert_close(guided(model, labels, guidance=3)(x, t), expected)


def test_guidance_zero_asks_once() -> None:
    model, calls = net(), []
    model.register_forward_hook(lambda *_: calls.append(1))
    for guidance, asked in ((0.0, 1), (2.0, 2)):
        calls.clear()
        guided(model, torch.tensor([2]), guidance=guidance)(randn(1, 1, 6, 10), torch.tensor([7]))
        assert len(calls) == asked


def test_moving_average_is_the_weighted_sum() -> None:
    model = nn.Linear(3, 2)
    average = MovingAverage(model, decay=0.9)
    assert all(not p.requires_grad for p in average.model.parameters())
    assert model.training
    assert not average.model.training
    expected = model.weight.detach().clone()
    for n in range(120):
        with torch.no_grad():
            model.weight.copy_(torch.randn(2, 3))
        average.update(model)
        d = min(0.9, (1 + n) / (10 + n))
        expected = d * expected + (1 - d) * model.weight.detach()
    kept = average.model.state_dict()
    torch.testing.assert_close(kept["weight"], expected)
    torch.testing.assert_close(kept["bias"], model.bias.detach())


def test_moving_average_copies_what_is_no_weight() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))
    average = MovingAverage(model, decay=0.999)
    for _ in range(200):
        model(torch.randn(7, 3) + 5)
        average.update(model)
    for kept, buffer in zip(average.model.buffers(), model.buffers(), strict=True):
        assert torch.equal(kept, buffer)
        assert kept.data_ptr() != buffer.data_ptr()
    assert average.model.get_buffer("0.running_mean").min() > 4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_moving_average_of_sixteen_bits_moves_on(dtype: torch.dtype) -> None:
    model = nn.Linear(1, 1, bias=False).to(dtype)
    average = MovingAverage(model, decay=0.9999)
    average.updates = 100_000  # far from the start
    model.weight.data.fill_(1)
    average.model.get_parameter("weight").data.fill_(0.5)
    for _ in range(100):
        average.update(model)
    expected = 1 - 0.5 * 0.9999**100
    assert average.model.get_parameter("weight").item() == pytest.approx(expected, abs=1e-5)


def test_moving_average_leaves_the_model_alone() -> None:
    model = nn.Linear(3, 2)
    before = copy.deepcopy(model.state_dict())
    average = MovingAverage(model, decay=0.5)
    average.model.state_dict()["weight"].add_(1)  # a view
    average.update(model)
    torch.testing.assert_close(model.state_dict(), before)
    assert not torch.equal(average.model.state_dict()["weight"], model.weight)
    forgetful = MovingAverage(nn.Linear(3, 2), decay=0)
    forgetful.update(model)
    torch.testing.assert_close(forgetful.model.state_dict(), before)
    for decay in (1.0, -0.1):
        with pytest.raises(ValueError, match="decay must be between 0 and 1, got "):
            MovingAverage(model, decay=decay)


@pytest.mark.parametrize("steps", [1, 7, 50, 113])
def test_a_respaced_schedule_has_the_noise_of_its_stops(steps: int) -> None:
    schedule = linear_schedule(113)
    short, stops = respaced(schedule, steps)
    assert short.steps == steps
    assert (stops[0], stops[-1]) == (0, 113)
    torch.testing.assert_close(short.alpha_bar, schedule.alpha_bar[stops])


def test_stops_are_rounded() -> None:
    assert respaced(linear_schedule(7), 3)[1].tolist() == [0, 2, 5, 7]


def test_a_schedule_in_as_many_steps_is_itself() -> None:
    schedule = linear_schedule(13)
    torch.testing.assert_close(respaced(schedule, 13)[0].betas, schedule.betas)
    for steps in (0, 14):
        with pytest.raises(ValueError, match=f"steps must lie in 1 to 13, got {steps}"):
            respaced(schedule, steps)


def test_a_short_walk_told_its_stops_has_the_spread_that_theory_gives() -> None:
    # Data of standard deviation 1 stay so at every step, and the best noise prediction is
    # known. The walk back is then x <- sqrt(alpha) x + sigma noise, a recursion of variances.
    schedule = linear_schedule(1000)
    short, stops = respaced(schedule, 10)

    def exact(x: Tensor, k: Tensor) -> Tensor:
        return (1 - schedule.alpha_bar[stops[k]]).sqrt()[:, None] * x

    variance = 1.0
    for before, after in pairwise(schedule.alpha_bar[stops.flip(0)].tolist()):
        beta = 1 - before / after
        variance = (1 - beta) * variance + beta * (1 - after) / (1 - before)
    assert variance < 0.9  # ten steps are few: it matters which
    samples = ddpm_sample(exact, short, randn(20_000, 1), generator=torch.Generator())
    assert math.isclose(samples.std().item(), variance**0.5, rel_tol=0.02)


@pytest.mark.parametrize("cutoff", [0, 1, 2.5, 4])
def test_bands_add_up_and_are_orthogonal(cutoff: float) -> None:
    images = randn(2, 3, 5, 7)
    coarse, fine = split_bands(images, cutoff)
    torch.testing.assert_close(coarse + fine, images)
    overlap = (coarse * fine).sum((-2, -1))
    torch.testing.assert_close(overlap, torch.zeros_like(overlap), atol=1e-12, rtol=0)
    torch.testing.assert_close(split_bands(coarse, cutoff)[0], coarse)


def test_a_wave_lies_in_the_band_of_its_frequency() -> None:
    y, x = torch.meshgrid(
        torch.arange(11, dtype=DOUBLE), torch.arange(13, dtype=DOUBLE), indexing="ij"
    )
    wave = torch.cos(2 * math.pi * (3 * y / 11 + 4 * x / 13) + 0.4)  # frequency 5
    nothing = torch.zeros_like(wave)
    torch.testing.assert_close(split_bands(wave, 5.0)[0], wave)
    torch.testing.assert_close(split_bands(wave, 4.9)[0], nothing, atol=1e-12, rtol=0)
    flat = torch.full_like(wave, 0.7)
    torch.testing.assert_close(split_bands(flat, 0)[0], flat)
    with pytest.raises(ValueError, match="cutoff must not be negative, got -1"):
        split_bands(wave, -1)
