"""Recipes: divided, killed and resumed they give what one run in one go gives."""

import argparse
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddl.image_diffusion import MovingAverage
from ddl.recipes import NAMES, checkpoint, residual, results, vae
from ddl.recipes.__main__ import main
from ddl.recipes.engine import RecipeError, Run, Stream, generator, thinned
from ddl.training import fit

SMALL = {"DDL_SCALE": "smoke", "DDL_SEED": "0", "DDL_DATA": "drawn", "DDL_PROGRESS": "0"}
Result = dict[str, Any]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SMALL.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Result]:
    """Each recipe, run in one go at the smallest size; its result."""
    done: dict[str, Result] = {}

    def result(name: str) -> Result:
        if name not in done:
            done[name] = recipe(name, tmp_path_factory.mktemp("whole") / "result.json")
        return done[name]

    return result


def recipe(name: str, out: Path, *options: str) -> Result:
    main([name, "--out", str(out), *options])
    return json.loads(out.read_text(encoding="utf-8"))


def child(*command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, encoding="utf-8"
    )


def losses(result: Result) -> dict[str, list[float]]:
    return {label: training["losses"] for label, training in result["trainings"].items()}


# --- Batches -------------------------------------------------------------------------------------


def test_each_pass_holds_every_row_once_and_every_batch_is_full() -> None:
    stream = Stream(torch.arange(7), batch_size=3)
    rows = torch.cat([stream.rows(step) for step in range(7)])
    passes = rows.view(3, 7)
    assert passes.sort().values.tolist() == 3 * [list(range(7))]
    assert len({tuple(order) for order in passes.tolist()}) == 3  # each in another order
    assert stream.steps(3) == 7


def test_a_batch_larger_than_the_data_goes_round() -> None:
    stream = Stream(torch.arange(3), batch_size=7)
    both = torch.cat([stream.rows(0), stream.rows(1)])
    assert both.bincount().tolist() == [5, 5, 4] or sorted(both.bincount().tolist()) == [4, 5, 5]


def test_a_batch_is_the_same_whatever_was_asked_for_before() -> None:
    def noisy(batch: tuple[Tensor, ...], g: torch.Generator) -> tuple[Tensor, ...]:
        return batch[0], torch.rand(len(batch[0]), generator=g)

    one, other = (Stream(torch.arange(11), batch_size=4, draw=noisy) for _ in range(2))
    forward = [one.batch(step) for step in range(6)]
    backward = [other.batch(step) for step in reversed(range(6))]
    for a, b in zip(forward, reversed(backward), strict=True):
        assert torch.equal(a[0], b[0])
        assert torch.equal(a[1], b[1])
    assert not torch.equal(forward[0][1], forward[1][1])


def test_generators_differ_by_seed_purpose_and_number(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = [generator("order").initial_seed(), generator("order", 1).initial_seed()]
    seeds += [generator("draw").initial_seed()]
    monkeypatch.setenv("DDL_SEED", "1")
    seeds += [generator("order").initial_seed()]
    assert len(set(seeds)) == 4


def test_bad_batches() -> None:
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        Stream(torch.zeros(3), batch_size=0)
    with pytest.raises(ValueError, match="tensors must be one or more of the same length"):
        Stream(torch.zeros(3), torch.zeros(2), batch_size=1)


# --- Training ------------------------------------------------------------------------------------


def a_run(folder: Path, **options: Any) -> Run:
    known = {"precision": "float32", "compile": False, "save_every": 3, "out": folder / "r.json"}
    return Run(argparse.Namespace(recipe="test", **(known | options)))


def a_job() -> dict[str, Any]:
    torch.manual_seed(3)
    x = torch.randn(24, 1, 5, 5)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(18, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    return {
        "model": model,
        "stream": Stream(x, x.sum((1, 2, 3))[:, None], batch_size=8),
        "loss": lambda m, b: F.mse_loss(m(b[0]), b[1]),
        "steps": 12,
        "optimizer": optimizer,
        "schedule": torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12),
        "average": MovingAverage(model, decay=0.5),
    }


class Epochs:
    """A stream of three batches an epoch, as `fit` asks for it."""

    def __init__(self, stream: Stream) -> None:
        self.stream, self.epoch = stream, -1

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        self.epoch += 1
        return map(self.stream.batch, range(3 * self.epoch, 3 * self.epoch + 3))


def test_trains_as_fit_does(tmp_path: Path) -> None:
    ours, theirs = a_job(), a_job()
    run = a_run(tmp_path)
    run.train("net", **ours)
    model, optimizer, average = theirs["model"], theirs["optimizer"], theirs["average"]
    optimizer.register_step_post_hook(lambda *_: theirs["schedule"].step())
    optimizer.register_step_post_hook(lambda *_: average.update(model))
    history = fit(model, theirs["loss"], Epochs(theirs["stream"]), epochs=4, optimizer=optimizer)
    assert run.trainings["net"]["losses"] == history.steps
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, ours["model"].state_dict()[name])
    for name, weight in average.model.state_dict().items():
        assert torch.equal(weight, ours["average"].model.state_dict()[name])
    assert not torch.equal(average.model[2].weight, model[2].weight)
    assert not ours["model"].training


def test_a_finished_training_is_taken_from_its_checkpoint(tmp_path: Path) -> None:
    first, again = a_job(), a_job()
    a_run(tmp_path).train("net", **first)
    run = a_run(tmp_path)
    again["loss"] = partial(pytest.fail, "trained again")
    run.train("net", **again)
    assert torch.equal(first["model"][2].weight, again["model"][2].weight)
    assert run.trainings["net"]["resumed at"] == []


def test_a_loss_that_explodes_is_reported_and_not_kept(tmp_path: Path) -> None:
    job = a_job()
    job["loss"] = lambda m, b: m(b[0]).mean() * float("nan")
    with pytest.raises(FloatingPointError, match="net: the loss is not finite by step 3"):
        a_run(tmp_path).train("net", **job)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    a_run(tmp_path, filters=3).train("net", **a_job())
    with pytest.raises(RecipeError, match="with filters 3, this one has filters 4; take a new"):
        a_run(tmp_path, filters=4).train("net", **a_job())
    a_run(tmp_path, filters=3, save_every=7).train("net", **a_job())  # changes no number


def test_processes_must_divide_the_batch(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    run.fabric = SimpleNamespace(world_size=3)  # type: ignore[assignment]
    with pytest.raises(RecipeError, match="3 processes cannot divide batches of 8"):
        run.train("net", **a_job())


def test_compile_and_precision_reach_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda model: compiled.append(model) or model)
    exact, job = a_job(), a_job()
    a_run(tmp_path / "exact").train("net", **exact)
    assert not compiled
    a_run(tmp_path / "rough", compile=True, precision="bf16").train("net", **job)
    assert compiled == [job["model"]]
    gap = (exact["model"][2].weight - job["model"][2].weight).abs().max().item()
    assert 0 < gap < 0.05


def test_checkpoints_are_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "net.safetensors"
    shared = torch.arange(3.0)
    checkpoint.write(path, {"a": shared, "b": shared}, {"step": 4})
    tensors, about = checkpoint.read(path)
    assert about == {"step": 4}
    assert torch.equal(tensors["b"], shared)
    with pytest.raises(ValueError, match="about must be what JSON can hold"):
        checkpoint.write(path, {"a": shared + 1}, {"step": object()})
    assert torch.equal(checkpoint.read(path)[0]["a"], shared)
    assert [p.name for p in path.parent.iterdir()] == ["net.safetensors"]


# --- Whole recipes -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_results_say_what_was_run(name: str, whole: Callable[[str], Result]) -> None:
    result = whole(name)
    assert result["recipe"] == name
    assert (result["scale"], result["seed"]) == ("smoke", 0)
    assert result["data"].startswith("digits drawn by ddl, ")
    assert result["scores"]
    assert all(math.isfinite(value) for value in result["scores"].values())
    assert result["options"]["precision"] == "float32"
    assert result["options"]["images"] >= 64
    for training in result["trainings"].values():
        assert len(training["losses"]) == training["steps"] >= 1
        assert training["parameters"] > 100
        assert training["batch size"] == result["options"]["batch"]
    assert result["device"] in ("CPU", torch.cuda.is_available() and torch.cuda.get_device_name())
    assert result["processes"] == 1
    assert result["versions"]["torch"] == version("torch")
    assert set(result) == {
        *("recipe", "scale", "seed", "data", "scores", "options", "trainings", "seconds"),
        *("ended", "device", "processes", "threads", "versions", "commit"),
    }


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("name", NAMES)
def test_a_stopped_run_goes_on_to_the_same_result(
    name: str, whole: Callable[[str], Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, written = tmp_path / "result.json", checkpoint.write
    saved = []

    def write(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
        written(path, tensors, about)
        saved.append(about["step"])
        if len(saved) == 2:
            raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write", write)
        with pytest.raises(StoppedError):
            recipe(name, out, "--save-every", "1")
    assert not out.exists()
    result = recipe(name, out)
    assert losses(result) == losses(whole(name))
    assert result["scores"] == whole(name)["scores"]
    resumed = [training["resumed at"] for training in result["trainings"].values()]
    assert resumed == [[2], *([] for _ in resumed[1:])]


KILL = """
import os, signal, sys
from ddl.recipes import checkpoint
from ddl.recipes.__main__ import main
replace, count = os.replace, 0
def kill(*names):
    global count
    count += 1
    if count == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*names)
checkpoint.os.replace = kill
main(sys.argv[1:])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_run_goes_on_to_the_same_result(
    whole: Callable[[str], Result], tmp_path: Path
) -> None:
    out = tmp_path / "result.json"
    killed = child("-c", KILL, "image_diffusion", "--out", str(out), "--save-every", "2")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not out.exists()
    assert list(tmp_path.rglob(".*.unfinished"))  # it died between writing and replacing
    result = recipe("image_diffusion", out)
    assert result["trainings"]["U-Net"]["resumed at"] == [4]
    assert losses(result) == losses(whole("image_diffusion"))
    assert result["scores"] == whole("image_diffusion")["scores"]


def test_two_processes_see_the_losses_of_one(
    whole: Callable[[str], Result], tmp_path: Path
) -> None:
    out = tmp_path / "result.json"
    launcher = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone")
    done = child(*launcher, "-m", "ddl.recipes", "image_diffusion", "--out", str(out))
    assert done.returncode == 0, done.stderr
    result, alone = json.loads(out.read_text(encoding="utf-8")), whole("image_diffusion")
    assert result["processes"] == 2
    for label, curve in losses(alone).items():
        assert losses(result)[label] == pytest.approx(curve, rel=1e-4)
    assert result["scores"] == pytest.approx(alone["scores"], rel=0.01)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cooking"], "invalid choice: 'cooking'"),
        ([], "the following arguments are required: NAME"),
        (["vae", "--scale", "huge"], "argument --scale: invalid choice: 'huge'"),
        (["vae", "--seed", "-1"], "DDL_SEED must be a non-negative integer, got '-1'"),
        (["vae", "--batch", "0"], "--batch: must be a whole number of at least 1, got '0'"),
        (["vae", "--precision", "fp8"], "argument --precision: invalid choice: 'fp8'"),
        (["vae", "--depths", "8"], "unrecognized arguments: --depths 8"),
        (["vae", "--ep", "8"], "unrecognized arguments: --ep 8"),
        (["vae", "--out", "results"], "--out: must end in .json, got 'results'"),
    ],
)
def test_bad_options_are_told(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code != 0
    assert message in capsys.readouterr().err


def test_too_many_images_are_told(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="denoising: train must be between 1 and 60,000"):
        recipe("denoising", tmp_path / "r.json", "--images", "60001")


def test_scale_and_seed_of_the_command_line_win(tmp_path: Path) -> None:
    result = recipe("vae", tmp_path / "r.json", "--seed", "4", "--draws", "1", "--tests", "1")
    assert result["seed"] == 4
    assert result["options"]["draws"] == 1
    # One draw: the bound is the ELBO of that draw, its KL estimated instead of computed.
    scores = result["scores"]
    gap = scores["d = 2, negative ELBO in nats"] - scores["d = 2, negative log-likelihood in nats"]
    assert abs(gap) < 10


def test_commit_is_of_the_repository_that_has_the_files(tmp_path: Path) -> None:
    for name, command in (
        ("outside", None),
        ("untracked", ["init", "--quiet"]),
        ("tracked", ["add", "package"]),
    ):
        folder = tmp_path / "package" / "inner"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "file.py").write_text("", encoding="utf-8")
        git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
        if command:
            subprocess.run([*git, *command], check=True)
        if name != "tracked":
            assert results.commit(folder) is None
    subprocess.run([*git, "commit", "--quiet", "-m", "first"], check=True)
    found = results.commit(folder)
    assert found is not None
    assert len(found) == 40
    (folder / "file.py").write_text("x = 1", encoding="utf-8")
    assert results.commit(folder) == found + ", changed"


# --- What single recipes add ---------------------------------------------------------------------


def test_curves_are_thinned_to_means() -> None:
    assert thinned([1.0, 2.0, 3.0]) == [1.0, 2.0, 3.0]
    assert thinned([1.0, 3.0, 5.0, 7.0, 8.0], most=3) == [2.0, 6.0, 8.0]
    assert thinned([]) == []


def test_he_divides_at_32000_and_48000_and_warms_up_the_deepest() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    factor = residual.he_schedule(optimizer, steps=64_000, warm_up=400).lr_lambdas[0]
    changes = {0: 0.1, 399: 0.1, 400: 1, 31_999: 1, 32_000: 0.1, 47_999: 0.1, 48_000: 0.01}
    assert {step: factor(step) for step in changes} == pytest.approx(changes)


def test_augmented_images_are_cut_out_of_padded_ones_and_flipped() -> None:
    images = torch.rand(40, 3, 16, 16)
    labels = torch.arange(40)
    g = torch.Generator().manual_seed(0)
    new, same = residual.shifted_and_flipped((images, labels), g)
    assert torch.equal(same, labels)
    seen = set()
    for old, image in zip(F.pad(images, (2, 2, 2, 2)), new, strict=True):
        places = [
            (down, across, flip)
            for down in range(5)
            for across in range(5)
            for flip in (False, True)
            if torch.equal(
                old[:, down : down + 16, across : across + 16].flip(2 if flip else ()), image
            )
        ]
        assert len(places) == 1
        seen.add(places[0])
    assert {down for down, _, _ in seen} == {across for _, across, _ in seen} == set(range(5))
    assert {flip for _, _, flip in seen} == {False, True}


def test_the_deep_vae_is_the_published_one() -> None:
    layers = [(784, 200), (200, 200), (200, 100), (50, 200), (200, 200), (200, 784)]
    net = vae.DeepVAE()
    assert sum(p.numel() for p in net.parameters()) == sum(a * b + b for a, b in layers)
    reconstruction, kl = net(torch.zeros(3, 784), torch.zeros(2, 3, 50))
    assert reconstruction.shape == (2, 3)
    assert kl.shape == (3,)


def test_white_comes_with_the_probability_of_the_grey_value() -> None:
    grey = torch.tensor([0.0, 0.25, 1.0]).expand(20_000, 3)
    white = vae.binarise(grey, torch.Generator().manual_seed(0))
    assert set(white.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(white.mean(0), grey[0], atol=0.01, rtol=0)
