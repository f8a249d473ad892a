r"""What makes an autoencoder a model to sample from: codes are clouds, and two losses share them.

The encoder names a Gaussian for each input, a draw from it is decoded, and the loss asks for
two things: the draw should explain the input, and the Gaussian should stay close to the
standard one, from which new inputs will be drawn. Their difference is the ELBO, a bound from
below on the log-likelihood. All terms are in nats, summed over features and latents.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ddl.support.inputs import at_least_1, checked
from ddl.support.numerics import at_least_float32, readable


@checked
def reparameterise(
    mean: Float[Tensor, "batch latent"],
    log_variance: Float[Tensor, "batch latent"],
    noise: Float[Tensor, "*draws batch latent"],
) -> Float[Tensor, "*draws batch latent"]:
    r"""Turn standard normal noise into draws, :math:`z = \mu + \sigma \odot r`.

    Args:
        mean: Centres of the Gaussians.
        log_variance: :math:`\log \sigma^2`, so that any real number is allowed.
        noise: Standard normal numbers r; leading axes ask for several draws each.

    Returns:
        Draws that are differentiable by mean and log-variance.

    Source: Kingma and Welling, Auto-Encoding Variational Bayes (2013), section 2.4,
        arXiv:1312.6114.
    """
    return mean + (log_variance / 2).exp() * noise


@checked
def gaussian_log_density(
    x: Float[Tensor, "*draws features"],
    mean: Float[Tensor, "*batch features"],
    log_variance: Float[Tensor, "*shape"],
) -> Float[Tensor, "*draws"]:
    r"""Return :math:`\log N(x; \mu, \sigma^2)`, independent features, summed over them.

    Args:
        x: Where to look.
        mean: Centres; broadcast against ``x``.
        log_variance: :math:`\log \sigma^2`; broadcast against ``x``.
    """
    x, mean, log_variance = map(at_least_float32, (x, mean, log_variance))
    # Half of 1 / sigma at a time: where the variance is too small for its dtype, 0 / 0 is 0.
    most = math.log(torch.finfo(log_variance.dtype).max) - 1
    root = (-log_variance / 4).clamp(max=most).exp()
    square = ((x - mean) * root * root).square()
    return -0.5 * (square + log_variance + math.log(2 * math.pi)).sum(-1)


@checked
def gaussian_kl(
    mean: Float[Tensor, "*batch latent"], log_variance: Float[Tensor, "*batch latent"]
) -> Float[Tensor, "*batch"]:
    r"""Return the divergence of a Gaussian from the standard one.

    .. math::
        \mathrm{KL}\big(N(\mu, \sigma^2) \,\|\, N(0, 1)\big)
        = \tfrac12 \sum_j \big(\mu_j^2 + \sigma_j^2 - 1 - \log \sigma_j^2\big)

    Args:
        mean: Centres.
        log_variance: :math:`\log \sigma^2`.

    Returns:
        Nats, summed over the latents.

    Source: Kingma and Welling (2013), appendix B, arXiv:1312.6114.
    """
    mean, log_variance = at_least_float32(mean), at_least_float32(log_variance)
    return 0.5 * (mean.square() + (log_variance.expm1() - log_variance)).sum(-1)


@checked
def bernoulli_log_likelihood(
    x: Float[Tensor, "*#shape features"], logits: Float[Tensor, "*#shape features"]
) -> Float[Tensor, "*shape"]:
    r"""Return :math:`\sum_i x_i \log p_i + (1 - x_i) \log (1 - p_i)` for p = sigmoid(logits).

    Args:
        x: Black (0) or white (1) pixels.
        logits: The decoder's output, one number a pixel.

    Returns:
        Nats, summed over the pixels, never averaged.

    Raises:
        ValueError: If ``x`` is not in [0, 1]; on a GPU that is not looked at.
    """
    if readable(x) and bool(((x < 0) | (x > 1)).any()):
        raise ValueError(f"x must lie in [0, 1], got {x.min().item():g} to {x.max().item():g}")
    logits = at_least_float32(logits)
    return -(x * F.softplus(-logits) + (1 - x) * F.softplus(logits)).sum(-1)


class LatentModel(nn.Module):
    r"""A model of x by a latent z: an encoder's two heads, and a decoder that scores x.

    Subclasses say what ``encode`` and ``log_likelihood`` are.
    """

    @checked
    def encode(
        self, x: Float[Tensor, "batch features"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]]:
        r"""Return mean and log-variance of :math:`q(z | x)`."""
        raise NotImplementedError

    @checked
    def log_likelihood(
        self, x: Float[Tensor, "batch features"], z: Float[Tensor, "*draws batch latent"]
    ) -> Float[Tensor, "*draws batch"]:
        r"""Return :math:`\log p(x | z)` in nats."""
        raise NotImplementedError

    @checked
    def forward(
        self, x: Float[Tensor, "batch features"], noise: Float[Tensor, "*draws batch latent"]
    ) -> tuple[Float[Tensor, "*draws batch"], Float[Tensor, "batch"]]:
        r"""Return the two terms of the ELBO: :math:`\log p(x | z)` of each draw, and the KL.

        Args:
            x: The inputs.
            noise: Standard normal numbers for the draws of z.
        """
        mean, log_variance = self.encode(x)
        z = reparameterise(mean, log_variance, noise)
        return self.log_likelihood(x, z), gaussian_kl(mean, log_variance)


class VAE(LatentModel):
    r"""A variational autoencoder of black-and-white images, one hidden layer on each side.

    Args:
        pixels: Size of the flattened image.
        hidden: Units of the hidden layers.
        latent: Size of the code z.

    Raises:
        ValueError: If a size is less than 1.

    Source: Kingma and Welling (2013), appendix C; the lecture of Brown CSCI 1470 (2024):
        Decoder(random_sample(Encoder(x))), two dense layers for mean and spread.
    """

    @checked
    def __init__(self, pixels: int, *, hidden: int, latent: int) -> None:
        super().__init__()
        at_least_1(pixels=pixels, hidden=hidden, latent=latent)
        self.pixels, self.latent = pixels, latent
        self.body = nn.Sequential(nn.Linear(pixels, hidden), nn.ReLU())
        self.mean = nn.Linear(hidden, latent)
        self.log_variance = nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(
            nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, pixels)
        )

    @checked
    def encode(
        self, x: Float[Tensor, "batch {self.pixels}"]
    ) -> tuple[Float[Tensor, "batch {self.latent}"], Float[Tensor, "batch {self.latent}"]]:
        r"""Return mean and log-variance of :math:`q(z | x)`: one body, two heads."""
        h = self.body(x)
        return self.mean(h), self.log_variance(h)

    @checked
    def decode(
        self, z: Float[Tensor, "*draws {self.latent}"]
    ) -> Float[Tensor, "*draws {self.pixels}"]:
        """Return each pixel's probability of being white."""
        return torch.sigmoid(self.decoder(z))

    @checked
    def log_likelihood(
        self,
        x: Float[Tensor, "batch {self.pixels}"],
        z: Float[Tensor, "*draws batch {self.latent}"],
    ) -> Float[Tensor, "*draws batch"]:
        r"""Return :math:`\log p(x | z)`: pixels are independent once z is known."""
        return bernoulli_log_likelihood(x, self.decoder(z))


class LinearVAE(LatentModel):
    r"""Probabilistic PCA, :math:`x = W z + b + s \epsilon`, with a linear encoder beside it.

    The one case in which :math:`p(x) = N(x; b, W W^\top + s^2 I)` is known exactly.

    Args:
        features: Size of x.
        latent: Size of z.

    Raises:
        ValueError: If a size is less than 1.

    Source: Tipping and Bishop, Probabilistic principal component analysis (1999);
        Lucas et al., Don't blame the ELBO! (2019), arXiv:1911.02469.
    """

    @checked
    def __init__(self, features: int, *, latent: int) -> None:
        super().__init__()
        at_least_1(features=features, latent=latent)
        self.features, self.latent = features, latent
        self.mean = nn.Linear(features, latent)
        self.log_variance = nn.Parameter(torch.zeros(latent))  # one for all x: enough here
        self.decoder = nn.Linear(latent, features)  # W, b
        self.log_noise = nn.Parameter(torch.zeros(()))  # log s^2

    @checked
    def encode(
        self, x: Float[Tensor, "batch {self.features}"]
    ) -> tuple[Float[Tensor, "batch {self.latent}"], Float[Tensor, "batch {self.latent}"]]:
        r"""Return mean and log-variance of :math:`q(z | x)`."""
        mean = self.mean(x)
        return mean, self.log_variance.expand_as(mean)

    @checked
    def log_likelihood(
        self,
        x: Float[Tensor, "batch {self.features}"],
        z: Float[Tensor, "*draws batch {self.latent}"],
    ) -> Float[Tensor, "*draws batch"]:
        r"""Return :math:`\log N(x; W z + b, s^2 I)`."""
        predicted = self.decoder(z)
        return gaussian_log_density(x.expand_as(predicted), predicted, self.log_noise)

    @checked
    def log_evidence(self, x: Float[Tensor, "batch {self.features}"]) -> Float[Tensor, "batch"]:
        r"""Return the exact :math:`\log p(x)`."""
        # Along the columns of U, W W^T + s^2 I has the variances S^2 + s^2, elsewhere s^2.
        along, spread, _ = torch.linalg.svd(self.decoder.weight, full_matrices=False)
        inside = (x - self.decoder.bias) @ along
        outside = x - self.decoder.bias - inside @ along.T
        zero, log_noise = torch.zeros_like(x), self.log_noise
        log_variance = (spread.square() + log_noise.exp()).log()
        counted_twice = len(spread) / 2 * (log_noise + math.log(2 * math.pi))
        return (
            gaussian_log_density(inside, zero[:, : len(spread)], log_variance)
            + gaussian_log_density(outside, zero, log_noise)
            + counted_twice
        )


@checked
def iwae_bound(
    model: LatentModel,
    x: Float[Tensor, "batch features"],
    noise: Float[Tensor, "draws batch latent"],
) -> Float[Tensor, "batch"]:
    r"""Return the importance-weighted bound on :math:`\log p(x)`.

    .. math::
        \log \frac1k \sum_{i=1}^k \frac{p(x | z_i) \, p(z_i)}{q(z_i | x)}, \qquad z_i \sim q(z | x)

    Its mean is below :math:`\log p(x)`, rises with k, and is the ELBO for k = 1.

    Args:
        model: Gives q and p.
        x: The inputs.
        noise: Standard normal numbers, k draws for each input.

    Returns:
        Nats for each input.

    Raises:
        ValueError: If ``noise`` holds no draw.

    Source: Burda, Grosse and Salakhutdinov, Importance weighted autoencoders (2015),
        equation 8, arXiv:1509.00519.
    """
    if len(noise) < 1:
        raise ValueError(f"noise must hold at least one draw, got shape {tuple(noise.shape)}")
    mean, log_variance = model.encode(x)
    z = reparameterise(mean, log_variance, noise)
    zero = torch.zeros_like(mean)
    # log q(z | x), from the noise: z - mean has lost it where the variance is tiny.
    log_q = gaussian_log_density(noise, zero, zero) - at_least_float32(log_variance).sum(-1) / 2
    log_weights = model.log_likelihood(x, z) + gaussian_log_density(z, zero, zero) - log_q
    return log_weights.logsumexp(0) - math.log(len(noise))
