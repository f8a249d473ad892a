"""Autoencoders against scikit-learn and scipy, against closed forms, and with wrong input."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn import cluster, decomposition
from torch import Tensor, nn

from ddl.autoencoder import (
    PCA,
    ConvAutoencoder,
    KMeans,
    LinearAutoencoder,
    nearest,
    principal_angles,
)

DOUBLE = torch.float64


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(0)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


def stretched(count: int = 53, features: int = 11) -> Tensor:
    """Data off the origin whose directions have clearly different variances."""
    scales = torch.linspace(3, 0.5, features, dtype=DOUBLE)
    return (randn(count, features) * scales) @ randn(features, features, seed=1) + 7


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_pca_is_scikit_learns() -> None:
    x, new = stretched(), stretched(13)
    pca, oracle = PCA.fit(x, 3), decomposition.PCA(3, svd_solver="full").fit(x.numpy())
    signs = (pca.components * torch.tensor(oracle.components_)).sum(1).sign()[:, None]
    torch.testing.assert_close(pca.components, torch.tensor(oracle.components_) * signs)
    torch.testing.assert_close(pca.mean, torch.tensor(oracle.mean_))
    variances = torch.tensor(oracle.explained_variance_) * 52 / 53
    torch.testing.assert_close(pca.eigenvalues[:3], variances)
    torch.testing.assert_close(
        pca.encode(new), torch.tensor(oracle.transform(new.numpy())) * signs.T
    )
    back = oracle.inverse_transform(oracle.transform(new.numpy()))
    torch.testing.assert_close(pca.decode(pca.encode(new)), torch.tensor(back))


def test_pca_loses_the_eigenvalues_it_drops_and_nothing_with_all() -> None:
    x = stretched()
    for d in (1, 5, 11):
        pca = PCA.fit(x, d)
        lost = (pca.decode(pca.encode(x)) - x).square().sum(1).mean()
        torch.testing.assert_close(lost, pca.eigenvalues[d:].sum())
    assert pca.eigenvalues.shape == (11,)
    assert (pca.eigenvalues.diff() <= 0).all()


def test_pca_has_the_sign_of_its_largest_entry() -> None:
    components = PCA.fit(stretched(), 7).components
    for row in components:
        assert row[row.abs().argmax()] > 0
    torch.testing.assert_close(components @ components.T, torch.eye(7, dtype=DOUBLE))


def test_first_is_a_smaller_fit() -> None:
    x = stretched()
    first, fitted = PCA.fit(x, 7).first(3), PCA.fit(x, 3)
    for name in ("mean", "components", "eigenvalues"):
        torch.testing.assert_close(getattr(first, name), getattr(fitted, name))


def test_pca_encodes_what_it_decodes() -> None:
    pca, z = PCA.fit(stretched(), 5), randn(13, 5)
    torch.testing.assert_close(pca.encode(pca.decode(z)), z)


@pytest.mark.parametrize("dimensions", [0, -1, 8])
def test_pca_refuses_directions_that_are_not_there(dimensions: int) -> None:
    x = stretched(count=7)
    with pytest.raises(ValueError, match=f"dimensions must be between 1 and 7, got {dimensions}"):
        PCA.fit(x, dimensions)
    with pytest.raises(ValueError, match=f"dimensions must be between 1 and 7, got {dimensions}"):
        PCA.fit(x, 7).first(dimensions)


def test_principal_angles_are_scipys() -> None:
    a, b = randn(3, 11), randn(5, 11, seed=1)
    expected = torch.tensor(subspace_angles(a.numpy().T, b.numpy().T)[::-1].copy()).rad2deg()
    torch.testing.assert_close(principal_angles(a, b), expected)
    torch.testing.assert_close(principal_angles(b, a), expected)


def test_principal_angles_of_known_planes() -> None:
    eye, turn = torch.eye(5, dtype=DOUBLE), torch.tensor(30.0, dtype=DOUBLE).deg2rad()
    tilted = torch.stack([eye[0], turn.cos() * eye[1] + turn.sin() * eye[2]])
    expected = torch.tensor([0.0, 30.0], dtype=DOUBLE)
    torch.testing.assert_close(principal_angles(eye[:2], tilted), expected)
    mixed = randn(2, 2) @ tilted  # another basis of the same plane
    torch.testing.assert_close(principal_angles(eye[:2], mixed), expected, atol=1e-5, rtol=0)
    assert principal_angles(eye[:2], eye[2:]).tolist() == [90, 90]


def test_principal_angles_of_a_space_to_itself_are_numbers() -> None:
    for seed in range(30):  # rounding makes cosines a little larger than 1
        a = randn(5, 11, seed=seed)
        angles = principal_angles(a, randn(5, 5, seed=99) @ a)
        torch.testing.assert_close(angles, torch.zeros_like(angles), atol=1e-4, rtol=0)


def test_principal_angles_refuse_different_spaces() -> None:
    with pytest.raises(ValueError, match=r"b must .* beside a of shape \(2, 7\)"):
        principal_angles(randn(2, 7), randn(2, 5))


def test_nearest_is_the_slow_search() -> None:
    x, points = randn(13, 3), randn(7, 3, seed=1)
    slow = [min(range(7), key=lambda k: (row - points[k]).norm().item()) for row in x]
    assert nearest(x, points).tolist() == slow
    assert nearest(points, points).tolist() == list(range(7))


def test_nearest_refuses_different_spaces() -> None:
    with pytest.raises(ValueError, match=r"points must .* beside x of shape \(5, 3\)"):
        nearest(randn(5, 3), randn(7, 2))


@pytest.mark.parametrize("steps", [1, 2, 17])
def test_k_means_is_scikit_learns(steps: int) -> None:
    x = stretched(101, 3)
    rows = torch.randperm(101, generator=torch.Generator().manual_seed(5))[:7]
    means = KMeans.fit(x, 7, steps=steps, generator=torch.Generator().manual_seed(5))
    start = KMeans(x[rows])
    for _ in range(steps):
        start = start.step(x)
    assert torch.equal(means.centroids, start.centroids)
    scikit: Any = cluster.KMeans  # its annotations are narrower than what it takes
    oracle = scikit(7, init=x[rows].numpy(), n_init=1, max_iter=300, tol=0).fit(x.numpy())
    settled = KMeans.fit(x, 7, steps=99, generator=torch.Generator().manual_seed(5))
    torch.testing.assert_close(settled.centroids, torch.tensor(oracle.cluster_centers_))
    assert settled.encode(x).tolist() == oracle.labels_.tolist()
    error = (settled.decode(settled.encode(x)) - x).square().sum()
    torch.testing.assert_close(error.item(), float(oracle.inertia_))


def test_k_means_step_never_raises_the_error() -> None:
    x, errors = randn(101, 5), []
    means = KMeans(x[:11])
    for _ in range(9):
        errors.append((means.decode(means.encode(x)) - x).square().mean().item())
        means = means.step(x)
    assert all(later <= earlier for earlier, later in pairwise(errors))
    assert errors[-1] < errors[0]


def test_k_means_step_by_hand_leaves_the_unchosen() -> None:
    means = KMeans(torch.tensor([[0.0], [10.0], [99.0]], dtype=DOUBLE))
    x = torch.tensor([[1.0], [3.0], [11.0]], dtype=DOUBLE)
    assert means.encode(x).tolist() == [0, 0, 1]
    assert means.step(x).centroids.tolist() == [[2.0], [11.0], [99.0]]
    assert means.centroids.tolist() == [[0.0], [10.0], [99.0]]  # not changed


def test_k_means_starts_from_different_rows() -> None:
    x = randn(13, 2)
    one_each = KMeans.fit(x, 13, steps=1, generator=torch.Generator().manual_seed(0))
    assert sorted(one_each.centroids.tolist()) == sorted(x.tolist())


def test_k_means_refuses_wrong_numbers() -> None:
    generator, x = torch.Generator(), randn(7, 2)
    for clusters in (0, 8):
        with pytest.raises(ValueError, match=f"clusters must be between 1 and 7, got {clusters}"):
            KMeans.fit(x, clusters, steps=1, generator=generator)
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        KMeans.fit(x, 2, steps=0, generator=generator)


def test_linear_autoencoder_is_two_products() -> None:
    net, x = LinearAutoencoder(7, 3).double(), randn(5, 7)
    code = x @ net.encoder.weight.T + net.encoder.bias
    torch.testing.assert_close(net.encode(x), code)
    expected = code @ net.decoder.weight.T + net.decoder.bias
    torch.testing.assert_close(net(x), expected)
    torch.testing.assert_close(net.decode(code), expected)


def test_pca_is_a_stationary_point_of_the_linear_autoencoder() -> None:
    x = stretched()
    pca, net = PCA.fit(x, 3), LinearAutoencoder(11, 3).double()
    with torch.no_grad():
        net.encoder.weight.copy_(pca.components)
        net.encoder.bias.copy_(-pca.components @ pca.mean)
        net.decoder.weight.copy_(pca.components.T)
        net.decoder.bias.copy_(pca.mean)
    torch.testing.assert_close(net(x), pca.decode(pca.encode(x)))
    loss = (net(x) - x).square().sum(1).mean()
    loss.backward()
    for parameter in net.parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, torch.zeros_like(parameter), atol=1e-8, rtol=0)


def test_the_lectures_autoencoder() -> None:
    net, x = ConvAutoencoder(), randn(2, 1, 28, 28).float()
    assert (count(net.encoder), count(net.decoder)) == (56_232, 56_225)
    sides = []
    for layer in [*net.encoder, *net.decoder]:
        x = layer(x)
        if not isinstance(layer, nn.ReLU):
            sides.append(tuple(x.shape[1:]))
    channels = [32, 32, 32, 32, 8, 32, 32, 32, 32, 1]
    pixels = [24, 20, 9, 4, 1, 4, 9, 20, 24, 28]
    assert sides == [(c, side, side) for c, side in zip(channels, pixels, strict=True)]
    kinds = [type(layer).__name__ for layer in net.decoder]
    assert kinds == ["ConvTranspose2d", "ReLU"] * 4 + ["ConvTranspose2d"]
    assert [type(layer).__name__ for layer in net.encoder] == ["Conv2d", "ReLU"] * 4 + ["Conv2d"]


@pytest.mark.parametrize(("latent", "channels"), [(2, 3), (7, 5)])
def test_conv_autoencoder_is_decoder_after_encoder(latent: int, channels: int) -> None:
    net, x = ConvAutoencoder(latent, channels).double(), randn(3, 1, 28, 28)
    code = net.encode(x)
    assert code.shape == (3, latent)
    assert torch.equal(code, net.encoder(x)[:, :, 0, 0])
    assert torch.equal(net(x), net.decode(code))
    assert torch.equal(net(x), net.decoder(net.encoder(x)))
    assert (code < 0).any()  # no ReLU behind the code
    assert (code > 0).any()


def test_every_number_of_the_code_sees_and_draws_the_whole_image() -> None:
    net = ConvAutoencoder(3, 5).double()
    for parameter in net.parameters():
        parameter.data.abs_()  # no ReLU closes, nothing cancels
    x = torch.ones(1, 1, 28, 28, dtype=DOUBLE, requires_grad=True)
    (seen,) = torch.autograd.grad(net.encode(x).sum(), x)
    assert (seen > 0).all()
    blank = net.decode(torch.zeros(1, 3, dtype=DOUBLE))
    for one in torch.eye(3, dtype=DOUBLE):
        assert (net.decode(one[None]) > blank).all()


def test_autoencoders_refuse_wrong_sizes() -> None:
    for name in ("features", "latent"):
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
            LinearAutoencoder(**({"features": 3, "latent": 2} | {name: 0}))
    for name in ("latent", "channels"):
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
            ConvAutoencoder(**({"latent": 3, "channels": 2} | {name: 0}))
    net = ConvAutoencoder(3, 2)
    for shape in ((2, 1, 32, 32), (1, 28, 28), (2, 3, 28, 28)):
        with pytest.raises(ValueError, match=r"images must .* \(batch, 1, 28, 28\), got "):
            net.encode(torch.zeros(shape))
    for shape in ((2, 5), (3,), (2, 3, 1, 1)):
        with pytest.raises(ValueError, match=r"z must .* \(batch, 3\), got "):
            net.decode(torch.zeros(shape))
