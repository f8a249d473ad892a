r"""Where among all codes are those of real images, and how to draw new ones from there.

A decoder turns any code into an image, but it has learned from the codes of real images
only. A density over those codes says where they are. Its samples, decoded, are new images.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ddl.support.inputs import at_least_1, checked
from ddl.support.numerics import readable


@checked
def interpolate(
    encode: Callable[[Tensor], Tensor],
    decode: Callable[[Tensor], Tensor],
    x: Float[Tensor, "batch *shape"],
    other: Float[Tensor, "batch *shape"],
    alpha: float,
) -> Float[Tensor, "batch *shape"]:
    r"""Walk on the straight line between two codes, and decode where we are.

    .. math::
        x_{\mathrm{lerp}} = g\big((1 - \alpha) f(x) + \alpha f(x')\big)

    Args:
        encode: The encoder f.
        decode: The decoder g.
        x: Where the lines start.
        other: Where they end, :math:`x'`.
        alpha: How far along: 0 is the start, 1 the end.

    Raises:
        ValueError: If ``alpha`` is outside [0, 1].

    Source: Brefeld and Majumder, Deep Learning, Leuphana (2024), after Fleuret.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be between 0 and 1, got {alpha}")
    return decode((1 - alpha) * encode(x) + alpha * encode(other))


@checked
@dataclass(frozen=True)
class GaussianMixture:
    r"""A density over codes, :math:`p(z) = \sum_k w_k \, \mathcal{N}(z; \mu_k, C_k)`.

    With one component it is a Gaussian.

    Args:
        weights: How probable each component is; they sum to 1.
        means: Where the components are.
        covariances: How each spreads; symmetric and positive definite.

    Source: Dempster, Laird and Rubin, Maximum likelihood from incomplete data via the EM
        algorithm (1977). Covariances are over N, not N - 1, as maximum likelihood has them.
    """

    weights: Float[Tensor, "components"]
    means: Float[Tensor, "components latent"]
    covariances: Float[Tensor, "components latent latent"]

    @classmethod
    @checked
    def gaussian(cls, z: Float[Tensor, "count latent"], *, diagonal: bool) -> "GaussianMixture":
        """Fit a single Gaussian: the mean, and the covariance or only its diagonal.

        Args:
            z: One code a row.
            diagonal: Whether to drop what one coordinate says about another.

        Raises:
            ValueError: If there are not more codes than coordinates, or they do not vary in
                every direction; on a GPU that is not looked at.
        """
        covariance = _covariance(z)
        if diagonal:
            covariance = covariance.diag().diag()
        _check_varies(z, diagonal)
        return cls(z.new_ones(1), z.mean(0, keepdim=True), covariance[None])

    @classmethod
    @checked
    def fit(
        cls,
        z: Float[Tensor, "count latent"],
        components: int,
        *,
        steps: int,
        generator: torch.Generator,
    ) -> "GaussianMixture":
        """Start at random codes with the covariance of all, and take EM's step again and again.

        As in each `step`, a little is added to the covariance, which may thus be singular.

        Args:
            z: One code a row.
            components: How many Gaussians.
            steps: How often to step.
            generator: CPU generator that chooses the first means.

        Raises:
            ValueError: If ``steps`` or ``components`` is less than 1, or there are not more
                codes than components and than coordinates, or all codes are the same.
        """
        covariance = _covariance(z) + _least_covariance(z)
        at_least_1(steps=steps)
        if not 1 <= components < len(z):
            raise ValueError(f"components must be between 1 and {len(z) - 1}, got {components}")
        rows = torch.randperm(len(z), generator=generator)[:components].to(z.device)
        weights = z.new_full((components,), 1 / components)
        mixture = cls(weights, z[rows], covariance.repeat(components, 1, 1))
        for _ in range(steps):
            mixture = mixture.step(z)
        return mixture

    @checked
    def step(self, z: Float[Tensor, "count latent"]) -> "GaussianMixture":
        r"""Take one step of expectation maximisation: it makes the codes more likely, or stays.

        E: how responsible is each component for each code. M: each component's weight, mean
        and covariance anew, with its responsibilities as weights. A little, 1/10,000 of the codes'
        variance, is added to each covariance, so that none collapses onto a few codes.
        """
        if not len(z):
            raise ValueError("z must hold at least one code, got none")
        r = self.responsibilities(z)
        counts = r.sum(0) + 10 * torch.finfo(z.dtype).eps  # an empty component is no error
        centre = z.mean(0)  # taken off, so that sums of large numbers lose no digits
        means = centre + (r.T @ (z - centre)) / counts[:, None]
        apart = z[None] - means[:, None]  # components x count x latent
        covariances = (r.T[:, :, None] * apart).mT @ apart / counts[:, None, None]
        return type(self)(counts / len(z), means, covariances + _least_covariance(z))

    @checked
    def log_joint(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch components"]:
        r"""Return :math:`\log w_k + \log \mathcal{N}(z; \mu_k, C_k)`, in nats."""
        roots = torch.linalg.cholesky(self.covariances)  # C = L L^T
        apart = z[None] - self.means[:, None]
        whitened = torch.linalg.solve_triangular(roots, apart.mT, upper=False)
        log_volume = roots.diagonal(dim1=-2, dim2=-1).log().sum(-1)  # half the log determinant
        constant = z.shape[1] / 2 * math.log(2 * math.pi)
        log_gaussian = -whitened.square().sum(-2) / 2 - log_volume[:, None] - constant
        return (self.weights.log()[:, None] + log_gaussian).T

    @checked
    def log_prob(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch"]:
        """Return the log density at codes, in nats."""
        return self.log_joint(z).logsumexp(-1)

    @checked
    def responsibilities(
        self, z: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, "batch components"]:
        """Return how probable it is that each component has made each code."""
        return self.log_joint(z).softmax(-1)

    @checked
    def sample(self, count: int, *, generator: torch.Generator) -> Float[Tensor, "count latent"]:
        r"""Draw codes: first a component, then :math:`\mu_k + L_k r` with standard normal r.

        Args:
            count: How many.
            generator: CPU generator to draw from.
        """
        chosen = torch.multinomial(self.weights.cpu(), count, True, generator=generator)
        r = torch.randn(count, self.means.shape[1], generator=generator, dtype=self.means.dtype)
        chosen, r = chosen.to(self.means.device), r.to(self.means.device)
        roots = torch.linalg.cholesky(self.covariances)
        return self.means[chosen] + (roots[chosen] @ r[:, :, None])[:, :, 0]


def _covariance(z: Tensor) -> Tensor:
    if len(z) <= z.shape[1]:
        raise ValueError(f"z must have more rows than its columns, got {tuple(z.shape)}")
    return torch.cov(z.T, correction=0).reshape(z.shape[1], z.shape[1])


def _check_varies(z: Tensor, diagonal: bool) -> None:
    """Refuse codes in a plane, on which the most likely Gaussian is infinitely dense."""
    if not readable(z):
        return
    constant = (z == z[0]).all(0)
    if constant.any():
        columns = constant.nonzero().flatten().tolist()
        raise ValueError(f"z must vary in each column, got constant columns {columns}")
    least = torch.linalg.eigvalsh(torch.corrcoef(z.T).reshape(z.shape[1], -1))[0]
    if not diagonal and not least > z.shape[1] * torch.finfo(z.dtype).eps:
        raise ValueError("z must have columns of which none follows from the others, got one")


def _least_covariance(z: Tensor) -> Tensor:
    """Return what is added to each covariance, 1/10,000 of the codes' variance."""
    variance = z.var(0).mean() if len(z) > 1 else z.new_zeros(())
    if readable(z) and not variance > 0:
        raise ValueError(f"z must hold codes that differ, got {len(z)} of variance {variance:g}")
    return 1e-4 * variance * torch.eye(z.shape[1], dtype=z.dtype, device=z.device)


@checked
def shuffle_coordinates(
    z: Float[Tensor, "count latent"], *, generator: torch.Generator
) -> Float[Tensor, "count latent"]:
    """Permute each column by itself: every coordinate keeps its values, their ties are cut.

    Args:
        z: One code a row.
        generator: CPU generator that draws the permutations.
    """
    order = torch.rand(z.shape, generator=generator).argsort(0).to(z.device)
    return z.gather(0, order)


class StridedAutoencoder(nn.Module):
    """A small autoencoder of 28x28 images, 28 → 14 → 7 → code and back, by strides of 2.

    It learns several times faster than the lecture's (`ddl.autoencoder.ConvAutoencoder`),
    which keeps its maps large. Pixels may leave [0, 1].

    Args:
        latent: Numbers of a code.

    Raises:
        ValueError: If ``latent`` is less than 1.
    """

    @checked
    def __init__(self, latent: int) -> None:
        super().__init__()
        at_least_1(latent=latent)
        self.latent = latent
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 7 * 7, latent),
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent, 32 * 7 * 7),
            nn.ReLU(),
            nn.Unflatten(1, (32, 7, 7)),
            nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),
        )

    @checked
    def encode(
        self, images: Float[Tensor, "batch 1 28 28"]
    ) -> Float[Tensor, "batch {self.latent}"]:
        """Return the codes, f(x)."""
        return self.encoder(images)

    @checked
    def decode(self, z: Float[Tensor, "batch {self.latent}"]) -> Float[Tensor, "batch 1 28 28"]:
        """Return the images that codes stand for, g(z)."""
        return self.decoder(z)

    @checked
    def forward(self, images: Float[Tensor, "batch 1 28 28"]) -> Float[Tensor, "batch 1 28 28"]:
        """Return the reconstructions, g(f(x))."""
        return self.decode(self.encode(images))
