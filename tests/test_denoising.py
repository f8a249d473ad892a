import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ddl.denoising import (
    DenoisingAutoencoder,
    add_noise,
    entropy_floor,
    feed_back,
    ternary_noise,
)
from ddl.training import parameter_count


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({"skips": False}, 185_873),  # Keras' own count in the lecture's public notebook
        ({"skips": True}, 260_177),
        ({"skips": False, "filters": 1, "bottleneck": 1}, 10 + 20 + 19 + 20 + 19 + 10),
    ],
)
def test_parameters_are_the_published_ones(options: dict, parameters: int) -> None:
    assert parameter_count(DenoisingAutoencoder(**options)) == parameters


@pytest.mark.parametrize("skips", [False, True])
def test_output_is_an_image_of_probabilities(skips: bool) -> None:
    model = DenoisingAutoencoder(filters=3, bottleneck=2, skips=skips)
    output = model(torch.rand(5, 1, 28, 28))
    assert output.shape == (5, 1, 28, 28)
    assert output.min() > 0
    assert output.max() < 1


def reference(model: DenoisingAutoencoder, x: torch.Tensor) -> torch.Tensor:
    """The same network from the lecture's picture: pool, resize by repeating, join, convolve."""
    conv = dict(model.named_children())
    e28 = conv["encode_28"](x).clamp(min=0)
    e14 = conv["encode_14"](F.adaptive_max_pool2d(e28, 14)).clamp(min=0)
    code = conv["narrow"](F.adaptive_max_pool2d(e14, 7)).clamp(min=0)
    d14 = conv["decode_7"](code).clamp(min=0).repeat_interleave(2, 2).repeat_interleave(2, 3)
    d28 = conv["decode_14"](torch.hstack([d14, e14] if model.skips else [d14])).clamp(min=0)
    d28 = d28.repeat_interleave(2, 2).repeat_interleave(2, 3)
    return torch.sigmoid(conv["decode_28"](torch.hstack([d28, e28] if model.skips else [d28])))


@pytest.mark.parametrize("skips", [False, True])
def test_agrees_with_the_picture(skips: bool) -> None:
    torch.manual_seed(0)
    model = DenoisingAutoencoder(filters=3, bottleneck=2, skips=skips).double()
    x = torch.rand(5, 1, 28, 28, dtype=torch.float64)
    torch.testing.assert_close(model(x), reference(model, x))


def test_detail_passes_the_bottleneck_by_the_skips_only() -> None:
    torch.manual_seed(0)
    for skips in (False, True):
        model = DenoisingAutoencoder(filters=3, bottleneck=2, skips=skips)
        nn.init.zeros_(model.narrow.weight)  # nothing gets through the middle
        first, second = (model(torch.rand(1, 1, 28, 28)) for _ in range(2))
        assert torch.equal(first, second) is not skips


def test_weights_start_as_in_keras() -> None:
    torch.manual_seed(0)
    layer = DenoisingAutoencoder(skips=False).encode_14
    bound = (6 / (9 * 64 + 9 * 128)) ** 0.5  # Glorot and Bengio (2010): fan in + fan out
    assert layer.weight.abs().max().item() == pytest.approx(bound, rel=1e-3)
    assert layer.bias is not None
    assert layer.bias.abs().max() == 0


def test_noise_has_the_lectures_odds() -> None:
    noise = ternary_noise(torch.zeros(100_000), generator=generator())
    shares = [(noise == value).float().mean().item() for value in (-1, 0, 1)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.005)
    assert torch.equal(noise, ternary_noise(torch.zeros(100_000), generator=generator()))


def test_added_noise_is_clipped() -> None:
    images = torch.tensor([0.0, 0.25, 1.0])
    noise = torch.tensor([-1.0, 1.0, 1.0])
    assert add_noise(images, noise).tolist() == [0, 1, 1]
    assert add_noise(images, noise, 0.5).tolist() == [0, 0.75, 1]
    assert add_noise(images, noise, 0).tolist() == images.tolist()


def test_no_prediction_beats_the_floor() -> None:
    images = torch.rand(3, 1, 5, 7, generator=generator())
    floor = entropy_floor(images)
    entropy = torch.distributions.Bernoulli(images).entropy().mean().item()
    assert floor == pytest.approx(entropy, abs=1e-6)
    for seed in range(5):
        guess = (images + 0.05 * torch.randn(images.shape, generator=generator(seed))).clamp(0, 1)
        assert F.binary_cross_entropy(guess, images).item() > floor
    assert entropy_floor(images.round()) == 0


def test_feed_back_is_repeated_application() -> None:
    outputs = feed_back(nn.Threshold(-1e9, 0.0), torch.ones(2, 1, 28, 28), 2)
    assert len(outputs) == 2

    class Halve(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x / 2

    values = [output.mean().item() for output in feed_back(Halve(), torch.ones(2, 1, 28, 28), 3)]
    assert values == [0.5, 0.25, 0.125]


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="filters must be at least 1, got 0"):
        DenoisingAutoencoder(filters=0, skips=True)
    with pytest.raises(ValueError, match="bottleneck must be at least 1, got -2"):
        DenoisingAutoencoder(bottleneck=-2, skips=True)
    with pytest.raises(ValueError, match=r"x must .* \(batch, 1, 28, 28\), got"):
        DenoisingAutoencoder(filters=1, skips=True)(torch.zeros(2, 3, 28, 28))
    with pytest.raises(ValueError, match=r"noise must .* beside images of shape \(3,\)"):
        add_noise(torch.zeros(3), torch.zeros(4))
    with pytest.raises(ValueError, match="amount must be between 0 and 1, got 2"):
        add_noise(torch.zeros(3), torch.zeros(3), 2)
    with pytest.raises(ValueError, match=r"images must lie in \[0, 1\], got 0 to 255"):
        entropy_floor(torch.tensor([0.0, 255.0]))
    with pytest.raises(ValueError, match="passes must be at least 1, got 0"):
        feed_back(nn.Identity(), torch.zeros(1, 1, 28, 28), 0)
