"""Formulas at the ends of their range, against float64 or the limit: nothing cancels, no 0 / 0."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from ddl.autoencoder import KMeans, nearest, principal_angles
from ddl.convolution import lost_share
from ddl.diffusion import ExactNoise, NoiseSchedule, cosine_schedule, linear_schedule
from ddl.image_diffusion import DiffusionUNet
from ddl.latent_space import GaussianMixture
from ddl.scoring import train_digit_classifier
from ddl.support import microscopy
from ddl.upsampling import checkerboard_share
from ddl.vae import (
    LatentModel,
    LinearVAE,
    bernoulli_log_likelihood,
    gaussian_kl,
    gaussian_log_density,
    iwae_bound,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=seeded(seed))


# Distances


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e4])
def test_k_means_finds_close_clusters_far_from_the_origin(offset: float) -> None:
    gap = 0.3 if offset < 1e4 else 3.0
    places = offset + torch.tensor([[0.0, 0.0], [gap, 0.0]]).repeat_interleave(100, 0)
    x = places + gap / 15 * randn(200, 2)
    means = KMeans.fit(x, 2, steps=10, generator=seeded())
    code = means.encode(x)
    assert code[:100].unique().numel() == code[100:].unique().numel() == 1
    assert code[0] != code[100]
    expected = torch.stack([x[:100].double().mean(0), x[100:].double().mean(0)])
    found = means.centroids[code[[0, 100]]].double()
    torch.testing.assert_close(found, expected, atol=gap / 100, rtol=0)


def test_a_centroid_of_many_rows_far_from_the_origin_is_their_mean() -> None:
    x = torch.tensor([1000.3, 1000.0]) + 0.02 * randn(30_000, 2)
    found = KMeans(x[:1]).step(x).centroids[0].double()
    torch.testing.assert_close(found, x.double().mean(0), atol=2e-4, rtol=0)


def test_nearest_tells_points_apart_at_two_scales() -> None:
    points = torch.tensor([[0.0, 0.0], [1000.0, 1000.0], [1000.3, 1000.0]])
    assert nearest(points.repeat(20, 1), points).tolist() == [0, 1, 2] * 20


def test_small_angles_are_measured() -> None:
    for degrees in (0.0, 1e-9, 1e-5, 1.0, 44.0, 46.0, 89.0, 90.0):
        radians = math.radians(degrees)
        a = torch.tensor([[1.0, 0, 0, 0], [0, 0, 1, 0]], dtype=torch.float64)
        b = a.clone()
        b[1, 2:] = torch.tensor([math.cos(radians), math.sin(radians)], dtype=b.dtype)
        for angles in (principal_angles(a, b), principal_angles(b[1:], a)):
            assert angles[-1].item() == pytest.approx(degrees, rel=1e-9, abs=1e-14)


def test_drawn_cells_are_as_exact_in_a_large_frame() -> None:
    pixels = microscopy._bent_pixels(1, 1024, seeded())[:, -20_000:]
    points = microscopy._points(1, 1024, seeded(1))
    centre, _, which = microscopy._distances(pixels, points)
    exact, _, wanted = microscopy._distances(pixels.double(), points.double())
    assert torch.equal(which, wanted)
    torch.testing.assert_close(centre.double(), exact, atol=1e-3, rtol=0)


# Diffusion near t = 0


def small_steps() -> NoiseSchedule:
    return linear_schedule(10, start=1e-12, end=1e-11)


@pytest.mark.parametrize("schedule", [small_steps(), linear_schedule(), cosine_schedule()])
def test_noise_near_t_0_is_that_of_float64(schedule: NoiseSchedule) -> None:
    x, noise, t = randn(4, 3), randn(4, 3, seed=1), torch.tensor([1, 2, 3, 7])
    zero = torch.zeros_like(x)
    exact = torch.tensor([math.fsum(schedule.betas[: k + 1].tolist()) for k in t.tolist()])
    torch.testing.assert_close(schedule.beta_bar[t].float(), exact, rtol=2e-2, atol=0)
    for compute in (
        lambda x, noise: schedule.q_sample(0 * x, t, noise),
        lambda x, noise: schedule.predict_x0(0 * x, t, noise),
        lambda x, noise: schedule.ddpm_step(x, t, noise, 0 * x),
        lambda x, noise: schedule.ddpm_step(0 * x, t, 0 * x, noise),
        lambda x, noise: ExactNoise(schedule, 0 * x[:1], 0.0)(0.01 * x, t),
    ):
        ours, wide = compute(x, noise), compute(x.double(), noise.double())
        assert ours.isfinite().all()
        torch.testing.assert_close(ours.double(), wide, rtol=2e-6, atol=0)
    assert (schedule.q_sample(zero, t, noise) != 0).all()


def test_the_network_is_told_the_noise_of_the_first_step() -> None:
    torch.manual_seed(0)
    net, x, t = DiffusionUNet(small_steps(), channels=8), randn(2, 1, 4, 4), torch.tensor([1, 1])
    for parameter in net.read_out.parameters():
        torch.nn.init.zeros_(parameter)
    torch.testing.assert_close(net(x, t), 1e-6 * x, rtol=1e-5, atol=0)


# Likelihoods


@pytest.mark.parametrize("log_variance", [-120.0, -400.0, -1e5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_density_at_the_mean_of_a_tiny_variance(log_variance: float, dtype: torch.dtype) -> None:
    mean = torch.tensor([[0.3, 0.7]], dtype=dtype, requires_grad=True)
    narrow = torch.full((1, 2), log_variance, dtype=dtype, requires_grad=True)
    density = gaussian_log_density(mean.detach(), mean, narrow)
    expected = -log_variance - math.log(2 * math.pi)
    assert density.item() == pytest.approx(expected, rel=1e-6)
    density.backward()
    assert mean.grad is not None
    assert narrow.grad is not None
    assert mean.grad.tolist() == [[0, 0]]
    assert narrow.grad.tolist() == [[-0.5, -0.5]]


def test_density_where_only_the_square_would_vanish_or_overflow() -> None:
    x = torch.tensor([[1e-30], [1e30]])
    log_variance = torch.tensor([[-138.0], [138.0]])
    found = gaussian_log_density(x, torch.zeros(2, 1), log_variance)
    expected = Normal(0.0, (log_variance.double() / 2).exp()).log_prob(x.double()).sum(-1)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=0)


def test_kl_near_the_standard_gaussian_is_positive_and_right() -> None:
    mean = torch.tensor([[0.0], [0.0], [1e-5], [0.0], [0.3]])
    log_variance = torch.tensor([[1e-3], [-1e-4], [0.0], [-120.0], [2.0]])
    q = Normal(mean.double(), (log_variance.double() / 2).exp())
    expected = kl_divergence(q, Normal(torch.tensor(0.0).double(), 1.0)).sum(-1)
    torch.testing.assert_close(
        gaussian_kl(mean, log_variance).double(), expected, rtol=1e-3, atol=0
    )


def test_bernoulli_of_a_sure_and_right_decoder() -> None:
    logits = torch.tensor([[25.0], [-25.0], [200.0], [0.0]])
    x = torch.tensor([[1.0], [0.0], [1.0], [1.0]])
    expected = torch.tensor([-math.log1p(math.exp(-25))] * 2 + [0.0, -math.log(2)])
    torch.testing.assert_close(bernoulli_log_likelihood(x, logits), expected, rtol=1e-5, atol=0)


class Narrow(LatentModel):
    """A model whose posterior is much narrower than the spacing of numbers at its mean."""

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, torch.full_like(x, -60.0)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        return torch.zeros(z.shape[:-1])


def test_bound_with_a_posterior_narrower_than_rounding() -> None:
    x, noise = torch.full((3, 2), 0.7), randn(5, 3, 2)
    found = iwae_bound(Narrow(), x, noise)
    wide = iwae_bound(Narrow(), x.double(), noise.double())
    torch.testing.assert_close(found.double(), wide, rtol=1e-4, atol=0)


@pytest.mark.parametrize("log_noise", [-14.0, -18.0])
def test_evidence_of_a_linear_model_with_hardly_any_noise(log_noise: float) -> None:
    torch.manual_seed(0)
    model = LinearVAE(5, latent=2)
    with torch.no_grad():
        model.log_noise.fill_(log_noise)
        x = randn(7, 2) @ model.decoder.weight.T + model.decoder.bias
        found = model.log_evidence(x)
        wide = model.double()
        weight, bias = wide.decoder.weight, wide.decoder.bias
        noise = math.exp(log_noise) * torch.eye(5, dtype=torch.float64)
        exact = MultivariateNormal(bias, weight @ weight.T + noise).log_prob(x.double())
    torch.testing.assert_close(found.double(), exact, rtol=1e-3, atol=0)


# Densities over codes that do not fill their space


def flat_codes(kind: str) -> Tensor:
    z = randn(500, 4)
    if kind == "constant":
        z[:, 2] = 0.1
    elif kind == "far":
        z = z + 1000
        z[:, 2] = 1000.1
    elif kind == "copy":
        z[:, 2] = z[:, 1]
    elif kind == "sum":
        z[:, 2] = z[:, 0] - 3 * z[:, 1]
    return z


@pytest.mark.parametrize("kind", ["constant", "far", "copy", "sum"])
@pytest.mark.parametrize("components", [1, 3])
def test_mixture_of_codes_that_do_not_fill_their_space(kind: str, components: int) -> None:
    z = flat_codes(kind)
    mixture = GaussianMixture.fit(z, components, steps=5, generator=seeded())
    least = 1e-4 * z.var(0).mean()
    if components == 1 and kind in ("constant", "far"):
        torch.testing.assert_close(mixture.covariances[0, 2, 2], least, rtol=1e-2, atol=0)
    assert mixture.log_prob(z).isfinite().all()
    assert mixture.sample(7, generator=seeded()).isfinite().all()


def test_the_start_of_a_mixture_has_the_documented_least_variance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starts = []
    monkeypatch.setattr(GaussianMixture, "step", lambda self, z: starts.append(self) or self)
    z = flat_codes("constant")
    GaussianMixture.fit(z, 2, steps=1, generator=seeded())
    least = 1e-4 * z.var(0).mean() * torch.eye(4)
    expected = (torch.cov(z.T, correction=0) + least).expand(2, 4, 4)
    torch.testing.assert_close(starts[0].covariances, expected)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("constant", r"z must vary in each column, got constant columns \[2\]"),
        ("far", r"z must vary in each column, got constant columns \[2\]"),
        ("copy", "z must have columns of which none follows from the others"),
        ("sum", "z must have columns of which none follows from the others"),
    ],
)
def test_a_gaussian_without_a_density_is_refused(kind: str, message: str) -> None:
    z = flat_codes(kind)
    with pytest.raises(ValueError, match=message):
        GaussianMixture.gaussian(z, diagonal=False)
    if "constant" in message:
        with pytest.raises(ValueError, match=message):
            GaussianMixture.gaussian(z, diagonal=True)
    else:
        assert GaussianMixture.gaussian(z, diagonal=True).log_prob(z).isfinite().all()


def test_units_of_columns_may_differ() -> None:
    z = randn(200, 2) * torch.tensor([1e6, 1e-6])
    for diagonal in (True, False):
        density = GaussianMixture.gaussian(z, diagonal=diagonal)
        plain = GaussianMixture.gaussian(randn(200, 2), diagonal=diagonal)
        torch.testing.assert_close(density.log_prob(z), plain.log_prob(randn(200, 2)))


def test_codes_that_are_all_the_same_are_refused() -> None:
    same = torch.full((9, 2), 0.1)
    with pytest.raises(ValueError, match="z must hold codes that differ, got 9 of variance 0"):
        GaussianMixture.fit(same, 2, steps=1, generator=seeded())
    mixture = GaussianMixture.gaussian(randn(9, 2), diagonal=False)
    with pytest.raises(ValueError, match="z must hold codes that differ, got 1 of variance 0"):
        mixture.step(same[:1])


# Shares of nearly nothing, and of very much


@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1e25])
def test_shares_of_energy_do_not_depend_on_the_unit(scale: float) -> None:
    images = randn(3, 1, 8, 8)
    expected = checkerboard_share(images, period=2)
    assert checkerboard_share(images * scale, period=2) == pytest.approx(expected, rel=1e-4)
    maps = randn(2, 7, 5, 5).double()
    expected = lost_share(maps, middle=3)
    assert lost_share(maps * scale**7, middle=3) == pytest.approx(expected, rel=1e-9)


def test_power_of_two_changes_no_digit() -> None:
    images = 5 * randn(3, 1, 8, 8)
    cells = images.unflatten(-1, (-1, 2)).unflatten(-3, (-1, 2)).mean((-4, -2))
    expected = cells.flatten(-2).var(-1, correction=0).mean() / images.square().mean()
    assert checkerboard_share(images, period=2) == expected.item()


@pytest.mark.filterwarnings("ignore:.*divisor:UserWarning")
def test_classifier_of_one_image_again_and_again_has_features() -> None:
    images, labels = torch.full((6, 1, 8, 8), 0.5), torch.zeros(6).long()
    classifier = train_digit_classifier(images, labels, generator=seeded(), epochs=2)
    assert classifier.features(images).isfinite().all()
