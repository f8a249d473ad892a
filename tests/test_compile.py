"""Every module of a concept compiles, is exported and traced as one graph: no check breaks it.

In a process without the type checks of these tests, which are no part of the package.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from test_devices import Ran, in_a_process
from torch import Tensor, nn

from ddl import (
    attention,
    autoencoder,
    convolution,
    denoising,
    diffusion,
    gating,
    image_diffusion,
    latent_space,
    residual,
    scoring,
    segmentation,
    skip,
    upsampling,
    vae,
)
from ddl.building_models import Graph, Node
from ddl.diffusion import linear_schedule

MODULES = (
    attention, autoencoder, convolution, denoising, diffusion, gating, image_diffusion,
    latent_space, residual, scoring, segmentation, skip, upsampling, vae,
)  # fmt: skip
# torch.fx knows neither sizes nor dtypes: it cannot trace Python that asks for them.
DTYPE = "asks whether its input has sixteen bits, to compute in float32"
SIZES = "crops by the sizes of its maps, and refuses odd ones"
ONES = "reshapes what its noise schedule says to as many axes as its input has"
NOT_TRACED = {
    "Graph": "takes any number of inputs",
    "MultiHeadAttention": DTYPE,
    "TransformerBlock": DTYPE,
    "PixelAttention": DTYPE,
    "VAE": DTYPE,
    "LinearVAE": DTYPE,
    "ExactNoise": ONES,
    "DiffusionUNet": ONES,
    "UNet": SIZES,
    "StackedHourglass": SIZES,
    "Step": ONES,
}


class Step(nn.Module):
    """One method of a noise schedule, as a module."""

    def __init__(self, step: Callable[..., Tensor]) -> None:
        super().__init__()
        self.step = step

    def forward(self, *args: Tensor) -> Tensor:
        return self.step(*args)


class Broken(nn.Module):
    """Asks a value in the middle of its graph."""

    def forward(self, x: Tensor) -> Tensor:
        return x + 1 if x.sum() > 0 else x - 1


def draw(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


Call = tuple[nn.Module, tuple[Any, ...], dict[str, Any]]


def modules() -> Iterator[Call]:
    """Yield each module with arguments of its forward."""
    x, noise, t = draw(2, 3), draw(2, 3), torch.tensor([1, 4])
    maps, digits, schedule = draw(2, 3, 8, 8), draw(2, 1, 28, 28), linear_schedule(5)
    mask = {"mask": attention.causal_mask(3)}
    yield gating.Highway(3), (x,), {}
    yield gating.LSTMCell(3, 5), (x,), {}
    yield gating.LSTMCell(3, 5), (x, (draw(2, 5), draw(2, 5))), {}
    yield attention.MultiHeadAttention(4, 2), (draw(2, 3, 4),), mask
    yield attention.TransformerBlock(4, 2, hidden=3), (draw(2, 3, 4),), mask
    yield skip.SkipMLP([3, 5, 2], [[0], [0, 1]]), (x,), {}
    yield skip.DenseBlock(3, growth=2, layers=2), (maps,), {}
    yield residual.PadShortcut(3, 5, stride=2), (maps,), {}
    for block in (residual.PlainBlock, residual.BasicBlock, residual.Bottleneck):
        yield block(3, 5), (maps,), {}
    yield residual.small_net(8, widths=(3, 4, 5)), (maps,), {}
    yield residual.DenseLayer(3, 2), (maps,), {}
    yield convolution.ReducedConv(3, 5, middle=2, kernel=3), (maps,), {}
    yield convolution.InceptionNaive(3, ones=1, threes=2, fives=3), (maps,), {}
    reduced = {"ones": 1, "threes": (1, 2), "fives": (1, 2), "pooled": 2}
    yield convolution.InceptionReduced(3, **reduced), (maps,), {}
    yield upsampling.ResizeConv(3, 5), (maps,), {}
    yield segmentation.DoubleConv(3, 5, padding=1), (maps,), {}
    yield segmentation.UNet(3, 2, filters=2, depth=1, padding=1), (maps,), {}
    yield segmentation.StackedHourglass(3, 2, filters=2, depth=1, stacks=2), (maps,), {}
    yield autoencoder.LinearAutoencoder(4, 2), (draw(7, 4),), {}
    yield autoencoder.ConvAutoencoder(2, 3), (digits,), {}
    yield denoising.DenoisingAutoencoder(filters=2, bottleneck=3, skips=True), (digits,), {}
    yield latent_space.StridedAutoencoder(2), (digits,), {}
    for net in (vae.VAE(3, hidden=4, latent=2), vae.LinearVAE(3, latent=2)):
        yield net, (x, torch.randn(5, 2, 2)), {}
    yield diffusion.ExactNoise(schedule, x, 0.1), (noise, t), {}
    yield image_diffusion.TimedResidualBlock(8, 16, 3), (draw(2, 8, 4, 4), x), {}
    yield image_diffusion.PixelAttention(8, 2), (draw(2, 8, 4, 4),), {}
    unet = image_diffusion.DiffusionUNet(schedule, channels=8, classes=3)
    yield unet, (draw(2, 1, 4, 4), t), {"labels": torch.tensor([0, 3])}
    yield scoring.DigitClassifier(8), (draw(2, 1, 8, 8),), {}
    start = Node()
    yield Graph([start], Node(nn.Linear(3, 2), start)), (x,), {}
    yield Step(schedule.q_sample), (x, t, noise), {}
    yield Step(schedule.ddpm_step), (x, t, noise, noise), {}
    yield Step(schedule.ddim_step), (x, t, t - 1, noise), {}


def name_of(module: nn.Module) -> str:
    """Return the name of a module's class."""
    return type(module).__name__


def fault(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Return what breaks the graph of a module or changes its answer, or nothing."""
    expected = module.eval()(*args, **kwargs)
    torch._dynamo.reset()
    try:
        compiled = torch.compile(module, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(*args, **kwargs), expected)
        exported = torch.export.export(module, args, kwargs).module()
        torch.testing.assert_close(exported(*args, **kwargs), expected)
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    return ""


def fault_in_tracing(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Return what keeps torch.fx from tracing a module, or nothing."""
    expected = module.eval()(*args, **kwargs)
    parameters = inspect.signature(module.forward)
    given = parameters.bind(*args, **kwargs).arguments
    absent = dict.fromkeys(parameters.parameters.keys() - given.keys())
    try:
        traced = torch.fx.symbolic_trace(module, concrete_args=absent)
        torch.testing.assert_close(traced(*args, **kwargs), expected)
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    return ""


def faults(find: Callable[..., str], calls: list[Call]) -> Ran:
    """Try all modules; `failures` names faults, `waits` counts modules."""
    tried = [(name_of(call[0]), find(*call)) for call in calls]
    return Ran([f"{name}: {text}" for name, text in tried if text], [len(tried)])


def whole_graphs(what: str, gpu: Any) -> Ran:
    return faults(fault, [*modules()])


def traces(what: str, gpu: Any) -> Ran:
    of_tensors = [call for call in modules() if not any(isinstance(a, tuple) for a in call[1])]
    return faults(fault_in_tracing, of_tensors)


def test_every_module_is_one_graph() -> None:
    ran = in_a_process(whole_graphs, "", {}, False)
    assert ran.failures == []
    assert ran.waits[0] > 30


def test_every_module_is_traced_but_those_that_compute_with_sizes() -> None:
    ran = in_a_process(traces, "", {}, False)
    assert {failure.split(":")[0] for failure in ran.failures} == set(NOT_TRACED), ran.failures


def test_no_module_is_forgotten() -> None:
    known = {type(part) for module, *_ in modules() for part in module.modules()}
    for module in MODULES:
        for name, value in vars(module).items():
            if inspect.isclass(value) and value.__module__ == module.__name__:
                built = not issubclass(value, nn.Module) or name == "LatentModel"
                assert built or value in known, name


def test_a_broken_graph_is_noticed() -> None:
    assert "Unsupported" in fault(Broken(), (torch.ones(2),), {})
    assert "TraceError" in fault_in_tracing(Broken(), (torch.ones(2),), {})
