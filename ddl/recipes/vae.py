"""Variational autoencoders of digits, scored by the importance-weighted bound on the test set.

Pixels are binarised: white with a probability of their grey value, drawn anew for each batch in
training, once for the test images. Two of the page's networks, with 2 and 20 latents, and the
larger one of Burda et al., Importance Weighted Autoencoders (2015), arXiv:1509.00519: 50
latents, two layers of 200 tanh units on each side. Adam; the learning rate falls on a cosine.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

import ddl
from ddl.data import digits
from ddl.recipes.engine import Batch, Run, Stream, generator
from ddl.vae import VAE, LatentModel, bernoulli_log_likelihood, iwae_bound

PIXELS = 784


class DeepVAE(LatentModel):
    """Burda's network with one stochastic layer.

    Args:
        hidden: Units of each of the two layers of encoder and decoder.
        latent: Size of the code.
    """

    def __init__(self, *, hidden: int = 200, latent: int = 50) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(PIXELS, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh()
        )
        self.heads = nn.Linear(hidden, 2 * latent)
        self.decoder = nn.Sequential(
            nn.Linear(latent, hidden),
            nn.Tanh(),
            nn.Linear(hidden, hidden),
            nn.Tanh(),
            nn.Linear(hidden, PIXELS),
        )
        for layer in self.modules():
            if isinstance(layer, nn.Linear):  # Glorot's start, as in the paper
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def encode(
        self, x: Float[Tensor, "batch features"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]]:
        """Return mean and log-variance of the code."""
        mean, log_variance = self.heads(self.body(x)).chunk(2, dim=1)
        return mean, log_variance

    def log_likelihood(
        self, x: Float[Tensor, "batch features"], z: Float[Tensor, "*draws batch latent"]
    ) -> Float[Tensor, "*draws batch"]:
        """Return the log-probability of the pixels in nats."""
        return bernoulli_log_likelihood(x, self.decoder(z))


def nets(hidden: int) -> dict[str, tuple[LatentModel, int]]:
    """Return the networks, untrained, and the sizes of their codes."""
    ddl.seed()
    return {
        "d = 2": (VAE(PIXELS, hidden=hidden, latent=2), 2),
        "d = 20": (VAE(PIXELS, hidden=hidden, latent=20), 20),
        "d = 50, two layers": (DeepVAE(hidden=hidden), 50),
    }


def options() -> dict[str, tuple[Any, str]]:
    """Return the options, their values at this size, and what they are."""
    return {
        "images": (ddl.budget(cpu=10_000, gpu=60_000, smoke=100), "training images"),
        "tests": (ddl.budget(cpu=500, gpu=10_000, smoke=20), "test images"),
        "epochs": (ddl.budget(cpu=10, gpu=500, smoke=2), "passes over the training images"),
        "batch": (ddl.budget(cpu=100, gpu=100, smoke=20), "images of a batch"),
        "hidden": (ddl.budget(cpu=200, gpu=200, smoke=8), "units of a hidden layer"),
        "draws": (ddl.budget(cpu=500, gpu=5_000, smoke=5), "draws of the bound for each image"),
    }


def binarise(grey: Tensor, generator: torch.Generator) -> Tensor:
    """Draw white pixels with the probability of their grey value."""
    return (torch.rand(grey.shape, generator=generator).to(grey) < grey).float()


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """Return the negative ELBO in nats an image."""
    reconstruction, kl = model(*batch)
    return (kl - reconstruction).mean()


def train(run: Run) -> tuple[Tensor, dict[str, tuple[LatentModel, int]]]:
    """Train the networks and return them with the test images, in grey."""
    o = run.options
    data = digits(o.images, o.tests)
    run.data = f"{data}, binarised"
    (grey,) = run.to_device(data.train.images.flatten(1))
    trained = nets(o.hidden)
    for label, (net, latent) in trained.items():

        def draw(batch: Batch, g: torch.Generator, latent: int = latent) -> Batch:
            noise = torch.randn(len(batch[0]), latent, generator=g)
            return binarise(batch[0], g), noise.to(batch[0])

        stream = Stream(grey, batch_size=o.batch, draw=draw)
        steps = stream.steps(o.epochs)
        optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        run.train(label, net, stream, loss, steps=steps, optimizer=optimizer, schedule=schedule)
    return data.test.images.flatten(1), trained


def score(run: Run, trained: tuple[Tensor, dict[str, tuple[LatentModel, int]]]) -> dict[str, float]:
    """Return the negative ELBO and the importance-weighted bound, in nats an image."""
    grey, models = trained
    draws = run.options.draws
    g = generator("test images")
    (images,) = run.to_device(binarise(grey, g))
    few = max(1, 4_000 // draws)  # images at a time: 12 MB of decoded pixels
    scores = {}
    for label, (net, latent) in models.items():
        elbos, bounds = [], []
        for some in images.split(few):
            noise = torch.randn(draws, len(some), latent, generator=g).to(some)
            bounds.append(iwae_bound(net, some, noise))
            reconstruction, kl = net(some, noise)
            elbos.append(reconstruction.mean(0) - kl)
        scores[f"{label}, negative ELBO in nats"] = -torch.cat(elbos).mean().item()
        scores[f"{label}, negative log-likelihood in nats"] = -torch.cat(bounds).mean().item()
    return scores
