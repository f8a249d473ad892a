"""A value that cannot be used is named before anything is drawn, written or trained."""
# pyright: reportArgumentType=false

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddl import (
    claims,
    data,
    exercises,
    interactive,
    plotting,
    training,
)
from ddl.recipes import checkpoint, engine, results
from ddl.support import listings, settings

SMALL = {"DDL_SCALE": "cpu", "DDL_DATA": "drawn", "DDL_PROGRESS": "0", "MPLBACKEND": "agg"}
HERE = tempfile.TemporaryDirectory()
FOLDER = Path(HERE.name)


@pytest.fixture(autouse=True, scope="module")
def acts() -> Iterator[list[str]]:
    """What is shown, instead of showing it."""
    seen: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SMALL.items():
            patch.setenv(name, value)
        patch.setattr(claims, "show", lambda text, rich: seen.append(text))
        patch.setattr(interactive, "show", lambda text, rich: seen.append(text))
        patch.setattr(plt, "show", lambda: seen.append("figure"))
        yield seen


def draw(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def squared_error(model: nn.Module, batch: Any) -> Tensor:
    return F.mse_loss(model(batch[0]), batch[1])


def batches() -> data.Batches:
    return data.Batches(draw(5, 3), draw(5, 1), batch_size=2)


def stream() -> engine.Stream:
    return engine.Stream(draw(5, 3), draw(5, 1), batch_size=2)


def a_run() -> engine.Run:
    known = {"precision": "float32", "compile": False, "save_every": 3, "recipe": "test"}
    return engine.Run(argparse.Namespace(out=FOLDER / "r.json", **known))


def trained() -> tuple[Callable[..., Any], dict[str, Any]]:
    model = nn.Linear(3, 1)
    return training.fit, {
        "model": model,
        "loss": squared_error,
        "batches": batches(),
        "epochs": 1,
        "learning_rate": 0.01,
        "optimizer": torch.optim.SGD(model.parameters(), 0.1),
        "fabric": None,
    }


def packed() -> dict[str, Any]:
    model = nn.Linear(3, 1)
    return {"model": model, "optimizer": torch.optim.Adam(model.parameters()), "average": None}


def claimed(measured: Any = 0.5, **range_: Any) -> Callable[[], None]:
    return lambda: claims.claim("It is so", measured, **range_)


def fitted(**wrong: Any) -> Callable[[], Any]:
    function, arguments = trained()
    return lambda: function(**(arguments | wrong))


def frozen() -> nn.Module:
    return nn.Linear(3, 1).requires_grad_(False)


def images(value: Any, **known: Any) -> Callable[[], None]:
    return lambda: plotting.show_images({"row": value}, **known)


def curves(value: Any, **known: Any) -> Callable[[], None]:
    return lambda: plotting.show_curves({"line": value}, xlabel="x", ylabel="y", **known)


HEARS: list[tuple[Callable[[], Any], str]] = [
    (lambda: claims.claim(" ", 1, equals=1), "statement must say something, got ' '"),
    (claimed(below=float("nan")), "below must be finite, got nan"),
    (claimed(above=1, below=0), "above must be less than below, got 1 and 0"),
    (claimed(above=0, equals=1), "equals must stand without above and below"),
    (claimed(above=0, within=0.1), "within must be at least 0, and 0 without equals, got 0.1"),
    (claimed(equals=0.5, within=-0.1), "within must be at least 0"),
    (claimed("0.5", above=0), "measured must be a number, got '0.5'"),
    (claimed(True, above=0), "measured must be a number, got True"),
    (claimed((1, 2), equals=(1, 2), within=1), r"measured must be a number, got \(1, 2\)"),
    (claimed(draw(3), equals=draw(3)), "measured and equals cannot be compared"),
    (listings.show_code, "functions must have a name and be in Python, got None"),
    (lambda: listings.show_code(torch.relu), "must have a name and be in Python, got <built-in"),
    (lambda: listings.show_code(lambda: 1), "must have a name and be in Python, got <function"),
    (lambda: settings.budget(cpu=True, gpu=2), "cpu must be an integer or a number, got True"),
    (lambda: settings.budget(cpu=1, gpu=float("nan")), "gpu must be positive, got nan"),
    (lambda: settings.budget(cpu=1, gpu=float("inf")), "gpu must be finite, got inf"),
    (lambda: settings.budget(cpu=1, gpu=2, smoke=0), "smoke must be positive, got 0"),
    (lambda: settings.provenance("no_such"), r"packages must be installed, got \('no_such',\)"),
    (lambda: data.Batches(torch.tensor(1), batch_size=1), r"same length, got \[None\]"),
    (lambda: data.Batches(draw(0, 3), batch_size=1), "tensors must have at least one row"),
    (fitted(model=nn.ReLU(), optimizer=None), "model must have parameters that require a grad"),
    (fitted(model=frozen(), optimizer=None), "model must have parameters that require a grad"),
    (fitted(model=nn.Linear(3, 1)), "optimizer must be over the model's parameters"),
    (fitted(batches="abc"), "batches must be an iterable of batches, got a string"),
    (fitted(epochs=-1), "epochs must be at least 1, got -1"),
    (fitted(learning_rate=float("nan")), "learning_rate must be positive, got nan"),
    (fitted(learning_rate=float("inf")), "learning_rate must be finite, got inf"),
    (fitted(loss=lambda m, b: squared_error(m, b).item()), "loss must return a tensor, got "),
    (fitted(loss=lambda m, b: m(b[0])), r"loss must return a scalar .* got the shape \(2, 1\)"),
    (fitted(loss=lambda m, b: squared_error(m, b)[None]), r"scalar .* got the shape \(1,\)"),
    (fitted(loss=lambda m, b: squared_error(m, b).detach()), "with a gradient, got one without"),
    (images(draw(4, 4)), r"rows\['row'\] must have the axes .* got the shape \(4, 4\)"),
    (images(draw(2, 3, 4, 4)), r"rows\['row'\] must have the axes .* got the shape"),
    (images(draw(0, 4, 4)), r"rows\['row'\] must not be empty"),
    (images(draw(2, 4, 4).to(torch.complex64)), r"rows\['row'\] must hold real numbers"),
    (images(draw(2, 4, 4), columns=0), "columns must be at least 1, got 0"),
    (images(draw(2, 4, 4), vmin=2), "vmin must be below vmax, got 2 and 1"),
    (images(draw(2, 4, 4), vmax=float("nan")), "vmax must be finite, got nan"),
    (curves([1.0, 2.0], x=[1.0]), r"x must be as long as curves\['line'\], 2, got 1"),
    (curves(draw(2, 3)), r"curves\['line'\] must be one row of numbers, got the shape \(2, 3\)"),
    (curves([]), r"curves\['line'\] must not be empty"),
    (curves(np.array(["a"])), r"curves\['line'\] must hold real numbers"),
    (lambda: plotting.show_matrix(draw(0, 3)), "matrix must not be empty"),
    (lambda: interactive.interactive("a b"), "name must be letters, digits and _, got 'a b'"),
    (lambda: interactive.to_onnx(torch.relu, [draw(3)]), "model must be a model or a method of"),
    (lambda: stream().rows(-1), "step must be at least 0, got -1"),
    (lambda: engine.connect("float16"), "precision must be one of 'float32', 'bf16', got"),
    (
        lambda: results.write(FOLDER / "r.json", a_run(), {"loss": float("nan")}, 1.0),
        "scores must be finite, got another number for loss",
    ),
    (
        lambda: checkpoint.unpack({"model.weight": draw(3)}, **packed()),
        "tensors must be what pack returned of these: ",
    ),
    (lambda: checkpoint.read(Path(__file__)), "path must be a checkpoint, got .*values.py"),
]


@pytest.mark.parametrize(("call", "message"), HEARS)
def test_a_mistake_hears_what_is_wrong(
    acts: list[str], call: Callable[[], Any], message: str
) -> None:
    before = len(acts), plt.get_fignums()
    with pytest.raises(ValueError, match=message):
        call()
    assert (len(acts), plt.get_fignums()) == before


def test_what_does_not_fit_changes_no_model() -> None:
    function, arguments = trained()
    before = arguments["model"].weight.detach().clone()
    for wrong in ({"epochs": 1.5}, {"fabric": "cpu"}, {"loss": lambda m, b: m(b[0])}):
        with pytest.raises(ValueError, match="|".join(wrong)):
            function(**(arguments | wrong))
    assert torch.equal(arguments["model"].weight, before)


def test_a_readers_own_mistakes_stay_what_they_are() -> None:
    def mistaken(model: nn.Module, batch: Any) -> Tensor:
        raise KeyError("target")

    with pytest.raises(KeyError, match=r"^'target'$"):
        fitted(loss=mistaken)()
    with pytest.raises(RuntimeError, match=r"^mat1 and mat2 shapes cannot be multiplied"):
        fitted(batches=[(draw(2, 4), draw(2, 1))])()
    with pytest.raises(TypeError, match=r"missing .* 'epochs'"):
        training.fit(nn.Linear(3, 1), squared_error, batches())  # type: ignore[call-arg]


def test_numbers_of_any_library_are_numbers(acts: list[str]) -> None:
    for measured in (torch.tensor(0.5), np.float32(0.5), np.array(0.5)):
        claims.claim("It is so", measured, equals=0.5)
        claims.claim("It is so", measured, above=0.4, below=0.6)
    for yes in (torch.tensor(True), np.bool_(True)):
        claims.claim("It is so", yes)
    plotting.show_curves(
        {"a": np.arange(3), "b": draw(3).requires_grad_(), "c": list(draw(3).requires_grad_())},
        x=range(3),
        xlabel="x",
        ylabel="y",
    )
    plotting.show_images({"a": draw(1, 1, 3) > 0.5, "b": draw(2, 1, 3, 3).bfloat16()})
    exercises.expect_number(np.int64(3), 3)
    with pytest.raises(exercises.NotYet, match=r"2\.5 is not it"):
        exercises.expect_number(np.float32(2.5), 2)
    plt.close("all")


def test_fractions_and_complex_answers_are_not_rounded_to_right_ones() -> None:
    for answer, message in (
        (torch.tensor([1.9, 2.0]), "values are not: off by up to 0.9"),
        (torch.tensor([1.0, 2.0], dtype=torch.complex64), "expected real numbers"),
    ):
        with pytest.raises(exercises.NotYet, match=message):
            exercises.expect_tensor(answer, torch.tensor([1, 2]))
