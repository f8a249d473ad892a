"""Densities over codes against scikit-learn and torch.distributions, by properties and errors."""

import warnings

import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as SklearnMixture
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal
from torch.nn import functional as F

from ddl.autoencoder import PCA
from ddl.latent_space import (
    GaussianMixture,
    StridedAutoencoder,
    interpolate,
    shuffle_coordinates,
)

DOUBLE = torch.float64


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=seeded(seed))


def covariances(count: int, size: int) -> Tensor:
    root = randn(count, size, size, seed=7)
    return root @ root.mT + 0.3 * torch.eye(size, dtype=DOUBLE)


def some_mixture() -> GaussianMixture:
    weights = torch.tensor([0.2, 0.5, 0.3], dtype=DOUBLE)
    return GaussianMixture(weights, 3 * randn(3, 5, seed=8), covariances(3, 5))


def groups() -> Tensor:
    """Codes in three groups that lean differently."""
    return some_mixture().sample(211, generator=seeded(9))


def test_interpolate_walks_from_end_to_end() -> None:
    x, other = randn(3, 2, 5), randn(3, 2, 5, seed=1)

    def cube(z: Tensor) -> Tensor:
        return z**3

    def square(z: Tensor) -> Tensor:
        return z.square()

    for alpha in (0.0, 0.25, 1.0):
        expected = ((1 - alpha) * x**3 + alpha * other**3).square()
        torch.testing.assert_close(interpolate(cube, square, x, other, alpha), expected)
    torch.testing.assert_close(interpolate(cube, square, x, other, 0.0), x**6)


def test_pca_interpolates_like_pixels_projected() -> None:
    data = randn(23, 7)
    pca = PCA.fit(data, 3)
    x, other = data[:11], data[11:22]
    walked = interpolate(pca.encode, pca.decode, x, other, 0.3)
    torch.testing.assert_close(walked, pca.decode(pca.encode(0.7 * x + 0.3 * other)))


def test_interpolate_refuses_what_is_off_the_line() -> None:
    def same(z: Tensor) -> Tensor:
        return z

    for alpha in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="alpha must be between 0 and 1, got "):
            interpolate(same, same, randn(2, 3), randn(2, 3), alpha)
    with pytest.raises(ValueError, match=r"other must .* beside x of shape \(2, 3\)"):
        interpolate(same, same, randn(2, 3), randn(1, 3), 0.5)


def test_gaussian_is_torchs_with_maximum_likelihood() -> None:
    z = randn(41, 5) @ randn(5, 5, seed=1) + 2
    covariance = torch.cov(z.T, correction=0)
    new = randn(7, 5, seed=2)
    full = GaussianMixture.gaussian(z, diagonal=False)
    expected = MultivariateNormal(z.mean(0), covariance).log_prob(new)
    torch.testing.assert_close(full.log_prob(new), expected)
    diagonal = GaussianMixture.gaussian(z, diagonal=True)
    expected = MultivariateNormal(z.mean(0), covariance.diag().diag()).log_prob(new)
    torch.testing.assert_close(diagonal.log_prob(new), expected)
    one = GaussianMixture.gaussian(z[:, :1], diagonal=False)
    torch.testing.assert_close(one.covariances, z[:, 0].var(correction=0).reshape(1, 1, 1))


def test_diagonal_drops_half_the_log_determinant_of_the_correlations() -> None:
    z = randn(41, 5) @ randn(5, 5, seed=1)
    full, diagonal = (GaussianMixture.gaussian(z, diagonal=d) for d in (False, True))
    gain = (full.log_prob(z) - diagonal.log_prob(z)).mean()
    torch.testing.assert_close(gain, -torch.logdet(torch.corrcoef(z.T)) / 2)


def test_log_prob_is_torchs_mixture() -> None:
    mixture, z = some_mixture(), torch.cat([randn(11, 5) * 3, randn(3, 5) * 1e3])
    parts = MultivariateNormal(mixture.means, mixture.covariances)
    theirs = MixtureSameFamily(Categorical(mixture.weights), parts)
    torch.testing.assert_close(mixture.log_prob(z), theirs.log_prob(z))
    joint = parts.log_prob(z[:, None]) + mixture.weights.log()
    torch.testing.assert_close(mixture.log_joint(z), joint)
    torch.testing.assert_close(mixture.responsibilities(z), joint.softmax(-1))
    far = mixture.responsibilities(torch.full((1, 5), 1e4, dtype=DOUBLE))
    torch.testing.assert_close(far.sum(), torch.ones((), dtype=DOUBLE))


@pytest.mark.parametrize("steps", [1, 7])
def test_em_is_scikit_learns(steps: int) -> None:
    z = groups()
    start = GaussianMixture.fit(z, 3, steps=1, generator=seeded(3))
    ours = start
    for _ in range(steps):
        ours = ours.step(z)
    theirs = SklearnMixture(
        3,
        max_iter=steps,
        tol=0,
        reg_covar=1e-4 * z.var(0).mean().item(),
        weights_init=start.weights.numpy(),
        means_init=start.means.numpy(),
        precisions_init=torch.linalg.inv(start.covariances).numpy(),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is told to stop early
        theirs.fit(z.numpy())
    for name in ("weights", "means", "covariances"):
        expected = torch.from_numpy(getattr(theirs, f"{name}_"))
        torch.testing.assert_close(getattr(ours, name), expected, msg=name)
    torch.testing.assert_close(ours.log_prob(z), torch.from_numpy(theirs.score_samples(z.numpy())))


def test_em_never_makes_the_codes_less_likely() -> None:
    z = groups()
    fits = [GaussianMixture.fit(z, 5, steps=n, generator=seeded(4)) for n in range(1, 14)]
    likelihood = torch.stack([fit.log_prob(z).mean() for fit in fits])
    assert likelihood.diff().min() > -1e-5
    assert likelihood[-1] - likelihood[0] > 0.1


def test_fit_starts_at_codes_with_the_covariance_of_all() -> None:
    z = groups()
    rows = torch.randperm(211, generator=seeded(3))[:3]
    least = 1e-4 * z.var(0).mean() * torch.eye(5, dtype=DOUBLE)
    everything = (torch.cov(z.T, correction=0) + least).expand(3, 5, 5)
    start = GaussianMixture(torch.full((3,), 1 / 3, dtype=DOUBLE), z[rows], everything)
    once = GaussianMixture.fit(z, 3, steps=1, generator=seeded(3))
    torch.testing.assert_close(once.means, start.step(z).means)
    torch.testing.assert_close(once.covariances, start.step(z).covariances)


def test_one_component_is_the_gaussian() -> None:
    z = groups()
    mixture = GaussianMixture.fit(z, 1, steps=2, generator=seeded())
    gaussian = GaussianMixture.gaussian(z, diagonal=False)
    torch.testing.assert_close(mixture.means, gaussian.means)
    least = 1e-4 * z.var(0).mean() * torch.eye(5, dtype=DOUBLE)
    torch.testing.assert_close(mixture.covariances, gaussian.covariances + least)


def test_an_empty_component_stays_finite() -> None:
    z = randn(23, 2)
    far = torch.tensor([[0.0, 0.0], [1e4, 1e4]], dtype=DOUBLE)
    unit = torch.eye(2, dtype=DOUBLE).expand(2, 2, 2)
    after = GaussianMixture(torch.full((2,), 0.5, dtype=DOUBLE), far, unit).step(z)
    assert after.log_prob(z).isfinite().all()


def test_samples_have_the_mixtures_moments() -> None:
    mixture = some_mixture()
    z = mixture.sample(200_003, generator=seeded())
    mean = mixture.weights @ mixture.means
    apart = mixture.means - mean
    between = (mixture.weights[:, None] * apart).T @ apart
    covariance = between + (mixture.weights[:, None, None] * mixture.covariances).sum(0)
    torch.testing.assert_close(z.mean(0), mean, atol=0.05, rtol=0)
    torch.testing.assert_close(torch.cov(z.T), covariance, atol=0.3, rtol=0)
    nearest = torch.cdist(z, mixture.means).argmin(1)  # the means are far apart
    shares = nearest.bincount() / len(z)
    torch.testing.assert_close(shares.double(), mixture.weights, atol=0.1, rtol=0)


def test_samples_of_one_gaussian_are_its_root_times_the_noise() -> None:
    covariance = covariances(1, 5)
    one = GaussianMixture(torch.ones(1, dtype=DOUBLE), randn(1, 5), covariance)
    z = one.sample(100_003, generator=seeded())
    torch.testing.assert_close(torch.cov(z.T), covariance[0], atol=0.2, rtol=0)
    assert torch.equal(z, one.sample(100_003, generator=seeded()))


def test_only_the_generator_decides() -> None:
    mixture, z = some_mixture(), randn(23, 5)
    assert torch.equal(
        mixture.sample(211, generator=seeded()), mixture.sample(211, generator=seeded())
    )
    assert torch.equal(
        shuffle_coordinates(z, generator=seeded()), shuffle_coordinates(z, generator=seeded())
    )


def test_mixture_refuses_too_few_codes() -> None:
    with pytest.raises(ValueError, match=r"z must have more rows than its columns, got \(5, 5\)"):
        GaussianMixture.gaussian(randn(5, 5), diagonal=True)
    for components in (0, 11):
        with pytest.raises(
            ValueError, match=f"components must be between 1 and 10, got {components}"
        ):
            GaussianMixture.fit(randn(11, 2), components, steps=1, generator=seeded())
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        GaussianMixture.fit(randn(11, 2), 3, steps=0, generator=seeded())


def test_shuffling_keeps_each_column_and_cuts_the_ties() -> None:
    column = torch.arange(1009, dtype=DOUBLE)
    z = torch.stack([column, 2 * column, -column], dim=1)
    shuffled = shuffle_coordinates(z, generator=seeded())
    assert torch.equal(shuffled.sort(0).values, z.sort(0).values)
    ties = torch.corrcoef(shuffled.T).fill_diagonal_(0)
    assert ties.abs().max() < 0.15
    assert torch.equal(z[:, 0], column)


def test_strided_autoencoder_goes_there_and_back() -> None:
    torch.manual_seed(0)
    net, images = StridedAutoencoder(5), torch.rand(3, 1, 28, 28)
    z = net.encode(images)
    assert z.shape == (3, 5)
    torch.testing.assert_close(net(images), net.decode(z))
    assert net.decode(z).shape == images.shape
    encoder = 16 * 16 + 16 + 32 * 16 * 16 + 32 + 1568 * 5 + 5
    decoder = 5 * 1568 + 1568 + 32 * 16 * 16 + 16 + 16 * 16 + 1
    assert sum(p.numel() for p in net.parameters()) == encoder + decoder


def test_strided_autoencoder_is_its_chain_of_layers() -> None:
    torch.manual_seed(0)
    net, images = StridedAutoencoder(5), torch.rand(3, 1, 28, 28)
    w1, b1, w2, b2, w3, b3 = net.encoder.parameters()
    h = F.conv2d(images, w1, b1, stride=2, padding=1).relu()
    h = F.conv2d(h, w2, b2, stride=2, padding=1).relu()
    z = F.linear(h.flatten(1), w3, b3)
    torch.testing.assert_close(net.encode(images), z)
    w1, b1, w2, b2, w3, b3 = net.decoder.parameters()
    h = F.linear(z, w1, b1).relu().reshape(3, 32, 7, 7)
    h = F.conv_transpose2d(h, w2, b2, stride=2, padding=1).relu()
    h = F.conv_transpose2d(h, w3, b3, stride=2, padding=1)
    torch.testing.assert_close(net(images), h)
    net(images).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in net.parameters())


def test_strided_autoencoder_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match="latent must be at least 1, got 0"):
        StridedAutoencoder(0)
    net = StridedAutoencoder(5)
    with pytest.raises(ValueError, match=r"images must .* got float32 of shape \(2, 1, 32, 32\)"):
        net.encode(torch.zeros(2, 1, 32, 32))
    with pytest.raises(ValueError, match=r"z must .* \(batch, 5\), got"):
        net.decode(torch.zeros(2, 3))
