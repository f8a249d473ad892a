"""How adding noise, and removing it a little at a time, makes something new.

A schedule says how much noise there is after t steps, t = 1, ..., T; t = 0 is clean data.
A model that predicts the noise in a noisy point is all that is needed to walk back.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ddl.support.inputs import at_least_1, checked
from ddl.support.numerics import at_least_float32, readable

Data = Float[Tensor, "batch *shape"]  # points, images, codes: whatever is diffused
Steps = Int[Tensor, " batch"]  # the step t of each example
NoiseModel = Callable[[Tensor, Tensor], Tensor]  # (x_t, t) -> predicted noise


class NoiseSchedule(nn.Module):
    r"""The forward process :math:`x_t = \sqrt{\alpha_t}\,x_{t-1} + \sqrt{\beta_t}\,\epsilon_t`.

    Indices are the paper's: ``betas[t]`` is :math:`\beta_t` for t = 1, ..., T, and t = 0 is
    clean data, :math:`\beta_0 = 0` and :math:`\bar\alpha_0 = 1`. (The library diffusers
    counts from 0: its timestep is our t minus 1.)

    Args:
        betas: The variance of the noise added in steps 1, ..., T, each between 0 and 1.

    Attributes:
        steps: T.
        betas: :math:`\beta_t`, T + 1 values, in float64 for any model, as the next three.
        alphas: :math:`\alpha_t = 1 - \beta_t`.
        alpha_bar: :math:`\bar\alpha_t`, the product of the alphas up to t.
        beta_bar: :math:`1 - \bar\alpha_t`, with all digits also near t = 0.

    Raises:
        ValueError: If ``betas`` is empty or not between 0 and 1; in the methods, if a t is out
            of range (on a GPU, CUDA's check of an index says so).

    Source: Ho, Jain and Abbeel, Denoising Diffusion Probabilistic Models (2020),
        arXiv:2006.11239.
    """

    betas: Tensor
    alphas: Tensor
    alpha_bar: Tensor
    beta_bar: Tensor

    @checked
    def __init__(self, betas: Float[Tensor, " steps"]) -> None:
        super().__init__()
        if len(betas) == 0 or not bool(((betas > 0) & (betas < 1)).all()):
            raise ValueError(f"betas must be a list of values between 0 and 1, got {betas}")
        self.steps = len(betas)
        self.register_buffer("betas", torch.cat([betas.new_zeros(1), betas]).double())
        self.register_buffer("alphas", 1 - self.betas)
        self.register_buffer("alpha_bar", self.alphas.cumprod(0))
        self.register_buffer("beta_bar", -torch.log1p(-self.betas).cumsum(0).expm1(), False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Follow a model to its device, and keep float64: near t = 0, 1 - alpha_bar needs it."""

        def exact(values: Tensor) -> Tensor:
            moved = fn(values)
            return moved if moved.dtype == values.dtype else values.to(moved.device)

        return super()._apply(exact, recurse)

    @checked
    def at(self, values: Float[Tensor, " _"], t: Steps, x: Data) -> Float[Tensor, "batch *ones"]:
        """Return ``values[t]`` in the shape and place to multiply ``x``, at least float32."""
        if readable(t) and bool(((t < 0) | (t > self.steps)).any()):
            raise ValueError(f"t must lie in 0 to {self.steps}, got {t.min()} to {t.max()}")
        chosen = values.to(t.device).index_select(0, t)  # refuses a negative t, which [t] takes
        return chosen.to(at_least_float32(x)).reshape(-1, *[1] * (x.ndim - 1))

    @checked
    def q_sample(self, x0: Data, t: Steps, noise: Data) -> Data:
        r"""Jump from clean data to step t in one go.

        .. math:: x_t = \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon

        Source: Ho et al. (2020), equation 4.
        """
        a, rest = self.at(self.alpha_bar, t, x0), self.at(self.beta_bar, t, x0)
        return (a.sqrt() * x0 + rest.sqrt() * noise).to(x0.dtype)

    @checked
    def draw(self, x0: Data, *, generator: torch.Generator) -> tuple[Data, Steps, Data]:
        """Draw what a noise predictor learns from: for each example a step and its noise.

        Args:
            x0: Clean data.
            generator: CPU generator to draw from.

        Returns:
            The noisy data ``x_t``, the steps ``t``, uniform in 1, ..., T, and the noise.
        """
        t = torch.randint(1, self.steps + 1, x0.shape[:1], generator=generator).to(x0.device)
        noise = torch.randn(x0.shape, generator=generator, dtype=x0.dtype).to(x0.device)
        return self.q_sample(x0, t, noise), t, noise

    @checked
    def predict_x0(self, x_t: Data, t: Steps, noise: Data) -> Data:
        r"""Take all noise out at once, `q_sample` solved for :math:`x_0`."""
        a, rest = self.at(self.alpha_bar, t, x_t), self.at(self.beta_bar, t, x_t)
        return ((x_t - rest.sqrt() * noise) / a.sqrt()).to(x_t.dtype)

    @checked
    def ddpm_step(self, x_t: Data, t: Steps, predicted_noise: Data, noise: Data) -> Data:
        r"""Go back from t to t - 1: remove a little noise, add less of a fresh one.

        .. math::
            x_{t-1} = \frac{1}{\sqrt{\alpha_t}} \Big(x_t -
            \frac{\beta_t}{\sqrt{1-\bar\alpha_t}}\,\hat\epsilon\Big) + \sigma_t\,\epsilon,
            \qquad \sigma_t^2 = \frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\,\beta_t

        The last step, from t = 1, adds none: :math:`\bar\alpha_0 = 1`, so
        :math:`\sigma_1 = 0`.

        Source: Ho et al. (2020), algorithm 2 with the second sigma of section 3.2.
        """
        if readable(t) and bool((t < 1).any()):
            raise ValueError(f"t must be at least 1, got {t.min()}")
        alpha, beta = self.at(self.alphas, t, x_t), self.at(self.betas, t, x_t)
        rest, rest_before = (self.at(self.beta_bar, s, x_t) for s in (t, t - 1))
        mean = (x_t - beta / rest.sqrt() * predicted_noise) / alpha.sqrt()
        return (mean + (beta * rest_before / rest).sqrt() * noise).to(x_t.dtype)

    @checked
    def ddim_step(self, x_t: Data, t: Steps, t_prev: Steps, predicted_noise: Data) -> Data:
        """Go back from t to any earlier step: take all noise out, put the same back, less of it.

        Source: Song, Meng and Ermon, Denoising Diffusion Implicit Models (2020),
            equation 12 with sigma 0, arXiv:2010.02502.
        """
        if readable(t, t_prev) and bool((t_prev >= t).any()):
            raise ValueError(f"t_prev must be below t, got {t_prev.tolist()} for {t.tolist()}")
        x0 = self.predict_x0(at_least_float32(x_t), t, predicted_noise)
        return self.q_sample(x0, t_prev, predicted_noise).to(x_t.dtype)


@checked
def linear_schedule(steps: int = 1000, start: float = 1e-4, end: float = 0.02) -> NoiseSchedule:
    r"""Return the schedule whose :math:`\beta_t` rises on a straight line.

    Raises:
        ValueError: If ``steps`` is below 1 or a beta is not between 0 and 1.

    Source: Ho et al. (2020), section 4: 1000 steps from 1e-4 to 0.02.
    """
    at_least_1(steps=steps)
    return NoiseSchedule(torch.linspace(start, end, steps, dtype=torch.float64))


@checked
def cosine_schedule(steps: int = 1000) -> NoiseSchedule:
    r"""Return the schedule with :math:`\bar\alpha_t \propto \cos^2\frac{\pi}{2}\frac{t/T+s}{1+s}`.

    Here s = 0.008, and no beta is above 0.999. Almost nothing of the data is left at T,
    :math:`\bar\alpha_{1000} \approx 2 \cdot 10^{-9}`: there `predict_x0` magnifies an error of
    the prediction 20,000 times, which a sampler of long strides passes on.

    Raises:
        ValueError: If ``steps`` is below 1.

    Source: Nichol and Dhariwal, Improved Denoising Diffusion Probabilistic Models (2021),
        equation 17, arXiv:2102.09672.
    """
    at_least_1(steps=steps)
    t = torch.arange(steps + 1, dtype=torch.float64) / steps
    curve = torch.cos(math.pi / 2 * (t + 0.008) / 1.008).square()
    return NoiseSchedule((1 - curve[1:] / curve[:-1]).clamp(max=0.999))


@checked
@torch.no_grad()
def ddpm_sample(
    model: NoiseModel, schedule: NoiseSchedule, x_T: Data, *, generator: torch.Generator
) -> Data:
    """Walk from noise to data in T steps, with fresh noise in each but the last.

    Args:
        model: Predicts the noise from ``(x, t)``.
        schedule: The one that the model was trained with.
        x_T: Noise to start from.
        generator: CPU generator of the fresh noise.
    """
    x = x_T
    for step in range(schedule.steps, 0, -1):
        t = torch.full((len(x),), step, device=x.device)
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
        x = schedule.ddpm_step(x, t, model(x, t), noise)
    return x


@checked
@torch.no_grad()
def ddim_sample(model: NoiseModel, schedule: NoiseSchedule, x_T: Data, *, steps: int) -> Data:
    """Walk from noise to data in ``steps`` equal strides from T to 0, without fresh noise.

    Args:
        model: Predicts the noise from ``(x, t)``.
        schedule: The one that the model was trained with.
        x_T: Noise to start from; it alone decides where the walk ends.
        steps: How often the model is asked.

    Raises:
        ValueError: If ``steps`` is not between 1 and T.
    """
    if not 1 <= steps <= schedule.steps:
        raise ValueError(f"steps must lie in 1 to {schedule.steps}, got {steps}")
    stops = torch.linspace(schedule.steps, 0, steps + 1, dtype=torch.float64).round().long()
    x = x_T
    for pair in pairwise(stops.to(x.device)):
        t, t_prev = (stop.expand(len(x)) for stop in pair)
        x = schedule.ddim_step(x, t, t_prev, model(x, t))
    return x


@checked
def timestep_embedding(t: Steps, size: int) -> Float[Tensor, "batch size"]:
    """Turn a step into sines, then cosines, of wavelengths from 2 pi to 20,000 pi.

    Raises:
        ValueError: If ``size`` is odd or below 4.

    Source: Vaswani et al. (2017), section 3.5, as Ho et al. (2020) use it.
    """
    if size < 4 or size % 2:
        raise ValueError(f"size must be even and at least 4, got {size}")
    exponents = torch.linspace(0, 1, size // 2, device=t.device)
    angles = t[:, None] * 10_000.0**-exponents
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class ExactNoise(nn.Module):
    r"""The best noise prediction, :math:`\mathbb{E}[\epsilon \mid x_t]`, for a known mixture.

    Data are drawn from Gaussians of equal width around given points. With a width of zero
    and the training set as points, no model has a smaller training loss.

    .. math::
        \mathbb{E}[\epsilon \mid x_t] = \sqrt{1-\bar\alpha_t} \sum_k r_k(x_t)\,
        \frac{x_t - \sqrt{\bar\alpha_t}\,m_k}{\bar\alpha_t s^2 + 1 - \bar\alpha_t}
        = -\sqrt{1-\bar\alpha_t}\;\nabla \log q_t(x_t)

    Here :math:`r_k` is the probability that :math:`x_t` came from Gaussian k.

    Args:
        schedule: The forward process.
        means: The points :math:`m_k`.
        std: Standard deviation s around each point, in every direction; it may be 0, then t
            must not.
        weights: Probability of each Gaussian; equal without.

    Raises:
        ValueError: If ``std`` is negative, a weight is, or their sum is not 1.
    """

    means: Tensor
    weights: Tensor

    @checked
    def __init__(
        self,
        schedule: NoiseSchedule,
        means: Float[Tensor, "count features"],
        std: float,
        weights: Float[Tensor, " count"] | None = None,
    ) -> None:
        super().__init__()
        if not std >= 0:
            raise ValueError(f"std must not be negative, got {std}")
        weights = means.new_full((len(means),), 1 / len(means)) if weights is None else weights
        if bool((weights < 0).any()) or abs(weights.sum() - 1) > 1e-6:
            raise ValueError(
                f"weights must be {len(means)} probabilities of sum 1, got {weights.tolist()}"
            )
        self.schedule, self.features, self.std = schedule, means.shape[1], std
        self.register_buffer("means", means)
        self.register_buffer("weights", weights)

    @checked
    def forward(
        self, x: Float[Tensor, "batch {self.features}"], t: Steps
    ) -> Float[Tensor, "batch {self.features}"]:
        """Return the expected noise at each point."""
        a = self.schedule.at(self.schedule.alpha_bar, t, x)
        rest = self.schedule.at(self.schedule.beta_bar, t, x)  # 1 - a
        variance = a * self.std**2 + rest
        offsets = x[:, None] - a.sqrt()[:, None] * self.means.to(a)
        logits = self.weights.to(a).log() - offsets.square().sum(-1) / (2 * variance)
        mean_offset = (logits.softmax(-1)[:, :, None] * offsets).sum(1)
        return (rest.sqrt() / variance * mean_offset).to(x.dtype)
