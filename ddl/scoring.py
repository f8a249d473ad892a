r"""How good are drawn samples? Compare them with real images, in the features of a classifier.

Pixels do not tell: shift a digit by one pixel and every pixel differs. A classifier's last
hidden layer keeps what matters for telling digits apart. The Fréchet distance compares the
mean and the covariance of two sets of such features. It is zero only where both agree, and
two finite sets of the same kind are never at zero: compare with real against real at the same
number of images.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from ddl.data import Batches
from ddl.support.inputs import checked
from ddl.training import fit

Images = Float[Tensor, "batch 1 {self.size} {self.size}"]


@checked
def frechet_distance(a: Float[Tensor, "count_a k"], b: Float[Tensor, "count_b k"]) -> float:
    r"""Return the Fréchet distance of two sets of features, each taken for a Gaussian.

    .. math::
        \lVert \mu_a - \mu_b \rVert^2
        + \mathrm{tr}\big(C_a + C_b - 2 \, (C_a C_b)^{1/2}\big)

    with the sets' means and covariances (divided by count - 1). No matrix root is taken:
    with :math:`C = R^\top R` from a QR decomposition of the centred rows, the trace of
    :math:`(C_a C_b)^{1/2}` is the sum of the singular values of :math:`R_a R_b^\top`.
    This also holds where there are fewer rows than features.

    Args:
        a: Features of one set, a row for each image.
        b: Features of the other set.

    Returns:
        The squared 2-Wasserstein distance of the two Gaussians, computed in float64. From
        finite sets it comes out too large, the more so the fewer rows there are.

    Raises:
        ValueError: If a set has fewer than two rows.

    Source: Dowson and Landau (1982); Heusel et al., GANs Trained by a Two Time-Scale Update
        Rule (2017), arXiv:1706.08500, with features of the Inception network.
    """
    for name, rows in (("a", a), ("b", b)):
        if len(rows) < 2:
            raise ValueError(f"{name} must have 2 rows or more, got {len(rows)}")
    a, b = a.detach().cpu().double(), b.detach().cpu().double()
    roots = [
        torch.linalg.qr((rows - rows.mean(0)) / (len(rows) - 1) ** 0.5, mode="r").R
        for rows in (a, b)
    ]
    overlap = torch.linalg.svdvals(roots[0] @ roots[1].T).sum()
    spread = sum(root.square().sum() for root in roots)  # the two traces
    means = (a.mean(0) - b.mean(0)).square().sum()
    return (means + spread - 2 * overlap).clamp(min=0).item()


class DigitClassifier(nn.Module):
    """A small convolutional classifier of digits, whose last hidden layer scores images.

    Two convolutions, each with a max pooling, a hidden layer of 64 features, ten logits.

    Args:
        size: Height and width of the images.

    Raises:
        ValueError: If ``size`` is below 4.
    """

    unit: Tensor

    @checked
    def __init__(self, size: int = 28) -> None:
        super().__init__()
        if size < 4:
            raise ValueError(f"size must be at least 4, got {size}")
        self.size = size
        self.body = nn.Sequential(
            nn.Conv2d(1, 12, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(12, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * (size // 4) ** 2, 64),
            nn.ReLU(),
        )
        self.head = nn.Linear(64, 10)
        self.register_buffer("unit", torch.ones(()))

    @checked
    def forward(self, images: Images) -> Float[Tensor, "batch 10"]:
        """Return the logits of the ten digits."""
        return self.head(self.body(images))

    @checked
    @torch.no_grad()
    def features(self, images: Images) -> Float[Tensor, "batch 64"]:
        """Return the last hidden layer, in the unit that `train_digit_classifier` has set.

        In this unit the training images' features have total variance 100. So one and the
        same image repeated, if it sits at the mean of real ones, has a Fréchet distance of
        about 100 to them.
        """
        chunks = images.to(self.head.weight.device).split(1000)
        return torch.cat([self.body(chunk) for chunk in chunks]) / self.unit

    @checked
    @torch.no_grad()
    def probabilities(self, images: Images) -> Float[Tensor, "batch 10"]:
        """Return the probabilities of the ten digits."""
        chunks = images.to(self.head.weight.device).split(1000)
        return torch.cat([self(chunk).softmax(-1) for chunk in chunks])


@checked
def train_digit_classifier(
    images: Float[Tensor, "count 1 size size"],
    labels: Int[Tensor, "count"],
    *,
    generator: torch.Generator,
    epochs: int = 3,
) -> DigitClassifier:
    """Train the classifier that scores samples, and set its unit.

    Args:
        images: Real images in [0, 1], of any size from 4 on.
        labels: Their digits, 0 to 9.
        generator: CPU generator; weights and batches come from it alone.
        epochs: Passes over the images, 2 or more; the last one takes smaller steps.

    Returns:
        The classifier, in evaluation mode, on the device that `ddl.training.fit` uses.

    Raises:
        ValueError: If an image is not finite or ``epochs`` is below 2.
    """
    if epochs < 2:
        raise ValueError(f"epochs must be at least 2, got {epochs}")
    if not images.isfinite().all():
        raise ValueError("images must be finite, got NaN or infinity")
    seed = int(torch.randint(2**31, (), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = DigitClassifier(images.shape[-1])
    batches = Batches(images, labels, batch_size=64, generator=generator)
    for passes, learning_rate in ((epochs - 1, 3e-3), (1, 3e-4)):
        fit(
            classifier,
            lambda model, batch: F.cross_entropy(model(batch[0]), batch[1]),
            batches,
            epochs=passes,
            learning_rate=learning_rate,
        )
    unit = (classifier.features(images).var(0).sum() / 100).sqrt()
    classifier.unit.copy_(torch.where(unit > 0, unit, 1.0))  # all images are the same
    return classifier


@checked
def accuracy(
    classifier: DigitClassifier,
    images: Float[Tensor, "count 1 size size"],
    labels: Int[Tensor, "count"],
) -> float:
    """Return the share of images whose most probable digit is their label."""
    if not images.isfinite().all():
        raise ValueError("images must be finite, got NaN or infinity")
    guesses = classifier.probabilities(images).argmax(-1)
    return (guesses == labels.to(guesses.device)).float().mean().item()
