"""Diffusion against the library diffusers, against exact densities, and with wrong input."""

import math

import pytest
import torch
from diffusers.models.embeddings import get_timestep_embedding
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from ddl.diffusion import (
    ExactNoise,
    NoiseSchedule,
    cosine_schedule,
    ddim_sample,
    ddpm_sample,
    linear_schedule,
    timestep_embedding,
)

DOUBLE = torch.float64
SHAPES = [(5,), (5, 3), (5, 2, 7, 3)]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=generator(seed))


def schedule(*betas: float) -> NoiseSchedule:
    return NoiseSchedule(torch.tensor(betas, dtype=DOUBLE))


def model(x: Tensor, t: Tensor) -> Tensor:
    return torch.sin(x + t.reshape(-1, *[1] * (x.ndim - 1)) / 100)


OURS_AND_THEIRS = [
    (linear_schedule(1000), "linear"),
    (linear_schedule(), "linear"),
    (cosine_schedule(1000), "squaredcos_cap_v2"),
    (cosine_schedule(), "squaredcos_cap_v2"),
]


@pytest.mark.parametrize(("ours", "name"), OURS_AND_THEIRS)
def test_schedules_are_those_of_diffusers(ours: NoiseSchedule, name: str) -> None:
    other = DDPMScheduler(num_train_timesteps=1000, beta_schedule=name)  # type: ignore[arg-type]
    assert ours.steps == 1000
    assert ours.betas.shape == ours.alphas.shape == ours.alpha_bar.shape == (1001,)
    close = {"atol": 1e-5, "rtol": 1e-5, "check_dtype": False}
    torch.testing.assert_close(ours.betas[1:], other.betas, **close)
    torch.testing.assert_close(ours.alphas[1:], other.alphas, **close)
    torch.testing.assert_close(ours.alpha_bar[1:], other.alphas_cumprod, **close)
    assert (ours.betas[0], ours.alphas[0], ours.alpha_bar[0]) == (0, 1, 1)


def test_linear_schedule_takes_its_ends() -> None:
    betas = linear_schedule(3, start=0.2, end=0.6).betas[1:]
    torch.testing.assert_close(betas, torch.tensor([0.2, 0.4, 0.6], dtype=DOUBLE))


@pytest.mark.parametrize("shape", SHAPES)
def test_q_sample_is_add_noise_of_diffusers(shape: tuple[int, ...]) -> None:
    x0, noise, t = randn(*shape), randn(*shape, seed=1), torch.tensor([1, 7, 100, 500, 1000])
    expected = DDPMScheduler().add_noise(x0, noise, t - 1)  # type: ignore[arg-type]
    ours = linear_schedule()
    torch.testing.assert_close(ours.q_sample(x0, t, noise), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.q_sample(x0, 0 * t, noise), x0)


@pytest.mark.parametrize("shape", SHAPES)
def test_predict_x0_undoes_q_sample(shape: tuple[int, ...]) -> None:
    ours = linear_schedule(1000)
    x0, noise, t = randn(*shape), randn(*shape, seed=1), torch.tensor([1, 7, 100, 500, 1000])
    torch.testing.assert_close(ours.predict_x0(ours.q_sample(x0, t, noise), t, noise), x0)


@pytest.mark.parametrize("step", [1, 2, 17, 500, 1000])
def test_ddpm_step_is_that_of_diffusers(step: int) -> None:
    x, predicted = randn(5, 3).float(), randn(5, 3, seed=1).float()
    noise = torch.randn(5, 3, generator=generator(7))
    expected = DDPMScheduler(clip_sample=False, variance_type="fixed_small").step(
        predicted,  # type: ignore[arg-type]
        step - 1,
        x,  # type: ignore[arg-type]
        generator=generator(7),
    )
    ours = linear_schedule().ddpm_step(x, torch.full((5,), step), predicted, noise)
    torch.testing.assert_close(ours, expected.prev_sample, atol=1e-5, rtol=1e-4)  # type: ignore[union-attr]


def test_last_ddpm_step_adds_no_noise() -> None:
    ours, x, predicted, t = linear_schedule(7), randn(5, 3), randn(5, 3, seed=1), torch.ones(5)
    steps = [ours.ddpm_step(x, t.long(), predicted, randn(5, 3, seed=s)) for s in (2, 3)]
    torch.testing.assert_close(steps[0], steps[1])
    torch.testing.assert_close(steps[0], ours.predict_x0(x, t.long(), predicted))
    again = [ours.ddpm_step(x, 2 * t.long(), predicted, randn(5, 3, seed=s)) for s in (2, 3)]
    assert (again[0] - again[1]).abs().min() > 1e-3


def test_ddpm_step_is_bayes_rule_for_one_gaussian() -> None:
    # x_0 ~ N(m, s^2) and x_{t-1}, x_t are jointly Gaussian: regress one on the other.
    ours, m, s, t = schedule(0.1, 0.3, 0.2, 0.4), 0.7, 0.5, torch.tensor([3])
    exact = ExactNoise(ours, torch.tensor([[m]], dtype=DOUBLE), s)
    x = torch.tensor([[1.3]], dtype=DOUBLE)
    a_before = 0.9 * 0.7
    mean, var = math.sqrt(a_before) * m, a_before * s**2 + 1 - a_before
    gain = math.sqrt(0.8) * var / (0.8 * var + 0.2)
    expected = mean + gain * (1.3 - math.sqrt(0.8) * mean)
    step = ours.ddpm_step(x, t, exact(x, t), torch.zeros_like(x))
    assert step.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("strides", [1, 4, 10, 50])
def test_ddim_walk_is_that_of_diffusers(strides: int) -> None:
    scheduler = DDIMScheduler(clip_sample=False, timestep_spacing="trailing")
    scheduler.set_timesteps(strides)
    x = expected = randn(5, 3).float()
    for t in scheduler.timesteps:
        predicted = model(expected, (t + 1).expand(5))
        expected = scheduler.step(predicted, t, expected).prev_sample  # type: ignore[arg-type, union-attr]
    walk = ddim_sample(model, linear_schedule(), x, steps=strides)
    torch.testing.assert_close(walk, expected, atol=1e-3, rtol=1e-3)


def test_ddim_step_keeps_the_noise_and_takes_less_of_it() -> None:
    ours, x0, noise = linear_schedule(50), randn(5, 2, 3), randn(5, 2, 3, seed=1)
    t, t_prev = torch.tensor([50, 7, 3, 2, 1]), torch.tensor([20, 6, 0, 1, 0])
    back = ours.ddim_step(ours.q_sample(x0, t, noise), t, t_prev, noise)
    torch.testing.assert_close(back, ours.q_sample(x0, t_prev, noise))


@pytest.mark.parametrize("strides", [7, 3, 1])
def test_ddim_sample_asks_at_equal_strides_and_ends_at_0(strides: int) -> None:
    asked: list[int] = []

    def spy(x: Tensor, t: Tensor) -> Tensor:
        asked.append(int(t[0]))
        return noise

    x0, noise = randn(5, 3), randn(5, 3, seed=1)
    ours = linear_schedule(7)
    x = ours.q_sample(x0, torch.full((5,), 7), noise)
    torch.testing.assert_close(ddim_sample(spy, ours, x, steps=strides), x0)
    assert asked == {7: [7, 6, 5, 4, 3, 2, 1], 3: [7, 5, 2], 1: [7]}[strides]


def test_ddpm_sample_is_every_step_once() -> None:
    ours, x = linear_schedule(3), randn(5, 2)
    state, expected = generator(3), x
    for step in (3, 2, 1):
        t, noise = torch.full((5,), step), torch.randn(5, 2, generator=state, dtype=DOUBLE)
        expected = ours.ddpm_step(expected, t, model(expected, t), noise)
    torch.testing.assert_close(ddpm_sample(model, ours, x, generator=generator(3)), expected)


def test_samplers_keep_no_graph_and_leave_the_start_alone() -> None:
    x = randn(5, 2)
    before = x.clone()
    weight = torch.ones(2, dtype=DOUBLE, requires_grad=True)
    ours = linear_schedule(3)
    ends = [
        ddpm_sample(lambda x, t: weight * x, ours, x, generator=generator()),
        ddim_sample(lambda x, t: weight * x, ours, x, steps=2),
    ]
    assert not any(end.requires_grad for end in ends)
    assert torch.equal(x, before)


@pytest.mark.parametrize("shape", [(4001,), (4001, 1, 2)])
def test_draw_draws_every_step_and_the_noise_it_adds(shape: tuple[int, ...]) -> None:
    ours, x0 = linear_schedule(7), randn(*shape)
    x_t, t, noise = ours.draw(x0, generator=generator(3))
    assert x_t.dtype == noise.dtype == DOUBLE
    torch.testing.assert_close(x_t, ours.q_sample(x0, t, noise))
    counts = t.bincount(minlength=9)
    assert counts[0] == counts[8] == 0
    assert counts[1:8].min() > 450
    assert noise.mean().abs() < 0.06
    assert (noise.var() - 1).abs() < 0.09
    again = ours.draw(x0, generator=generator(3))
    assert torch.equal(again[0], x_t)


def test_timestep_embedding_is_that_of_diffusers() -> None:
    t = torch.tensor([0, 1, 7, 500, 1000])
    ours, theirs = timestep_embedding(t, 14), get_timestep_embedding(t, 14)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)  # angles of 1000 in float32
    assert timestep_embedding(t, 4)[0].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("weights", [None, torch.tensor([0.2, 0.5, 0.3], dtype=DOUBLE)])
@pytest.mark.parametrize("step", [1, 5, 11])
def test_exact_noise_is_the_score(weights: Tensor | None, step: int) -> None:
    ours, means, std = linear_schedule(11, end=0.3), randn(3, 2), 0.4
    a = ours.alpha_bar[step]
    cov = (a * std**2 + 1 - a) * torch.eye(2, dtype=DOUBLE)
    mixture = MixtureSameFamily(
        Categorical(torch.ones(3, dtype=DOUBLE) if weights is None else weights),
        MultivariateNormal(a.sqrt() * means, cov),
    )
    x = randn(7, 2, seed=1).requires_grad_()
    score = torch.autograd.grad(mixture.log_prob(x).sum(), x)[0]
    predicted = ExactNoise(ours, means, std, weights)(x.detach(), torch.full((7,), step))
    torch.testing.assert_close(predicted, -(1 - a).sqrt() * score)


def test_exact_noise_of_one_point_is_the_noise() -> None:
    ours, point, noise = linear_schedule(11), randn(1, 3), randn(7, 3, seed=1)
    t = torch.randint(1, 12, (7,), generator=generator())
    x_t = ours.q_sample(point.expand(7, 3), t, noise)
    torch.testing.assert_close(ExactNoise(ours, point, 0.0)(x_t, t), noise)


def test_exact_noise_has_the_smallest_loss() -> None:
    ours, means = linear_schedule(20, end=0.4), torch.tensor([[-1.0], [1.0]], dtype=DOUBLE)
    exact = ExactNoise(ours, means, 0.3)
    x0 = means[torch.randint(2, (20_000,), generator=generator())] + 0.3 * randn(20_000, 1)
    x_t, t, noise = ours.draw(x0, generator=generator(1))
    best = exact(x_t, t)
    loss = (best - noise).square().mean()
    for other in (0.9 * best, 1.1 * best, best + 0.1, ExactNoise(ours, means, 0.6)(x_t, t)):
        assert (other - noise).square().mean() > loss


def test_schedule_refuses_what_is_no_variance() -> None:
    for betas in ([], [0.1, 0.0], [0.1, 1.0], [-0.1], [math.nan]):
        with pytest.raises(ValueError, match="betas must be a list of values between 0 and 1"):
            schedule(*betas)
    for make in (linear_schedule, cosine_schedule):
        with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
            make(0)
        assert make(1).steps == 1
    with pytest.raises(ValueError, match="betas must be"):
        linear_schedule(3, end=1.0)


def test_steps_out_of_range_are_refused() -> None:
    ours, x = linear_schedule(7), randn(2, 3)
    for wrong in (-1, 8):
        with pytest.raises(ValueError, match=r"t must lie in 0 to 7, got "):
            ours.q_sample(x, torch.tensor([1, wrong]), x)
        with pytest.raises(ValueError, match=r"t must lie in 0 to 7, got "):
            ours.predict_x0(x, torch.tensor([wrong, 1]), x)
    with pytest.raises(ValueError, match="t must be at least 1, got 0"):
        ours.ddpm_step(x, torch.tensor([1, 0]), x, x)
    for t_prev in ([3, 2], [2, 3], [5, 0]):
        with pytest.raises(ValueError, match=r"t_prev must be below t, got \["):
            ours.ddim_step(x, torch.tensor([3, 3]), torch.tensor(t_prev), x)
    with pytest.raises(ValueError, match=r"t must .* \(batch\), .* beside x0 of shape \(2, 3\)"):
        ours.q_sample(x, torch.tensor([1, 2, 3]), x)


def test_samplers_and_embedding_refuse_wrong_sizes() -> None:
    for steps in (0, 8):
        with pytest.raises(ValueError, match=f"steps must lie in 1 to 7, got {steps}"):
            ddim_sample(model, linear_schedule(7), randn(2, 3), steps=steps)
    for size in (2, 5):
        with pytest.raises(ValueError, match=f"size must be even and at least 4, got {size}"):
            timestep_embedding(torch.tensor([1]), size)


def test_exact_noise_refuses_what_is_no_mixture() -> None:
    ours, means = linear_schedule(7), randn(2, 3)
    with pytest.raises(ValueError, match=r"std must not be negative, got -0\.1"):
        ExactNoise(ours, means, -0.1)
    for weights in ([0.5, 0.6], [1.5, -0.5]):
        with pytest.raises(ValueError, match=r"weights must be 2 probabilities of sum 1, got \["):
            ExactNoise(ours, means, 0.1, torch.tensor(weights))
    with pytest.raises(ValueError, match=r"weights must .* \(count\), got"):
        ExactNoise(ours, means, 0.1, torch.tensor([0.2, 0.3, 0.5]))
