"""Wrong answers of several kinds get the message that helps."""

from exercises import both_ways
from torch import Tensor

from ddl.exercises import diffusion as check


def right_jump(x0: Tensor, betas: Tensor, t: int, noise: Tensor) -> Tensor:
    return mix((1 - betas[:t]).prod(), x0, noise)


def mix(a: Tensor, x0: Tensor, noise: Tensor) -> Tensor:
    return a.sqrt() * x0 + (1 - a).sqrt() * noise


def right_noise(x_t: Tensor, x0: Tensor, alpha_bar: Tensor) -> Tensor:
    return (x_t - alpha_bar.sqrt() * x0) / (1 - alpha_bar).sqrt()


def right_best(x_t: Tensor, a: Tensor, mean: float, std: float) -> Tensor:
    return (1 - a).sqrt() * (x_t - a.sqrt() * mean) / (a * std**2 + 1 - a)


def step_by_step(x0: Tensor, betas: Tensor, t: int, noise: Tensor) -> Tensor:
    kept, variance = 1.0, 0.0
    for beta in betas[:t].tolist():
        kept, variance = kept * (1 - beta) ** 0.5, (1 - beta) * variance + beta
    return kept * x0 + variance**0.5 * noise


def in_place(x0: Tensor, betas: Tensor, t: int, noise: Tensor) -> Tensor:
    return mix(betas.neg_().add_(1)[:t].prod(), x0, noise)


RIGHT = [
    (check.jump, right_jump),
    (check.jump, step_by_step),
    (check.implied_noise, right_noise),
    (check.best_noise, right_best),
]


def kept(betas: Tensor, t: int) -> Tensor:
    return (1 - betas[:t]).prod()


WRONG = [
    (
        check.jump,
        lambda x, b, t, n: kept(b, t).sqrt() * x + (1 - kept(b, t)) * n,
        "root of the variance",
    ),
    (
        check.jump,
        lambda x, b, t, n: kept(b, t) * x + (1 - kept(b, t)).sqrt() * n,
        "data has a root, too",
    ),
    (check.jump, lambda x, b, t, n: mix(1 - kept(b, t), x, n), "swapped"),
    (check.jump, lambda x, b, t, n: mix(1 - b[t - 1], x, n), "last step alone"),
    (check.jump, lambda x, b, t, n: mix(kept(b, t - 1), x, n), "One step is missing"),
    (check.jump, lambda x, b, t, n: mix(kept(b, t + 1), x, n), "One step too many"),
    (check.jump, lambda x, b, t, n: mix(b[:t].prod(), x, n), "not beta"),
    (
        check.jump,
        lambda x, b, t, n: mix(kept(b, max(t, 1)), x, n),
        "as they were",
    ),
    (check.jump, lambda x, b, t, n: mix(1 - b[:t].sum(), x, n), "values are not"),
    (check.jump, in_place, "left as they are"),
    (check.jump, lambda x, b, t, n: mix(kept(b, t), x, n).sum(), "output, got"),
    (check.jump, lambda x, b, t, n: 0.5, "expected a tensor, got float"),
    (check.implied_noise, lambda x, x0, a: (x - a.sqrt() * x0) / (1 - a), "not by a variance"),
    (check.implied_noise, lambda x, x0, a: (x - a * x0) / (1 - a).sqrt(), "shrunk by a root"),
    (check.implied_noise, lambda x, x0, a: (x - x0) / (1 - a).sqrt(), "were shrunk before"),
    (check.implied_noise, lambda x, x0, a: x - a.sqrt() * x0, "has to be scaled"),
    (check.implied_noise, lambda x, x0, a: -right_noise(x, x0, a), "sign"),
    (check.implied_noise, lambda x, x0, a: x, "values are not"),
    (check.best_noise, lambda x, a, m, s: -right_best(x, a, m, s), "sign"),
    (check.best_noise, lambda x, a, m, s: -right_best(x, a, m, s) / (1 - a).sqrt(), "the score"),
    (check.best_noise, lambda x, a, m, s: right_best(x, a, m, s) * (1 - a).sqrt(), "a root"),
    (
        check.best_noise,
        lambda x, a, m, s: right_best(x + (a.sqrt() - 1) * m, a, m, s),
        "mean shrinks",
    ),
    (
        check.best_noise,
        lambda x, a, m, s: right_best(x, a, m, s) * (a * s**2 + 1 - a).sqrt(),
        "not by its standard deviation",
    ),
    (check.best_noise, lambda x, a, m, s: right_best(x, a, m, s**0.5), "square of std"),
    (check.best_noise, lambda x, a, m, s: right_best(x, a, m, s / a.sqrt()), "own variance"),
    (check.best_noise, lambda x, a, m, s: right_best(x, a, m, 0), "width of its own"),
    (check.best_noise, lambda x, a, m, s: x, "values are not"),
]

test_right_answers, test_stubs, test_wrong_answers, test_spoiled_answers = both_ways(RIGHT, WRONG)
