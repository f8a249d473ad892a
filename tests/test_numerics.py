"""Sixteen bits: what is rounded, summed or exponentiated in them is what float64 says, rounded."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddl.attention import MultiHeadAttention, scaled_dot_product_attention
from ddl.denoising import DenoisingAutoencoder, entropy_floor
from ddl.diffusion import (
    ExactNoise,
    NoiseSchedule,
    cosine_schedule,
    ddim_sample,
    ddpm_sample,
    linear_schedule,
)
from ddl.gating import softmax_gate
from ddl.image_diffusion import DiffusionUNet
from ddl.recipes import NAMES, denoising
from ddl.recipes.__main__ import main
from ddl.support.numerics import at_least_float32, readable
from ddl.vae import bernoulli_log_likelihood, gaussian_kl, gaussian_log_density

SIXTEEN = pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
SCHEDULES = pytest.mark.parametrize("schedule", [linear_schedule(), cosine_schedule()])


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def assert_rounded(ours: Tensor, exact: Tensor, dtype: torch.dtype) -> None:
    """One rounding of the result is allowed, and float32's errors before it."""
    assert ours.dtype == dtype
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(ours.double(), exact.double(), rtol=eps, atol=eps / 4)


@SIXTEEN
@SCHEDULES
@pytest.mark.parametrize("step", [1, 2, 500, 1000])
def test_the_steps_of_diffusion_are_rounded_once(
    schedule: NoiseSchedule, dtype: torch.dtype, step: int
) -> None:
    x, predicted, noise = (randn(5, 2, 3, seed=k).to(dtype) for k in range(3))
    wide = x.double(), predicted.double(), noise.double()
    t = torch.full((5,), step)
    assert_rounded(
        schedule.ddpm_step(x, t, predicted, noise),
        schedule.ddpm_step(wide[0], t, wide[1], wide[2]),
        dtype,
    )
    assert_rounded(schedule.q_sample(x, t, noise), schedule.q_sample(wide[0], t, wide[2]), dtype)
    if step < 1000:  # there predict_x0 magnifies any error 20,000 times
        assert_rounded(
            schedule.ddim_step(x, t, t - 1, predicted),
            schedule.ddim_step(wide[0], t, t - 1, wide[1]),
            dtype,
        )


@SIXTEEN
def test_a_schedule_keeps_its_precision_inside_a_model(dtype: torch.dtype) -> None:
    exact = cosine_schedule().alpha_bar
    net = DiffusionUNet(cosine_schedule(), channels=8).to(dtype)
    assert torch.equal(net.schedule.alpha_bar, exact)
    assert torch.equal(net.float().schedule.alpha_bar, exact)
    assert net.to("meta").schedule.alpha_bar.is_meta
    assert net.read_in.weight.is_meta


@SIXTEEN
def test_a_unet_of_sixteen_bits_says_what_one_of_float32_says(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    net = DiffusionUNet(linear_schedule(), channels=8)
    x, t, labels = randn(4, 1, 8, 8), torch.tensor([1, 10, 500, 1000]), torch.tensor([0, 3, 9, 10])
    expected = net(x, t, labels)
    found = net.to(dtype)(x.to(dtype), t, labels)
    assert found.dtype == dtype
    assert (found - expected).abs().max() < 10 * torch.finfo(dtype).eps * expected.abs().max()


@SIXTEEN
def test_samplers_stay_finite(dtype: torch.dtype) -> None:
    schedule = cosine_schedule(20)
    exact = ExactNoise(schedule, torch.tensor([[0.5, -0.5], [-1.0, 1.0]]), std=0.1)
    start = randn(50, 2).to(dtype)
    for walk in (
        ddpm_sample(exact, schedule, start, generator=torch.Generator().manual_seed(0)),
        ddim_sample(exact, schedule, start, steps=20),
    ):
        assert walk.dtype == dtype
        away = torch.cdist(walk.float(), exact.means).min(1).values
        assert away.max() < 0.6  # near one of the two points, which are 2.1 apart


@SIXTEEN
@pytest.mark.parametrize("size", [0.1, 40.0])
def test_attention_of_sixteen_bits_is_finite_and_right(dtype: torch.dtype, size: float) -> None:
    signs = randn(5, 64).sign()
    query = key = (size * signs).to(dtype)
    value = randn(5, 3).to(dtype)
    read, weights = scaled_dot_product_attention(query, key, value)
    wide = query.double(), key.double(), value.double()
    expected = scaled_dot_product_attention(*wide)
    assert_rounded(weights, expected[1], dtype)
    assert read.dtype == dtype
    assert (read - expected[0]).abs().max() < 4 * torch.finfo(dtype).eps
    equal = torch.full((3, 64), size, dtype=dtype)  # 40 x 40 x 64 is beyond float16
    even = scaled_dot_product_attention(equal, equal, value[:3])[1]
    assert_rounded(even, torch.full((3, 3), 1 / 3), dtype)


@SIXTEEN
def test_a_softmax_of_many_is_computed_in_float32(dtype: torch.dtype) -> None:
    scores = randn(2, 4_001).to(dtype)
    _, weights = softmax_gate(scores, torch.ones(4_001, 1, dtype=dtype))
    assert_rounded(weights, scores.double().softmax(-1), dtype)


@SIXTEEN
def test_heads_take_sixteen_bits(dtype: torch.dtype) -> None:
    layer = MultiHeadAttention(8, 2)
    x, mask = randn(3, 5, 8), torch.ones(5, 5, dtype=torch.bool).tril()
    expected, _ = layer(x, mask=mask)
    found, weights = layer.to(dtype)(x.to(dtype), mask=mask)
    assert found.dtype == weights.dtype == dtype
    assert (found - expected).abs().max() < 10 * torch.finfo(dtype).eps


@SIXTEEN
def test_the_terms_of_the_elbo_are_those_of_float64(dtype: torch.dtype) -> None:
    mean, log_variance = (0.03 * randn(7, 5, seed=k).to(dtype) for k in range(2))
    kl = gaussian_kl(mean, log_variance)
    torch.testing.assert_close(kl.double(), gaussian_kl(mean.double(), log_variance.double()))
    assert kl.min() > 0  # in sixteen bits half of them are below
    x, logits = (randn(3, 784, seed=3) > 0).to(dtype), 4 * randn(3, 784, seed=4).to(dtype)
    for function, arguments in (
        (bernoulli_log_likelihood, (x, logits)),
        (gaussian_log_density, (x, logits, 0.1 * logits)),
    ):
        expected = function(*(a.double() for a in arguments))
        torch.testing.assert_close(function(*arguments).double(), expected, rtol=1e-5, atol=0)


class Always(nn.Module):
    """A model that predicts the same whatever it sees."""

    def __init__(self, value: float, dtype: torch.dtype) -> None:
        super().__init__()
        self.value = torch.tensor(value, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        return self.value.expand(x.shape)


@SIXTEEN
def test_a_confident_denoiser_pays_what_it_owes(dtype: torch.dtype) -> None:
    clean = torch.full((2, 1, 28, 28), 0.99)
    loss = denoising.loss(Always(7.0, dtype), (clean, clean))
    assert loss.item() == pytest.approx(7 - 0.99 * 7 + math.log1p(math.exp(-7)), rel=1e-4)
    assert entropy_floor(clean.to(dtype)) == pytest.approx(0.056, abs=0.02)


def test_logits_are_those_of_the_probabilities() -> None:
    net, x = DenoisingAutoencoder(filters=2, skips=True), torch.rand(2, 1, 28, 28)
    torch.testing.assert_close(torch.sigmoid(denoising.Logits(net)(x)), net(x))
    by_hand = F.binary_cross_entropy(net(x), x)
    torch.testing.assert_close(denoising.loss(denoising.Logits(net), (x, x)), by_hand)


# Largest relative difference of a loss: bfloat16 has 8 binary digits, 0.4 %, and a loss is a mean
# of many numbers. Seeds 0 to 2 gave at most 0.2 %. Batch norm of 16 images of 8x8 pixels makes more
# of each rounding, layer by layer: 2 % at 8 layers, 18 % at 56, so only 8 are compared.
TOLERANCE = {"residual": 0.05}
OPTIONS = {"residual": ["--depths", "8"]}


@pytest.mark.parametrize("name", NAMES)
def test_recipes_train_in_bfloat16_as_in_float32(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in {"SCALE": "smoke", "SEED": "0", "DATA": "drawn"}.items():
        monkeypatch.setenv(f"DDL_{variable}", value)
    monkeypatch.setenv("DDL_PROGRESS", "0")
    losses: list[dict[str, Any]] = []
    for precision in ("float32", "bf16"):
        out = tmp_path / f"{precision}.json"
        main([name, "--out", str(out), "--precision", precision, *OPTIONS.get(name, [])])
        trainings = json.loads(out.read_text(encoding="utf-8"))["trainings"]
        losses.append({label: t["losses"] for label, t in trainings.items()})
    for label, expected in losses[0].items():
        found = losses[1][label]
        assert found != expected  # it was another precision
        assert found == pytest.approx(expected, rel=TOLERANCE.get(name, 0.005)), label


def test_only_sixteen_bits_are_widened() -> None:
    for dtype in (torch.float32, torch.float64, torch.int64, torch.bool):
        x = torch.ones(2, dtype=dtype)
        assert at_least_float32(x) is x
    for dtype in (torch.float16, torch.bfloat16):
        assert at_least_float32(torch.ones(2, dtype=dtype)).dtype == torch.float32


def test_values_are_read_only_where_nobody_waits() -> None:
    here, elsewhere = torch.ones(2), torch.ones(2, device="meta")
    assert readable(here, here)
    assert not readable(here, elsewhere)
    compiled = torch.compile(lambda x: x + readable(x), backend="eager", fullgraph=True)
    assert compiled(here).tolist() == [1, 1]
