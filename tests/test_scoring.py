"""The score against scipy's matrix root, closed forms and the classifier's own promises."""

from typing import Any

import pytest
import scipy.linalg
import torch
from torch import Tensor
from torch.nn import functional as F

from ddl import scoring
from ddl.scoring import DigitClassifier, accuracy, frechet_distance, train_digit_classifier
from ddl.support.handwriting import draw_digits

DOUBLE = torch.float64
sqrtm: Any = scipy.linalg.sqrtm  # the stub of scipy knows no plain array


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


def with_moments(rows: Tensor, mean: Tensor, root: Tensor) -> Tensor:
    """Shift and turn rows, so that their mean and covariance are exactly these."""
    white = rows - rows.mean(0)
    values, axes = torch.linalg.eigh(torch.cov(white.T))
    return mean + white @ axes / values.sqrt() @ root.T


@pytest.mark.parametrize(("count_a", "count_b", "k"), [(23, 31, 7), (31, 23, 2), (11, 3, 5)])
def test_frechet_distance_is_the_formula_with_scipys_root(
    count_a: int, count_b: int, k: int
) -> None:
    a, b = randn(count_a, k) @ randn(k, k, seed=1), randn(count_b, k, seed=2) + 0.5
    cov_a, cov_b = torch.cov(a.T), torch.cov(b.T)
    if count_b > k:
        cross = sqrtm((cov_a @ cov_b).numpy()).trace().real
    else:  # scipy's root needs full rank: take the symmetric form
        half = torch.tensor(sqrtm(cov_a.numpy()).real)
        cross = torch.linalg.eigvalsh(half @ cov_b @ half).clamp(min=0).sqrt().sum().item()
    means = (a.mean(0) - b.mean(0)).square().sum().item()
    expected = means + (cov_a.trace() + cov_b.trace()).item() - 2 * cross
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_of_diagonal_gaussians_has_a_closed_form() -> None:
    mean_a, mean_b = randn(5, seed=1), randn(5, seed=2)
    sigma_a, sigma_b = randn(5, seed=3).abs() + 0.1, randn(5, seed=4).abs() + 0.1
    a = with_moments(randn(37, 5, seed=5), mean_a, sigma_a.diag())
    b = with_moments(randn(41, 5, seed=6), mean_b, sigma_b.diag())
    expected = (mean_a - mean_b).square().sum() + (sigma_a - sigma_b).square().sum()
    assert frechet_distance(a, b) == pytest.approx(expected.item(), rel=1e-9)


def test_frechet_distance_sees_correlations_that_leave_the_variances_alone() -> None:
    lean = torch.tensor([[1.0, 0.6], [0.6, 1.0]], dtype=DOUBLE)
    a = with_moments(randn(37, 2), torch.zeros(2, dtype=DOUBLE), torch.linalg.cholesky(lean))
    b = with_moments(randn(41, 2, seed=1), torch.zeros(2, dtype=DOUBLE), torch.eye(2).double())
    expected = 4 - 2 * (1.6**0.5 + 0.4**0.5)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_is_zero_to_itself_symmetric_and_blind_to_rotation() -> None:
    a, b = randn(17, 5), randn(13, 5, seed=1) * 2 + 1
    turn = torch.linalg.qr(randn(5, 5, seed=2)).Q
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(a, a[torch.randperm(17)]) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))
    assert frechet_distance(a @ turn, b @ turn) == pytest.approx(frechet_distance(a, b))
    assert frechet_distance(a, a + 3) == pytest.approx(5 * 9)


def test_frechet_distance_is_computed_in_double_and_never_negative() -> None:
    a, b = (randn(17, 5, seed=s).float() + 100 for s in (1, 2))
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(a.double(), b.double()))
    assert min(frechet_distance(x, x) for x in (randn(17, 5, seed=s) for s in range(20))) >= 0


def test_frechet_distance_to_one_point_is_the_total_variance() -> None:
    a = randn(17, 5)
    point = a.mean(0).expand(2, 5)
    assert frechet_distance(a, point) == pytest.approx(a.var(0).sum().item())


def test_frechet_distance_from_fewer_rows_is_larger() -> None:
    a, b = randn(4000, 7), randn(4000, 7, seed=1)
    few = [frechet_distance(a[i : i + 100], b[i : i + 100]) for i in range(0, 4000, 100)]
    assert sum(few) / len(few) > 10 * frechet_distance(a, b)


def test_frechet_distance_refuses_what_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="a must have 2 rows or more, got 1"):
        frechet_distance(torch.zeros(1, 3), torch.zeros(5, 3))
    with pytest.raises(ValueError, match=r"b must .* beside a of shape \(5, 3\)"):
        frechet_distance(torch.zeros(5, 3), torch.zeros(5, 2))


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    labels = torch.arange(600) % 10
    images = draw_digits(labels, generator=torch.Generator().manual_seed(0))
    return F.avg_pool2d(images, 2), labels  # 14x14: fast


@pytest.fixture(scope="module")
def classifier(digits: tuple[Tensor, Tensor]) -> DigitClassifier:
    return train_digit_classifier(*digits, generator=torch.Generator().manual_seed(0), epochs=7)


def test_classifier_learns(classifier: DigitClassifier, digits: tuple[Tensor, Tensor]) -> None:
    images, labels = digits
    assert accuracy(classifier, images, labels) > 0.5  # chance is 0.1
    wrong = (labels + 1) % 10
    assert accuracy(classifier, images, wrong) < 0.1
    assert not classifier.training


def test_features_are_the_last_hidden_layer_in_its_unit(
    classifier: DigitClassifier, digits: tuple[Tensor, Tensor]
) -> None:
    images, _ = digits
    features = classifier.features(images)
    assert features.shape == (600, 64)
    assert features.var(0).sum().item() == pytest.approx(100, rel=1e-4)
    assert not features.requires_grad
    logits = classifier.head(features * classifier.unit)
    torch.testing.assert_close(classifier(images), logits)
    torch.testing.assert_close(classifier.probabilities(images), logits.softmax(-1))
    assert not classifier.probabilities(images).requires_grad


def test_classifier_is_its_chain_of_layers() -> None:
    torch.manual_seed(0)
    net, images = DigitClassifier(9), torch.rand(3, 1, 9, 9)
    w1, b1, w2, b2, w3, b3, w4, b4 = net.parameters()
    h = F.max_pool2d(F.conv2d(images, w1, b1, padding=2).relu(), 2)
    h = F.max_pool2d(F.conv2d(h, w2, b2, padding=1).relu(), 2)
    h = F.linear(h.flatten(1), w3, b3).relu()
    torch.testing.assert_close(net.features(images), h.detach())  # its unit is still 1
    torch.testing.assert_close(net(images), F.linear(h, w4, b4))


def test_many_images_are_taken_in_parts(classifier: DigitClassifier) -> None:
    images = torch.rand(1003, 1, 14, 14, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        classifier.features(images)[1001:], classifier.features(images[1001:])
    )
    torch.testing.assert_close(
        classifier.probabilities(images)[1001:], classifier.probabilities(images[1001:])
    )


def test_only_the_generator_decides(digits: tuple[Tensor, Tensor]) -> None:
    def weights(seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return train_digit_classifier(
            digits[0][:70], digits[1][:70], generator=generator, epochs=2
        ).head.weight

    torch.manual_seed(7)  # not the state that training in another test may have left
    state = torch.get_rng_state()
    first = weights(0)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(123)
    assert torch.equal(weights(0), first)
    assert not torch.allclose(weights(1), first)


def test_the_start_is_drawn_and_the_last_of_three_passes_takes_smaller_steps(
    monkeypatch: pytest.MonkeyPatch, digits: tuple[Tensor, Tensor]
) -> None:
    passes: list[tuple[int, float]] = []

    def no_fit(*_: Any, epochs: int, learning_rate: float) -> None:
        passes.append((epochs, learning_rate))

    monkeypatch.setattr(scoring, "fit", no_fit)
    starts = [
        train_digit_classifier(*digits, generator=torch.Generator().manual_seed(seed)).head.weight
        for seed in (0, 0, 1)
    ]
    assert torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[0], starts[2])
    (first, large), (last, small) = passes[:2]
    assert (first, last) == (2, 1)
    assert small < large / 2


def test_each_pass_is_shuffled(digits: tuple[Tensor, Tensor]) -> None:
    generator, same = (torch.Generator().manual_seed(0) for _ in range(2))
    train_digit_classifier(digits[0][:70], digits[1][:70], generator=generator, epochs=3)
    torch.randint(2**31, (), generator=same)
    for _ in range(3):
        torch.randperm(70, generator=same)
    assert torch.equal(generator.get_state(), same.get_state())


@pytest.mark.parametrize("size", [4, 13, 28])
def test_any_size_fits(size: int) -> None:
    assert DigitClassifier(size).features(torch.rand(3, 1, size, size)).shape == (3, 64)


def test_classifier_refuses_other_images() -> None:
    with pytest.raises(ValueError, match="size must be at least 4, got 3"):
        DigitClassifier(3)
    for shape in ((2, 1, 28, 28), (2, 3, 14, 14)):
        with pytest.raises(ValueError, match=r"images must .* \(batch, 1, 14, 14\), got "):
            DigitClassifier(14)(torch.zeros(shape))
    generator = torch.Generator()
    images, labels = torch.zeros(5, 1, 14, 14), torch.zeros(3, dtype=torch.long)
    with pytest.raises(ValueError, match=r"labels must .* \(count\), got"):
        train_digit_classifier(images, labels, generator=generator)
    with pytest.raises(ValueError, match="epochs must be at least 2, got 1"):
        train_digit_classifier(images, labels.new_zeros(5), generator=generator, epochs=1)
