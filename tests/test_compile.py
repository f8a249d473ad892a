"""Every module of a concept compiles and is exported as one graph: no check breaks it.

In a process without the type checks of these tests, which are no part of the package.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from test_devices import Ran, in_a_process
from torch import Tensor, nn

from ddl.building_models import Graph, Node
from ddl.diffusion import NoiseSchedule, linear_schedule
from ddl.vae import VAE, LinearVAE


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


def modules() -> Iterator[tuple[str, nn.Module, dict[str, Any]]]:
    """Yield each module with arguments of its forward, those of test_bad_input and more."""
    from test_bad_input import CASES

    for name, case in CASES.items():
        function, arguments = case()
        module = function if isinstance(function, nn.Module) else None
        module = module or getattr(function, "__self__", None)
        if name.endswith(".forward") and isinstance(module, nn.Module):
            yield name, module, arguments


def more() -> Iterator[tuple[str, nn.Module, tuple[Tensor, ...]]]:
    """Yield what is called by position."""
    x, noise, t = torch.rand(2, 3), torch.randn(2, 3), torch.tensor([1, 4])
    schedule: NoiseSchedule = linear_schedule(5)
    start = Node()
    yield "Graph", Graph([start], Node(nn.Linear(3, 2), start)), (x,)
    for net in (VAE(3, hidden=4, latent=2), LinearVAE(3, latent=2)):
        yield type(net).__name__, net, (x, torch.randn(5, 2, 2))
    yield "q_sample", Step(schedule.q_sample), (x, t, noise)
    yield "ddpm_step", Step(schedule.ddpm_step), (x, t, noise, noise)
    yield "ddim_step", Step(schedule.ddim_step), (x, t, t - 1, noise)


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


def whole_graphs(what: str, gpu: Any) -> Ran:
    """Try all modules; `waits` counts them."""
    tried = [(name, module, (), kwargs) for name, module, kwargs in modules()]
    tried += [(name, module, args, {}) for name, module, args in more()]
    faults = {name: fault(module, args, kwargs) for name, module, args, kwargs in tried}
    return Ran([f"{name}: {text}" for name, text in faults.items() if text], [len(faults)])


def test_every_module_is_one_graph() -> None:
    ran = in_a_process(whole_graphs, "", {}, False)
    assert ran.failures == []
    assert ran.waits[0] > 30


def test_a_broken_graph_is_noticed() -> None:
    assert "Unsupported" in fault(Broken(), (torch.ones(2),), {})
