"""What of an image can pass through a few numbers, and be an image again on the other side.

An autoencoder maps a space into itself through a narrow place: an encoder writes a code,
a decoder reads it. Here are a linear one and its exact solution (PCA), one whose code is
a single choice among k (k-means), and a deep one made of convolutions.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ddl.support.inputs import at_least_1, checked


@checked
@dataclass(frozen=True)
class PCA:
    r"""The linear autoencoder of least error, found without training.

    .. math::
        f(x) = V^\top (x - \mu), \qquad g(z) = V z + \mu,

    where the columns of :math:`V` are orthonormal: the directions, one after the other, in
    which the data spread most.

    Args:
        mean: The data's mean.
        components: The directions as rows, the widest first. Each one's largest entry is
            positive, which fixes the sign that the definition leaves open.
        eigenvalues: The data's variance along all directions, largest first, also along
            those that are not kept. Their sum is the total variance; the mean squared
            distance of a training vector to its reconstruction is the sum from ``latent`` on.

    Source: Bourlard and Kamp, Auto-association by multilayer perceptrons and singular value
        decomposition (1988). As scikit-learn's PCA, but with variances over N, not N - 1.
    """

    mean: Float[Tensor, "features"]
    components: Float[Tensor, "latent features"]
    eigenvalues: Float[Tensor, "rank"]

    @classmethod
    @checked
    def fit(cls, x: Float[Tensor, "count features"], dimensions: int) -> "PCA":
        """Find the widest directions of data.

        Args:
            x: One vector a row; flatten images first.
            dimensions: How many directions to keep.

        Raises:
            ValueError: If ``dimensions`` is less than 1 or more than the data can span.
        """
        if not 1 <= dimensions <= min(x.shape):
            raise ValueError(f"dimensions must be between 1 and {min(x.shape)}, got {dimensions}")
        mean = x.mean(dim=0)
        _, spread, directions = torch.linalg.svd(x - mean, full_matrices=False)
        components = directions[:dimensions]
        largest = components.gather(1, components.abs().argmax(dim=1, keepdim=True))
        return cls(mean, components * largest.sign(), spread.square() / len(x))

    @checked
    def first(self, dimensions: int) -> "PCA":
        """Return the PCA that keeps only the first directions: the same as fitting it anew.

        Raises:
            ValueError: If ``dimensions`` is less than 1 or more than there are.
        """
        kept = len(self.components)
        if not 1 <= dimensions <= kept:
            raise ValueError(f"dimensions must be between 1 and {kept}, got {dimensions}")
        return type(self)(self.mean, self.components[:dimensions], self.eigenvalues)

    @checked
    def encode(self, x: Float[Tensor, "batch features"]) -> Float[Tensor, "batch latent"]:
        """Return the code: the coordinates along the directions, from the mean."""
        return (x - self.mean) @ self.components.T

    @checked
    def decode(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch features"]:
        """Return the vector with these coordinates."""
        return z @ self.components + self.mean


@checked
def principal_angles(
    a: Float[Tensor, "rows features"], b: Float[Tensor, "others features"]
) -> Float[Tensor, "least"]:
    """Return the angles between two subspaces, in degrees, smallest first.

    All are 0 where one subspace lies in the other; the last one is 90 where some direction
    of the smaller is missing from the larger altogether.

    Args:
        a: Rows that span the first subspace, linearly independent.
        b: Rows that span the second.

    Source: Björck and Golub, Numerical methods for computing angles between linear
        subspaces (1973).
    """
    bases = [torch.linalg.qr(rows.double().T).Q for rows in (a, b)]
    smaller, larger = sorted(bases, key=lambda basis: basis.shape[1])
    inside = larger.T @ smaller
    cosines = torch.linalg.svdvals(inside).clamp(max=1)
    sines = torch.linalg.svdvals(smaller - larger @ inside).flip(0).clamp(max=1)
    # The cosine of a small angle is 1 up to rounding, its sine is not.
    angles = torch.where(cosines > 0.7, sines.arcsin(), cosines.arccos())
    return angles.rad2deg().to(a.dtype)


@checked
def nearest(
    x: Float[Tensor, "batch features"], points: Float[Tensor, "count features"]
) -> Int[Tensor, "batch"]:
    """Return for each row of ``x`` which of ``points`` is nearest to it.

    Raises:
        ValueError: If ``x`` or ``points`` hold NaN.
    """
    for name, rows in (("x", x), ("points", points)):
        if rows.isnan().any():
            raise ValueError(f"{name} must not hold NaN, to which nothing is near")
    # float64: a matrix product of float32 loses small distances far from the origin.
    return torch.cdist(x.double(), points.double()).argmin(dim=1)


@checked
@dataclass(frozen=True)
class KMeans:
    r"""An autoencoder whose code is one of k choices, :math:`\log_2 k` bits.

    The encoder names the nearest centroid, the decoder returns it.

    Args:
        centroids: What each code decodes to.

    Source: Lloyd, Least squares quantization in PCM (1982).
    """

    centroids: Float[Tensor, "clusters features"]

    @classmethod
    @checked
    def fit(
        cls,
        x: Float[Tensor, "count features"],
        clusters: int,
        *,
        steps: int,
        generator: torch.Generator,
    ) -> "KMeans":
        """Start from random rows of ``x`` and take Lloyd's step again and again.

        Args:
            x: One vector a row; flatten images first.
            clusters: How many centroids, k.
            steps: How often to step.
            generator: CPU generator that chooses the first centroids.

        Raises:
            ValueError: If ``steps`` is less than 1, or ``clusters`` is less than 1 or more
                than there are rows.
        """
        at_least_1(steps=steps)
        if not 1 <= clusters <= len(x):
            raise ValueError(f"clusters must be between 1 and {len(x)}, got {clusters}")
        rows = torch.randperm(len(x), generator=generator)[:clusters]
        means = cls(x[rows.to(x.device)])
        for _ in range(steps):
            means = means.step(x)
        return means

    @checked
    def step(self, x: Float[Tensor, "batch features"]) -> "KMeans":
        """Move each centroid to the mean of the rows that chose it; unchosen ones stay."""
        code = self.encode(x)
        apart = x - self.centroids[code]  # summed up: sums of large numbers would lose digits
        sums = torch.zeros_like(self.centroids).index_add(0, code, apart)
        counts = code.bincount(minlength=len(self.centroids))[:, None]
        return type(self)(self.centroids + sums / counts.clamp(min=1))

    @checked
    def encode(self, x: Float[Tensor, "batch features"]) -> Int[Tensor, "batch"]:
        """Return the number of the nearest centroid."""
        return nearest(x, self.centroids)

    @checked
    def decode(self, z: Int[Tensor, "batch"]) -> Float[Tensor, "batch features"]:
        """Return the centroids with these numbers."""
        return self.centroids[z]


class LinearAutoencoder(nn.Module):
    r"""Two linear layers and nothing between, :math:`g(f(x)) = W_g (W_f x + b_f) + b_g`.

    Args:
        features: Numbers of an input.
        latent: Numbers of a code.

    Raises:
        ValueError: If a size is less than 1.

    Source: Bourlard and Kamp (1988): its best weights span the space that PCA finds.
    """

    @checked
    def __init__(self, features: int, latent: int) -> None:
        super().__init__()
        at_least_1(features=features, latent=latent)
        self.features, self.latent = features, latent
        self.encoder = nn.Linear(features, latent)
        self.decoder = nn.Linear(latent, features)

    @checked
    def encode(
        self, x: Float[Tensor, "batch {self.features}"]
    ) -> Float[Tensor, "batch {self.latent}"]:
        """Return the code, f(x)."""
        return self.encoder(x)

    @checked
    def decode(
        self, z: Float[Tensor, "batch {self.latent}"]
    ) -> Float[Tensor, "batch {self.features}"]:
        """Return what the code stands for, g(z)."""
        return self.decoder(z)

    @checked
    def forward(
        self, x: Float[Tensor, "batch {self.features}"]
    ) -> Float[Tensor, "batch {self.features}"]:
        """Return the reconstruction, g(f(x))."""
        return self.decode(self.encode(x))


class ConvAutoencoder(nn.Module):
    """A deep autoencoder of 28x28 images, whose code has no place and no neighbours.

    Sizes go 28 → 24 → 20 → 9 → 4 → 1 by convolutions without padding, and back by
    transposed convolutions with the same kernels and strides. There is a ReLU between any
    two layers, none behind the code and none behind the image: pixels may leave [0, 1].

    Args:
        latent: Numbers of a code.
        channels: Channels of all maps between.

    Raises:
        ValueError: If a size is less than 1.

    Source: Brefeld and Majumder, Deep Learning, Leuphana (2024), after Fleuret: latent 8,
        channels 32, 112,457 parameters.
    """

    @checked
    def __init__(self, latent: int = 8, channels: int = 32) -> None:
        super().__init__()
        at_least_1(latent=latent, channels=channels)
        self.latent = latent
        c = channels
        self.encoder = nn.Sequential(
            nn.Conv2d(1, c, 5),  # 28 → 24
            nn.ReLU(),
            nn.Conv2d(c, c, 5),  # → 20
            nn.ReLU(),
            nn.Conv2d(c, c, 4, stride=2),  # → 9
            nn.ReLU(),
            nn.Conv2d(c, c, 3, stride=2),  # → 4
            nn.ReLU(),
            nn.Conv2d(c, latent, 4),  # → 1
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(latent, c, 4),  # 1 → 4
            nn.ReLU(),
            nn.ConvTranspose2d(c, c, 3, stride=2),  # → 9
            nn.ReLU(),
            nn.ConvTranspose2d(c, c, 4, stride=2),  # → 20
            nn.ReLU(),
            nn.ConvTranspose2d(c, c, 5),  # → 24
            nn.ReLU(),
            nn.ConvTranspose2d(c, 1, 5),  # → 28
        )

    @checked
    def encode(
        self, images: Float[Tensor, "batch 1 28 28"]
    ) -> Float[Tensor, "batch {self.latent}"]:
        """Return the codes, f(x)."""
        return self.encoder(images).flatten(1)

    @checked
    def decode(self, z: Float[Tensor, "batch {self.latent}"]) -> Float[Tensor, "batch 1 28 28"]:
        """Return the images that codes stand for, g(z)."""
        return self.decoder(z[:, :, None, None])

    @checked
    def forward(self, images: Float[Tensor, "batch 1 28 28"]) -> Float[Tensor, "batch 1 28 28"]:
        """Return the reconstructions, g(f(x))."""
        return self.decode(self.encode(images))
