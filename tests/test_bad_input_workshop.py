"""Whatever a page hands to the workshop: a ValueError in words, before anything is done."""
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
from hypothesis import given
from hypothesis import strategies as st
from spoiled import Case, case, draw, few, public_callables, rng, spoil
from torch import Tensor, nn
from torch.nn import functional as F

from ddl import (
    claims,
    data,
    datafiles,
    exercises,
    interactive,
    listings,
    plotting,
    settings,
    training,
)
from ddl.drawing import pictures, tracing
from ddl.recipes import checkpoint, results, workshop

SMALL = {"DDL_SCALE": "cpu", "DDL_DATA": "drawn", "DDL_PROGRESS": "0", "MPLBACKEND": "agg"}
HERE = tempfile.TemporaryDirectory()
FOLDER = Path(HERE.name)
MODULES = (
    *(claims, data, datafiles, exercises, interactive, listings, plotting, settings, training),
    *(checkpoint, results, workshop, pictures, tracing),
)
# Their right answers take files or a network, or seconds: the modules' own tests have them.
ELSEWHERE = {
    "data.mnist", "data.fashion_mnist", "data.cifar10", "data.digits_are_real",
    "data.cifar10_is_here", "datafiles.download", "datafiles.download_cifar10",
    "datafiles.idx_files", "datafiles.read_idx", "datafiles.read_cifar_batch",
    "interactive.to_onnx",
}  # fmt: skip
SAYS = (claims.ClaimError, exercises.NotYet, datafiles.DataUnavailableError)


DRAWN = {
    "network": nn.Sequential(nn.Linear(3, 2), nn.ReLU()), "example": draw(2, 3), "depth": 1,
    "whole": [nn.Linear], "direction": "down", "compact": True, "shapes": True,
    "names": {"input": "x"},
}  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def acts() -> Iterator[list[str]]:
    """What is shown, instead of showing it; nothing is downloaded, no model exported."""
    seen: list[str] = []
    no_network = ValueError("no network")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SMALL.items():
            patch.setenv(name, value)
        patch.setattr(claims, "show", lambda text, rich: seen.append(text))
        patch.setattr(interactive, "show", lambda text, rich: seen.append(text))
        patch.setattr(interactive, "_exported", lambda *given: {})
        patch.setattr(plt, "show", lambda: seen.append("figure"))
        patch.setattr(datafiles.pooch, "retrieve", lambda *given, **known: _raise(no_network))
        yield seen


def _raise(error: Exception) -> None:
    raise error


def squared_error(model: nn.Module, batch: Any) -> Tensor:
    return F.mse_loss(model(batch[0]), batch[1])


def batches() -> data.Batches:
    return data.Batches(draw(5, 3), draw(5, 1), batch_size=2)


def stream() -> workshop.Stream:
    return workshop.Stream(draw(5, 3), draw(5, 1), batch_size=2)


def all_batches(tensors: Any, batch_size: int, generator: Any) -> list[Any]:
    return list(data.Batches(*tensors, batch_size=batch_size, generator=generator))


def shown_code(functions: Any, since: str) -> None:
    listings.show_code(*functions, since=since)


def a_run() -> workshop.Run:
    known = {"precision": "float32", "compile": False, "save_every": 3, "recipe": "test"}
    return workshop.Run(argparse.Namespace(out=FOLDER / "r.json", **known))


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


def recipe() -> tuple[Callable[..., Any], dict[str, Any]]:
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for path in FOLDER.rglob("*.safetensors"):
        path.unlink()
    return a_run().train, {
        "label": "net",
        "model": model,
        "stream": stream(),
        "loss": squared_error,
        "steps": 2,
        "optimizer": optimizer,
        "schedule": torch.optim.lr_scheduler.ConstantLR(optimizer),
        "average": workshop.MovingAverage(model, decay=0.5),
    }


def packed() -> dict[str, Any]:
    model = nn.Linear(3, 1)
    return {"model": model, "optimizer": torch.optim.Adam(model.parameters()), "average": None}


def unpacked() -> tuple[Callable[..., Any], dict[str, Any]]:
    known = packed()
    return checkpoint.unpack, {"tensors": checkpoint.pack(**known), **known}


def read() -> tuple[Callable[..., Any], dict[str, Any]]:
    checkpoint.write(FOLDER / "read", {"a": draw(3)}, {"step": 1})
    return checkpoint.read, {"path": FOLDER / "read"}


COUNTS = {"train": 3, "test": 2}
FILE = {"folder": "folder", "name": "name", "md5": "md5"}
CASES: dict[str, Case] = {
    "claims.claim": case(
        claims.claim,
        statement="It is so",
        measured=0.5,
        measure="share",
        above=0.1,
        below=0.9,
        source="Somebody",
        needs="",
    ),
    "claims.claim equals": case(
        claims.claim, statement="It is so", measured=0.5, equals=0.4, within=0.2
    ),
    "claims.claim alike": case(
        claims.claim, statement="It is so", measured=(4, [3, "b"]), equals=(4, [3, "b"])
    ),
    "claims.Claim": case(
        claims.Claim,
        statement="a",
        measure="",
        measured="1",
        accepted="true",
        verdict="holds",
        source="",
        value=1.0,
        lower=None,
        upper=2.0,
    ),
    "claims.Claim.card": case(
        claims.Claim("a", "", "1", "true", "holds", "", True, None, None).card
    ),
    "claims.show_value": case(claims.show_value, value=0.5),
    "claims.say": case(claims.say, markdown="It is 1."),
    "listings.show_code": case(shown_code, functions=(case, draw), since="return"),
    "claims.show": case(claims.show, text="text", rich={"text/markdown": "It is 1."}),
    "data.Dataset": case(
        data.Dataset,
        name="digits",
        train=data.Split(draw(2, 1, 4, 4), torch.tensor([1, 2])),
        test=data.Split(draw(2, 1, 4, 4), torch.tensor([1, 2])),
    ),
    "data.Batches": case(
        all_batches, tensors=(draw(5, 3), torch.arange(5)), batch_size=2, generator=rng()
    ),
    "data.digits": case(data.digits, **COUNTS),
    "data.mnist": case(data.mnist, **COUNTS),
    "data.fashion_mnist": case(data.fashion_mnist, **COUNTS),
    "data.cifar10": case(data.cifar10, **COUNTS),
    "data.digits_are_real": case(data.digits_are_real),
    "data.cifar10_is_here": case(data.cifar10_is_here),
    "datafiles.md5_of": case(datafiles.md5_of, path=Path(__file__)),
    "datafiles.local": case(datafiles.local, **FILE),
    "datafiles.download": case(datafiles.download, **FILE, mirrors=("http://localhost/",)),
    "datafiles.download_cifar10": case(datafiles.download_cifar10),
    "datafiles.idx_files": case(
        datafiles.idx_files, folder="folder", md5s={"name": "md5"}, mirrors=("http://localhost/",)
    ),
    "datafiles.read_idx": case(datafiles.read_idx, path=Path(__file__)),
    "datafiles.read_cifar_batch": case(datafiles.read_cifar_batch, path=Path(__file__)),
    "exercises.Verdict": case(exercises.Verdict, passed=True, message="right."),
    "exercises.check": case(exercises.check, body=lambda solution: "right."),
    "exercises.alike": case(exercises.alike, answer=draw(2, 3), other=draw(2, 3), atol=1e-5),
    "exercises.expect": case(exercises.expect, condition=True, message="no"),
    "exercises.expect_tensor": case(
        exercises.expect_tensor, answer=draw(2, 3), expected=draw(2, 3), hint="Hint.", atol=1e-5
    ),
    "exercises.expect_number": case(
        exercises.expect_number, answer=3, expected=3.0, hint="Hint.", tolerance=0.1
    ),
    "interactive.interactive": case(
        interactive.interactive,
        name="vae",
        data={"codes": draw(2, 3), "levels": [0.5, 1.0], "title": "codes"},
        models={"decoder": (nn.Linear(3, 2), [draw(1, 3)])},
    ),
    "interactive.to_onnx": case(lambda model: interactive.to_onnx(model, [draw(1, 3)]), model=None),
    "plotting.use_style": case(plotting.use_style),
    "plotting.show_images": case(
        plotting.show_images,
        rows={"one": draw(3, 1, 4, 5), "other": draw(2, 4, 5)},
        columns=2,
        vmin=0,
        vmax=1,
    ),
    "plotting.show_curves": case(
        plotting.show_curves,
        curves={"one": [0.5, 1.0], "other": draw(2)},
        x=[1.0, 2.0],
        xlabel="x",
        ylabel="y",
        floor=("floor", 0.5),
        log="xy",
    ),
    "plotting.show_matrix": case(
        plotting.show_matrix, matrix=draw(2, 3), axes=None, title="M", numbers=True
    ),
    "pictures.draw": case(pictures.draw, **DRAWN, to_scale=True),
    "pictures.words": case(pictures.words, **DRAWN, to_scale=True),
    "pictures.sketch": case(pictures.sketch, reads={"a": [], "b": ["a"]}),
    "tracing.trace": case(
        tracing.trace, network=nn.Linear(3, 2), example=draw(2, 3), depth=1, whole=[nn.Linear]
    ),
    "settings.device": case(settings.device),
    "settings.device_name": case(settings.device_name),
    "settings.scale": case(settings.scale),
    "settings.budget": case(settings.budget, cpu=2, gpu=20, smoke=1),
    "settings.seed_value": case(settings.seed_value),
    "settings.seed": case(settings.seed),
    "settings.about_this_run": case(settings.about_this_run),
    "settings.provenance": case(lambda packages: settings.provenance(packages), packages="torch"),
    "training.History": case(training.History, steps=[0.5, 0.4], epochs=[0.45]),
    "training.fit": trained,
    "training.one_device": case(training.one_device, precision="32-true"),
    "training.lay_channels_together": case(
        training.lay_channels_together, model=nn.Conv2d(3, 2, 3)
    ),
    "training.parameter_count": case(training.parameter_count, model=nn.Linear(3, 2)),
    "workshop.generator": case(workshop.generator, purpose="order", number=0),
    "workshop.Stream": case(
        lambda tensors, batch_size, draw: workshop.Stream(
            *tensors, batch_size=batch_size, draw=draw
        ).batch(1),
        tensors=(draw(5, 3), torch.arange(5)),
        batch_size=2,
        draw=lambda batch, generator: batch,
    ),
    "workshop.Stream.steps": case(stream().steps, epochs=2),
    "workshop.Stream.rows": case(stream().rows, step=1),
    "workshop.Stream.batch": case(stream().batch, step=1),
    "workshop.Progress": case(
        workshop.Progress, step=1, seconds=0.5, resumed=[1], losses=[0.5, 0.4]
    ),
    "workshop.Run": case(workshop.Run, options=a_run().options),
    "workshop.Run.settings": case(a_run().settings),
    "workshop.Run.to_device": case(
        lambda tensors: a_run().to_device(*tensors), tensors=[draw(2, 3)]
    ),
    "workshop.Run.train": recipe,
    "workshop.connect": case(workshop.connect, precision="float32"),
    "workshop.thinned": case(workshop.thinned, losses=[0.5, 0.4, 0.3], most=2),
    "checkpoint.pack": case(checkpoint.pack, **packed()),
    "checkpoint.unpack": unpacked,
    "checkpoint.write": case(
        checkpoint.write, path=FOLDER / "write", tensors={"a": draw(3)}, about={"step": 1}
    ),
    "checkpoint.read": read,
    "results.commit": case(results.commit, folder=FOLDER),
    "results.write": case(
        results.write, path=FOLDER / "r.json", run=a_run(), scores={"loss": 0.5}, seconds=1.0
    ),
}


def test_every_public_callable_is_listed() -> None:
    assert set(public_callables(*MODULES)) <= set(CASES)


@pytest.mark.parametrize("name", CASES)
@few
@given(choice=st.data())
def test_bad_input_is_named_before_anything_is_done(
    acts: list[str], name: str, choice: st.DataObject
) -> None:
    before = len(acts), plt.get_fignums()
    answer = spoil(CASES[name], choice, without="meta", says=SAYS)  # tensors are moved anyway
    if answer is not None and answer.refused:
        assert (len(acts), plt.get_fignums()) == before, answer
    plt.close("all")


@pytest.mark.parametrize("name", sorted(CASES.keys() - ELSEWHERE))
def test_what_is_spoiled_was_right(name: str) -> None:
    function, arguments = CASES[name]()
    function(**arguments)
    plt.close("all")


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
    (claimed(above="0.1"), "above must be a number or None, got '0.1'"),
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
    (lambda: listings.show_code(nn.ReLU), "must have a name and be in Python, got <class"),
    (lambda: listings.show_code(lambda: 1), "must have a name and be in Python, got <function"),
    (lambda: settings.budget(cpu=True, gpu=2), "cpu must be an integer or a number, got True"),
    (lambda: settings.budget(cpu=1, gpu=float("nan")), "gpu must be positive, got nan"),
    (lambda: settings.budget(cpu=1, gpu=float("inf")), "gpu must be finite, got inf"),
    (lambda: settings.budget(cpu=1, gpu=2, smoke=0), "smoke must be positive, got 0"),
    (lambda: settings.provenance("no_such"), r"packages must be installed, got \('no_such',\)"),
    (lambda: data.Batches([1, 2], batch_size=1), r"tensors\[0\] must be Tensor, got \[1, 2\]"),
    (lambda: data.Batches(torch.tensor(1), batch_size=1), r"same length, got \[None\]"),
    (lambda: data.Batches(draw(0, 3), batch_size=1), "tensors must have at least one row"),
    (lambda: data.Batches(draw(3), batch_size=2.5), "batch_size must be an integer, got 2.5"),
    (lambda: data.digits("3"), "train must be an integer, got '3'"),
    (fitted(model=squared_error), "model must be Module, got <function"),
    (fitted(model=nn.ReLU(), optimizer=None), "model must have parameters that require a grad"),
    (fitted(model=frozen(), optimizer=None), "model must have parameters that require a grad"),
    (fitted(model=nn.Linear(3, 1)), "optimizer must be over the model's parameters"),
    (fitted(batches=3), "batches must be BatchSource, got 3"),
    (fitted(batches="abc"), "batches must be batches, got the text 'abc'"),
    (fitted(epochs=2.5), "epochs must be an integer, got 2.5"),
    (fitted(epochs="3"), "epochs must be an integer, got '3'"),
    (fitted(epochs=-1), "epochs must be at least 1, got -1"),
    (fitted(learning_rate=float("nan")), "learning_rate must be positive, got nan"),
    (fitted(learning_rate=float("inf")), "learning_rate must be finite, got inf"),
    (fitted(loss=0.5), "loss must be Callable, got 0.5"),
    (fitted(loss=lambda m, b: squared_error(m, b).item()), "loss must return a tensor, got "),
    (fitted(loss=lambda m, b: m(b[0])), r"loss must return a scalar .* got the shape \(2, 1\)"),
    (fitted(loss=lambda m, b: squared_error(m, b)[None]), r"scalar .* got the shape \(1,\)"),
    (fitted(loss=lambda m, b: squared_error(m, b).detach()), "with a gradient, got one without"),
    (images([[0.5]]), r"rows must be a mapping of a text to Tensor, got \{'row': \[\[0.5\]\]\}"),
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
    (curves([1.0], log="z"), "log must be one of '', 'x', 'y', 'xy', got 'z'"),
    (curves([1.0], floor=("floor", "0.5")), "floor must be a text and a number or None"),
    (lambda: plotting.show_matrix(draw(0, 3)), "matrix must not be empty"),
    (lambda: interactive.interactive("a b"), "name must be letters, digits and _, got 'a b'"),
    (
        lambda: interactive.interactive("a", models={"net": (nn.Linear(3, 1), draw(1, 3))}),
        "models must be a mapping of a text to Callable and a sequence, each Tensor",
    ),
    (lambda: interactive.to_onnx(torch.relu, [draw(3)]), "model must be a model or a method of"),
    (lambda: exercises.expect_tensor(1, 2), "expected must be Tensor, got 2"),
    (lambda: stream().rows(-1), "step must be at least 0, got -1"),
    (lambda: workshop.connect("float16"), "precision must be one of float32, bf16, got 'float16'"),
    (
        lambda: results.write(FOLDER / "r.json", a_run(), {"loss": float("nan")}, 1.0),
        "scores must be finite, got another number for loss",
    ),
    (
        lambda: checkpoint.unpack({"model.weight": draw(3)}, **packed()),
        "tensors must be what pack returned of these: ",
    ),
    (lambda: checkpoint.read(Path(__file__)), "path must be a checkpoint, got .*workshop.py"),
]


@pytest.mark.parametrize(("call", "message"), HEARS)
def test_a_mistake_hears_what_is_wrong(
    acts: list[str], bad_input: Any, call: Callable[[], Any], message: str
) -> None:
    before = len(acts), plt.get_fignums()
    with bad_input(message):
        call()
    assert (len(acts), plt.get_fignums()) == before


def test_what_does_not_fit_changes_no_model(bad_input: Any) -> None:
    function, arguments = trained()
    before = arguments["model"].weight.detach().clone()
    for wrong in ({"epochs": 1.5}, {"fabric": "cpu"}, {"loss": lambda m, b: m(b[0])}):
        with bad_input("|".join(wrong)):
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
