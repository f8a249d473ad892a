"""Batches, the training loop, attention and a VAE."""

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from benchmarks.measure import Result, compare
from ddl.attention import MultiHeadAttention, scaled_dot_product_attention
from ddl.data import Batches, digits
from ddl.denoising import DenoisingAutoencoder
from ddl.training import fit
from ddl.vae import VAE

COUNT, BATCH = 20_000, 128


class OneByOne(Dataset[tuple[Tensor, int]]):
    """Digits as the reference notebooks read them: a picture, then its transforms."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        from PIL import Image

        self.pictures = [Image.fromarray(i[0].mul(255).byte().numpy()) for i in images]
        self.labels = labels.tolist()

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        # What torchvision's ToTensor and Normalize do.
        pixels = torch.frombuffer(bytearray(self.pictures[index].tobytes()), dtype=torch.uint8)
        image = pixels.view(1, 28, 28).to(torch.float32).div(255)
        return (image - 0.1307) / 0.3081, self.labels[index]


def walk(batches: Iterable[object]) -> None:
    """Go through all batches."""
    for _ in batches:
        pass


def batches() -> list[Result]:
    """Images a second of one shuffled pass."""
    train = digits(COUNT, 1).train
    ours = Batches(*train, batch_size=BATCH, generator=torch.Generator().manual_seed(0))
    theirs = DataLoader(OneByOne(*train), batch_size=BATCH, shuffle=True)

    def gather() -> None:
        order = torch.randperm(COUNT)
        for rows in order.split(BATCH):
            _ = train.images[rows], train.labels[rows]

    return [
        compare(
            "Batches against a DataLoader with a transform for each sample",
            lambda: walk(ours),
            lambda: walk(theirs),
            items=COUNT,
            at_least=10,
            note="images a second, shuffled, no worker processes",
        ),
        compare(
            "Batches against rows gathered from tensors by hand",
            lambda: walk(ours),
            gather,
            items=COUNT,
            at_least=0.8,
            note="images a second, shuffled: the limit in memory",
        ),
    ]


def loop() -> list[Result]:
    """`fit` against the loop written out."""
    images = digits(2_000, 1).train.images

    def loss(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        return F.mse_loss(model(batch[0]), batch[0])

    def source() -> Batches:
        return Batches(images, batch_size=64, generator=torch.Generator().manual_seed(0))

    def by_fit() -> None:
        torch.manual_seed(0)
        fit(DenoisingAutoencoder(filters=16, skips=True), loss, source(), epochs=1)

    def by_hand() -> None:
        torch.manual_seed(0)
        model = DenoisingAutoencoder(filters=16, skips=True).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        for batch in source():
            optimizer.zero_grad()
            value = loss(model, batch)
            value.backward()
            optimizer.step()

    note = "one epoch of the denoising net on 2,000 images"
    return [compare("fit against the bare loop", by_fit, by_hand, at_most=1.03, note=note)]


def attention() -> list[Result]:
    """The attention that the chapter writes out against torch's fused one."""
    generator = torch.Generator().manual_seed(0)
    a, b, c = torch.randn(3, 128, 16, 32, generator=generator, requires_grad=True)
    q, k, v = torch.randn(3, 32, 8, 128, 32, generator=generator)
    x = torch.randn(32, 128, 256, generator=generator)
    ours, theirs = MultiHeadAttention(256, 8), nn.MultiheadAttention(256, 8, batch_first=True)

    def step(read: Tensor) -> None:
        read.sum().backward()

    as_trained = compare(
        "Attention written out against torch's fused one, at the page's size",
        lambda: [step(scaled_dot_product_attention(a, b, c)[0]) for _ in range(50)],
        lambda: [step(F.scaled_dot_product_attention(a, b, c)) for _ in range(50)],
        note="128 sequences of 16, 32 features, forward and backward, 50 times",
    )
    with torch.no_grad():
        return [
            as_trained,
            compare(
                "Attention written out against torch's fused one, at a larger size",
                lambda: [scaled_dot_product_attention(q, k, v) for _ in range(10)],
                lambda: [F.scaled_dot_product_attention(q, k, v) for _ in range(10)],
                note="32 sequences of 128, 8 heads of 32 features, forward, 10 times: the cost "
                "of returning the weights, which the fused one does not have",
            ),
            compare(
                "MultiHeadAttention against torch's, both returning the weights",
                lambda: [ours(x) for _ in range(10)],
                lambda: [theirs(x, x, x, average_attn_weights=False) for _ in range(10)],
                note="32 sequences of 128, 8 heads, 256 features, forward, 10 times",
            ),
        ]


def vae() -> list[Result]:
    """Training a VAE against pythae's trainer."""
    from pythae import models, trainers  # pyright: ignore[reportMissingImports]
    from pythae.data.datasets import BaseDataset  # pyright: ignore[reportMissingImports]
    from pythae.models import nn as parts  # pyright: ignore[reportMissingImports]
    from pythae.models.base.base_utils import ModelOutput  # pyright: ignore[reportMissingImports]

    logging.getLogger("pythae").setLevel(logging.ERROR)
    count, hidden, latent = 10_000, 400, 20
    train = digits(count, 1).train
    images = (train.images.flatten(1) > 0.5).float()

    class Encoder(parts.BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(784, hidden), nn.ReLU())
            self.mean, self.log_variance = nn.Linear(hidden, latent), nn.Linear(hidden, latent)

        def forward(self, x: Tensor) -> ModelOutput:
            h = self.body(x)
            return ModelOutput(embedding=self.mean(h), log_covariance=self.log_variance(h))

    class Decoder(parts.BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            layers = nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, 784), nn.Sigmoid()
            self.net = nn.Sequential(*layers)

        def forward(self, z: Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.net(z))

    def negative_elbo(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        log_likelihood, kl = model(batch[0], torch.randn(len(batch[0]), latent))
        return (kl - log_likelihood).mean()

    def ours() -> None:
        torch.manual_seed(0)
        shuffle = torch.Generator().manual_seed(0)
        fit(
            VAE(784, hidden=hidden, latent=latent),
            negative_elbo,
            Batches(images, batch_size=BATCH, generator=shuffle),
            epochs=1,
        )

    def theirs() -> None:
        torch.manual_seed(0)
        settings = models.VAEConfig(
            input_dim=(784,),
            latent_dim=latent,
            reconstruction_loss="bce",
            uses_default_encoder=False,
        )
        model = models.VAE(settings, encoder=Encoder(), decoder=Decoder())
        with tempfile.TemporaryDirectory() as folder:
            trainer = trainers.BaseTrainer(
                model,
                train_dataset=BaseDataset(images, train.labels),
                training_config=trainers.BaseTrainerConfig(
                    output_dir=folder,
                    num_epochs=1,
                    per_device_train_batch_size=BATCH,
                    learning_rate=1e-3,
                    no_cuda=not torch.cuda.is_available(),
                ),
            )
            with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
                trainer.prepare_training()
                trainer.train_step(1)

    def matrix_products() -> None:
        for _ in range(-(-count // BATCH)):
            for m, n in ((784, hidden), (hidden, 2 * latent), (latent, hidden), (hidden, 784)):
                x, weight, gradient = torch.ones(BATCH, m), torch.ones(n, m), torch.ones(BATCH, n)
                _ = x @ weight.T, gradient.T @ x
                if m != 784 or n != hidden:  # the images need no gradient
                    _ = gradient @ weight

    note = "one epoch, 784-400-20-400-784, batches of 128, the same loss"
    limit = "what no loop can leave out"
    return [
        compare("VAE against pythae's", ours, theirs, items=count, at_least=1.5, note=note),
        compare(
            "VAE against its matrix products alone", ours, matrix_products, items=count, note=limit
        ),
    ]
