"""`checked` refuses what a signature excludes, before anything runs, and is in nobody's way."""

import copy
import inspect
import pickle
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np
import pytest
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.fx import Graph, Proxy

from ddl import (
    attention,
    autoencoder,
    building_models,
    claims,
    convolution,
    data,
    denoising,
    diffusion,
    exercises,
    gating,
    image_diffusion,
    interactive,
    latent_space,
    plotting,
    residual,
    scoring,
    segmentation,
    skip,
    training,
    upsampling,
    vae,
)
from ddl.recipes import checkpoint, engine, results
from ddl.support import cards, datafiles, handwriting, inputs, listings, microscopy, settings
from ddl.support.inputs import checked

MODULES: tuple[ModuleType, ...] = (
    attention, autoencoder, building_models, cards, checkpoint, claims, convolution, data,
    datafiles, denoising, diffusion, engine, exercises, gating, handwriting, image_diffusion,
    interactive, latent_space, listings, microscopy, plotting, residual, results, scoring,
    segmentation, settings, skip, training, upsampling, vae,
)  # fmt: skip
ran: list[str] = []


@checked
def loss(
    images: Float[Tensor, "batch 1 height width"],
    labels: Int[Tensor, "batch"],
    *others: Float[Tensor, "batch _"],
    mask: Bool[Tensor, "*#batch height width"] | None = None,
    scale: float = 1.0,
    steps: int = 1,
    log: Literal["", "x"] = "",
    sizes: Sequence[int] = (),
    pair: tuple[int, float] = (1, 1.0),
    rows: Mapping[str, Tensor] | None = None,
    mean: float | Tensor = 0.0,
    generator: torch.Generator | None = None,
    then: Callable[..., Any] = print,
) -> str:
    ran.append("loss")
    return "ran"


@checked
@dataclass(frozen=True)
class Line:
    slope: Float[Tensor, "features"]
    offset: Float[Tensor, "1"]

    @checked
    def at(self, x: Float[Tensor, "batch features"]) -> Float[Tensor, "batch"]:
        return x @ self.slope + self.offset

    @classmethod
    @checked
    def flat(cls, features: int) -> "Line":
        return cls(torch.zeros(features), torch.zeros(1))


X, Y = torch.zeros(8, 1, 28, 28), torch.zeros(8, dtype=torch.long)
TENSOR = "images must be a float tensor of shape (batch, 1, height, width), got "
BESIDE = " beside images of shape (8, 1, 28, 28)"
BOTH = f"{BESIDE}, labels of shape (8,)"
REFUSED: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
    ((X[0, 0], Y), {}, TENSOR + "float32 of shape (28, 28)"),
    ((X.movedim(1, 3), Y), {}, TENSOR + "float32 of shape (8, 28, 28, 1)"),
    ((X.long(), Y), {}, TENSOR + "int64 of shape (8, 1, 28, 28)"),
    ((X.tolist(), Y), {}, TENSOR + "a list of 8"),
    ((X.numpy(), Y), {}, TENSOR + "a NumPy array"),
    ((None, Y), {}, TENSOR + "None"),
    ((X, Y[:7]), {}, "labels must be an integer tensor of shape (batch), got int64 of shape (7,)"
     + BESIDE),
    ((X, Y, Y.float()), {}, "others[0] must be a float tensor of shape (batch, _), got float32"
     f" of shape (8,){BOTH}"),
    ((X, Y), {"mask": X[0, :, :27] > 0}, "mask must be a boolean tensor of shape (*#batch, height"
     f", width), got bool of shape (1, 27, 28){BOTH}"),
    ((X, Y), {"scale": "2"}, "scale must be a number, got '2'"),
    ((X, Y), {"scale": True}, "scale must be a number, got True"),
    ((X, Y), {"steps": 2.5}, "steps must be an integer, got 2.5"),
    ((X, Y), {"log": "z"}, "log must be one of '', 'x', got 'z'"),
    ((X, Y), {"sizes": "12"}, "sizes must be a list or tuple, got '12'"),
    ((X, Y), {"sizes": [1, "2"]}, "sizes[1] must be an integer, got '2'"),
    ((X, Y), {"pair": (1, 2.0, 3)}, "pair must be a list or tuple of 2, got a tuple of 3"),
    ((X, Y), {"rows": {"a": [1]}}, "rows['a'] must be a Tensor, got a list of 1"),
    ((X, Y), {"rows": [X]}, "rows must be a dict, got a list of 1"),
    ((X, Y), {"mean": "0"}, "mean must be a number or a Tensor, got '0'"),
    ((X, Y), {"generator": 0}, "generator must be a torch.Generator, got 0"),
    ((X, Y), {"then": 1.0}, "then must be a function, got 1.0"),
]  # fmt: skip


@pytest.mark.parametrize(("args", "kwargs", "message"), REFUSED)
def test_a_mistake_is_named_in_one_line_before_anything_runs(
    args: tuple[Any, ...], kwargs: dict[str, Any], message: str
) -> None:
    ran.clear()
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$") as caught:
        loss(*args, **kwargs)
    assert "\n" not in str(caught.value)
    assert ran == []


def test_what_fits_is_let_through() -> None:
    numbers = {"scale": torch.tensor(2.0), "steps": np.int64(3), "pair": [1, 2], "sizes": range(3)}
    assert loss(X, Y, Y[:, None].float(), mean=X, mask=X[0, 0] > 0, log="x", **numbers) == "ran"
    assert loss(X, labels=Y, mask=X[:, 0] > 0, rows={"a": X}, generator=torch.Generator()) == "ran"
    assert loss(X.double(), Y.int(), mask=None, mean=1, then=nn.ReLU()) == "ran"


def test_too_few_and_unknown_arguments_are_pythons_own_errors() -> None:
    with pytest.raises(TypeError, match=r"loss\(\) missing 1 required positional argument: 'lab"):
        loss(X)  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match=r"loss\(\) got an unexpected keyword argument 'step'"):
        loss(X, Y, step=1)  # pyright: ignore[reportCallIssue]


def test_a_dataclass_is_held_to_its_fields_and_a_module_to_its_sizes() -> None:
    with pytest.raises(ValueError, match=r"^slope must be .* \(features\), got a list of 2$"):
        Line([1.0, 2.0], torch.zeros(1))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"^features must be an integer, got 2\.5"):
        Line.flat(2.5)  # pyright: ignore[reportArgumentType]
    line = Line.flat(3)
    assert line.at(torch.ones(2, 3)).tolist() == [0, 0]
    with pytest.raises(ValueError, match=r"^x must .* beside self\.slope of shape \(3,\), self"):
        line.at(torch.ones(2, 1))  # torch would have repeated the one column
    with pytest.raises(ValueError, match=r"^z must be a float tensor of shape \(batch, 2\), got"):
        autoencoder.LinearAutoencoder(4, 2).decode(torch.ones(7, 4))


def test_nothing_is_changed_or_asked_before_a_refusal() -> None:
    asked = []

    def model(x: Tensor, t: Tensor) -> Tensor:
        asked.append(t)
        return x

    schedule = diffusion.linear_schedule(50)
    with pytest.raises(ValueError, match=r"^generator must be a torch\.Generator, got None"):
        diffusion.ddpm_sample(model, schedule, X, generator=None)  # pyright: ignore[reportArgumentType]
    assert asked == []
    kernel = torch.ones(3, 5, 4, 6)
    with pytest.raises(ValueError, match=r"^weight must be .* \(channels, filters, kernel, ker"):
        upsampling.icnr_(kernel, stride=2)
    assert kernel.eq(1).all()


@pytest.mark.parametrize("error", [RuntimeError, TypeError, KeyError, torch.OutOfMemoryError])
def test_the_callers_own_error_passes_unchanged(error: type[Exception]) -> None:
    bug = error("my own bug")

    def model(x: Tensor, t: Tensor) -> Tensor:
        raise bug

    with pytest.raises(error, match="my own bug") as caught:
        diffusion.ddim_sample(model, diffusion.linear_schedule(5), X, steps=2)
    assert caught.value is bug
    assert bug.__cause__ is None
    assert bug.__context__ is None


def test_a_checked_function_is_the_same_to_tools() -> None:
    assert list(inspect.signature(gating.gate).parameters) == ["values", "logits"]
    assert inspect.getsource(gating.gate).startswith("@checked\ndef gate(")
    assert str(gating.gate.__doc__).startswith("Let values through")
    assert pickle.loads(pickle.dumps(gating.gate)) is gating.gate
    net = autoencoder.LinearAutoencoder(4, 2)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(twin(torch.ones(1, 4)), net(torch.ones(1, 4)))
    pca = autoencoder.PCA.fit(torch.eye(3), 2)
    assert torch.equal(pickle.loads(pickle.dumps(pca)).components, pca.components)


class Anything:
    """Stands for an object whose sizes are all 3."""

    def __getattr__(self, name: str) -> int:
        if name.startswith("__"):
            raise AttributeError(name)
        return 3


def public_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the public functions, methods and constructors that take arguments."""
    for module in MODULES:
        for name, value in vars(module).items():
            if name.startswith("_") or getattr(value, "__module__", "") != module.__name__:
                continue
            if inspect.isfunction(value) and inspect.signature(value).parameters:
                yield f"{module.__name__}.{name}", value
            plain = not inspect.isclass(value) or getattr(value, "_is_protocol", False)
            for key, method in () if plain else vars(value).items():
                function = getattr(method, "__func__", method)
                known = inspect.isfunction(function) and (key[0] != "_" or key == "__init__")
                if known and len(inspect.signature(function).parameters) > 1:
                    yield f"{module.__name__}.{name}.{key}", function


FUNCTIONS = dict(public_functions())


def checked_part(function: Any) -> Callable[..., Any]:
    """Return what `checked` made, without what the tests' import hook puts around a dataclass."""
    while function.__code__ is not loss.__code__:
        assert hasattr(function, "__wrapped__"), "@checked is missing"
        function = function.__wrapped__
    return function


def wrong(annotation: Any) -> Iterator[Any]:
    """Yield what no annotation of this kind takes; nothing for one that takes all."""
    if annotation is inspect.Parameter.empty or annotation is Any or isinstance(annotation, str):
        return
    yield object()
    for kind in (annotation, *getattr(annotation, "__args__", ())):
        if hasattr(kind, "dim_str"):
            yield torch.zeros([3] * kind.dim_str.count(" ") + [3], dtype=torch.complex64)
            if "*" not in kind.dim_str and "..." not in kind.dim_str:
                axes = [int(a) if a.isdigit() else 3 for a in kind.dim_str.split()]
                yield torch.zeros(3, *axes).to(torch.bool if kind.dtype is Bool else torch.float32)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_public_function_refuses_a_wrong_type_and_shape_before_it_runs(name: str) -> None:
    function = checked_part(FUNCTIONS[name])
    parameters = dict(inspect.signature(function).parameters)
    anything = Proxy(Graph().create_node("placeholder", "x"))  # all other arguments fit
    for wronged, parameter in parameters.items():
        for value in wrong(parameter.annotation):
            given: dict[str, Any] = dict.fromkeys(parameters, anything) | {wronged: value}
            given |= {p: Anything() for p in parameters if p in ("self", "cls")}
            named = [p.name for p in parameters.values() if p.kind is p.KEYWORD_ONLY]
            args = [given[p] for p in parameters if p not in named]
            with pytest.raises(ValueError, match=rf"^{wronged}(\[.*\])* must be ") as caught:
                function(*args, **{p: given[p] for p in named})
            assert caught.traceback[-1].name in ("call", "_compare"), "it ran"


def test_the_table_is_not_empty() -> None:
    tried = [1 for f in FUNCTIONS.values() for p in inspect.signature(f).parameters.values()
             for _ in wrong(p.annotation)]  # fmt: skip
    assert len(FUNCTIONS) > 190
    assert len(tried) > 500


def test_values_are_named() -> None:
    for call, message in (
        (lambda: inputs.at_least_1(a=1, b=0), "b must be at least 1, got 0"),
        (lambda: inputs.finite(a=None, b=float("nan")), "b must be finite, got nan"),
        (lambda: inputs.positive(a=0.5, b=float("inf")), "b must be finite, got inf"),
        (lambda: inputs.positive(a=-1), "a must be positive, got -1"),
        (lambda: inputs.same_length(X, Y[:3]), r"same length, got \[8, 3\]"),
        (lambda: inputs.same_length(), r"one or more of the same length, got \[\]"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
