"""The VAE's terms against torch.distributions, quadrature and exact likelihoods."""

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch import distributions as td

from ddl.vae import (
    VAE,
    LatentModel,
    LinearVAE,
    bernoulli_log_likelihood,
    gaussian_kl,
    gaussian_log_density,
    iwae_bound,
    reparameterise,
)

DOUBLE = torch.float64


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(0)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


def gaussians() -> tuple[Tensor, Tensor, td.Independent]:
    mean, log_variance = randn(7, 3), randn(7, 3, seed=1)
    return mean, log_variance, td.Independent(td.Normal(mean, log_variance.exp().sqrt()), 1)


def linear(features: int = 5, latent: int = 2) -> LinearVAE:
    model = LinearVAE(features, latent=latent).double()
    with torch.no_grad():
        for parameter, scale in ((model.log_variance, 0.3), (model.log_noise, 0.5)):
            parameter.copy_(scale * torch.randn(parameter.shape, dtype=DOUBLE))
    return model


def test_kl_is_that_of_torch() -> None:
    mean, log_variance, q = gaussians()
    prior = td.Independent(td.Normal(torch.zeros_like(mean), torch.ones_like(mean)), 1)
    torch.testing.assert_close(gaussian_kl(mean, log_variance), td.kl_divergence(q, prior))


def test_kl_is_zero_for_the_standard_gaussian_only() -> None:
    zero = torch.zeros(1, 3, dtype=DOUBLE)
    assert gaussian_kl(zero, zero).item() == 0
    for j, step in itertools.product(range(3), (-0.1, 0.1)):
        moved = zero.clone()
        moved[0, j] = step
        assert gaussian_kl(moved, zero).item() > 0
        assert gaussian_kl(zero, moved).item() > 0


def test_log_density_is_that_of_torch_and_integrates_to_one() -> None:
    mean, log_variance, q = gaussians()
    x = randn(2, 7, 3, seed=2)
    torch.testing.assert_close(gaussian_log_density(x, mean, log_variance), q.log_prob(x))
    line = torch.linspace(-30, 30, 6001, dtype=DOUBLE)[:, None]
    mean, log_variance = torch.tensor([0.7], dtype=DOUBLE), torch.tensor([1.1], dtype=DOUBLE)
    mass = gaussian_log_density(line, mean, log_variance).exp().sum() * 0.01
    torch.testing.assert_close(mass, torch.ones((), dtype=DOUBLE))


def test_draws_have_the_mean_and_the_variance_asked_for() -> None:
    mean, log_variance, _ = gaussians()
    standard = randn(1000, 7, 3, seed=3)
    standard = (standard - standard.mean(0)) / standard.std(0)  # exactly: no sampling error
    z = reparameterise(mean, log_variance, standard)
    torch.testing.assert_close(z.mean(0), mean)
    torch.testing.assert_close(z.var(0), log_variance.exp())


def test_draws_pass_gradients_on() -> None:
    mean, log_variance, noise = randn(7, 3), randn(7, 3, seed=1), randn(2, 7, 3, seed=2)
    for parameter in (mean, log_variance):
        parameter.requires_grad_()
    assert torch.autograd.gradcheck(lambda m, v: reparameterise(m, v, noise), (mean, log_variance))


def test_reparameterise_refuses_noise_of_another_shape() -> None:
    with pytest.raises(ValueError, match=r"noise must .* beside mean of shape \(7, 3\)"):
        reparameterise(randn(7, 3), randn(7, 3), randn(3, 7))


def test_bernoulli_is_that_of_torch() -> None:
    x, logits = (randn(7, 5) > 0).double(), randn(3, 7, 5, seed=1)
    expected = td.Independent(td.Bernoulli(logits=logits), 1).log_prob(x)
    torch.testing.assert_close(bernoulli_log_likelihood(x, logits), expected)


def test_bernoulli_survives_a_sure_decoder() -> None:
    x = torch.tensor([[1.0, 0.0]])
    assert bernoulli_log_likelihood(x, torch.tensor([[1e4, -1e4]])).item() == 0
    assert bernoulli_log_likelihood(x, torch.tensor([[-1e4, 1e4]])).item() == -2e4


@pytest.mark.parametrize("value", [-0.5, 1.5])
def test_bernoulli_refuses_what_is_no_pixel(value: float) -> None:
    with pytest.raises(ValueError, match=r"x must lie in \[0, 1\], got "):
        bernoulli_log_likelihood(torch.tensor([[value, 0.5]]), torch.zeros(1, 2))


def test_forward_returns_the_two_terms() -> None:
    model, x, noise = VAE(5, hidden=11, latent=3).double(), (randn(7, 5) > 0).double(), randn(7, 3)
    mean, log_variance = model.encode(x)
    h = model.body(x)
    torch.testing.assert_close(mean, model.mean(h))  # two heads on one body
    torch.testing.assert_close(log_variance, model.log_variance(h))
    white = model.decode(mean + log_variance.exp().sqrt() * noise)
    expected = (x * white.log() + (1 - x) * (1 - white).log()).sum(1)
    reconstruction, kl = model(x, noise)
    torch.testing.assert_close(reconstruction, expected)
    torch.testing.assert_close(kl, gaussian_kl(mean, log_variance))
    several, _ = model(x, torch.stack([noise, -noise]))
    assert several.shape == (2, 7)
    torch.testing.assert_close(several[0], expected)


def test_vae_has_the_parameters_of_five_dense_layers() -> None:
    count = sum(p.numel() for p in VAE(5, hidden=11, latent=3).parameters())
    assert count == (5 + 1) * 11 + 2 * (11 + 1) * 3 + (3 + 1) * 11 + (11 + 1) * 5


def test_hidden_layers_bend() -> None:
    model, x = VAE(5, hidden=11, latent=3).double(), randn(7, 5)
    middle = model.encode((x + x.flip(0)) / 2)[0]
    assert not torch.allclose(middle, (model.encode(x)[0] + model.encode(x.flip(0))[0]) / 2)
    z = randn(7, 3)
    logits = model.decoder(torch.stack([z, z.flip(0), (z + z.flip(0)) / 2]))
    assert not torch.allclose(logits[2], (logits[0] + logits[1]) / 2)


def test_all_images_share_one_unit_of_mass() -> None:
    model, z = VAE(5, hidden=11, latent=3).double(), randn(1, 3).expand(32, 3)
    images = torch.tensor(list(itertools.product([0.0, 1.0], repeat=5)), dtype=DOUBLE)
    total = model.log_likelihood(images, z).exp().sum()
    torch.testing.assert_close(total, torch.ones((), dtype=DOUBLE))


def test_evidence_is_the_integral_over_the_latent() -> None:
    model, x = linear(latent=1), randn(3, 5)
    z = torch.linspace(-9, 9, 3001, dtype=DOUBLE)[:, None, None].expand(3001, 3, 1)
    zero = torch.zeros(3, 1, dtype=DOUBLE)
    joint = model.log_likelihood(x, z) + gaussian_log_density(z, zero, zero)
    integral = joint.logsumexp(0) + math.log(18 / 3000)
    torch.testing.assert_close(model.log_evidence(x), integral)


def test_elbo_is_exact_with_the_true_posterior() -> None:
    model, x = linear(latent=1), randn(7, 5)
    weight, s2 = model.decoder.weight, model.log_noise.exp()
    precision = 1 + weight.square().sum() / s2
    with torch.no_grad():
        model.mean.weight.copy_(weight.T / s2 / precision)
        model.mean.bias.copy_(-(model.mean.weight @ model.decoder.bias))
        model.log_variance.fill_(-precision.log())
    for draws in (1, 3):  # every weight is p(x), so that one draw is as good as many
        bound = iwae_bound(model, x, randn(draws, 7, 1))
        torch.testing.assert_close(bound, model.log_evidence(x))


def test_bound_of_one_draw_is_the_elbo_on_average() -> None:
    model, x = linear(), randn(3, 5).repeat(20_000, 1)
    noise = randn(60_000, 2)
    reconstruction, kl = model(x, noise)
    bound = iwae_bound(model, x, noise[None])
    gap = bound - (reconstruction - kl)
    assert abs(gap.mean().item()) < 4 * gap.std().item() / 60_000**0.5


def test_bound_rises_with_draws_and_stays_below_the_evidence() -> None:
    model, x = linear(), randn(3, 5).repeat(2_000, 1)
    evidence = model.log_evidence(x).mean().item()
    bounds = [iwae_bound(model, x, randn(k, 6_000, 2)).mean().item() for k in (1, 5, 50)]
    assert bounds[0] < bounds[1] < bounds[2] < evidence
    assert evidence - bounds[2] < 0.2 * (evidence - bounds[0])


def test_bound_is_unbiased_in_the_likelihood() -> None:
    # The mean of the weights is p(x) itself: a dropped log k or a swapped p and q would show.
    model, x = linear(), 0.3 * randn(2, 5)
    weights = iwae_bound(model, x.repeat(50_000, 1), randn(1, 100_000, 2)).exp()
    estimate, spread = weights.view(-1, 2).mean(0), weights.view(-1, 2).std(0) / 50_000**0.5
    exact = model.log_evidence(x).exp()
    assert ((estimate - exact).abs() < 4 * spread).all()
    assert (spread < 0.05 * exact).all()


def test_bad_sizes_are_refused() -> None:
    for name in ("pixels", "hidden", "latent"):
        sizes = {"pixels": 5, "hidden": 3, "latent": 2} | {name: 0}
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
            VAE(**sizes)
    with pytest.raises(ValueError, match="features must be at least 1, got 0"):
        LinearVAE(0, latent=1)
    with pytest.raises(ValueError, match="latent must be at least 1, got -1"):
        LinearVAE(3, latent=-1)
    with pytest.raises(ValueError, match=r"noise must hold at least one draw, got shape \(0, 3"):
        iwae_bound(linear(), randn(3, 5), randn(0, 3, 2))


def test_a_model_without_encoder_or_decoder_says_so() -> None:
    with pytest.raises(NotImplementedError):
        LatentModel().encode(randn(2, 3))
    with pytest.raises(NotImplementedError):
        LatentModel().log_likelihood(randn(2, 3), randn(2, 3))
