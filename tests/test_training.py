import copy
import os
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.accelerators.mps import MPSAccelerator
from torch import nn
from torch.nn import functional as F

from ddl.data import Batches
from ddl.recipes.engine import connect
from ddl.training import fit, one_device, parameter_count


def squared_error(model: nn.Module, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
    return F.mse_loss(model(batch[0]), batch[1])


def line() -> tuple[nn.Linear, Batches]:
    torch.manual_seed(0)
    x = torch.randn(97, 3)
    y = x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 3
    return nn.Linear(3, 1), Batches(x, y, batch_size=10)


def test_same_as_the_loop_by_hand() -> None:
    model, batches = line()
    ours, _ = line()
    history = fit(ours, squared_error, batches, epochs=3, learning_rate=0.01)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(3):
        for batch in batches:
            optimizer.zero_grad()
            loss = squared_error(model, batch)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert history.steps == pytest.approx(losses, abs=1e-7)
    torch.testing.assert_close(ours.weight, model.weight)


def test_finds_the_line_and_leaves_the_model_ready_to_use() -> None:
    model, batches = line()
    history = fit(model, squared_error, batches, epochs=200, learning_rate=0.05)
    torch.testing.assert_close(model.weight, torch.tensor([[1.0, -2.0, 0.5]]), atol=1e-3, rtol=0)
    assert len(history.epochs) == 200
    assert len(history.steps) == 200 * len(batches)
    assert history.epochs[0] == pytest.approx(sum(history.steps[:10]) / 10)
    assert not model.training


@pytest.mark.parametrize("channels", [1, 2])
def test_convolutions_train_with_channels_together_and_to_the_same_weights(channels: int) -> None:
    torch.manual_seed(0)
    model = nn.Conv2d(channels, 3, 3)
    by_hand = copy.deepcopy(model)
    images = torch.rand(5, channels, 7, 7)
    optimizer = torch.optim.Adam(by_hand.parameters())
    layouts = []

    def loss(model: nn.Module, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        outputs = model(batch[0])
        layouts.append(outputs.is_contiguous(memory_format=torch.channels_last))
        return outputs.square().mean()

    fit(model, loss, [(images,)] * 3, epochs=1)
    assert layouts == [True, True, True]
    for _ in range(3):
        optimizer.zero_grad()
        loss(by_hand, (images,)).backward()
        optimizer.step()
    assert not any(layouts[3:])
    for ours, theirs in zip(model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_takes_another_optimizer() -> None:
    model, batches = line()
    before = model.weight.detach().clone()
    fit(
        model,
        squared_error,
        batches,
        epochs=1,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.0),
    )
    torch.testing.assert_close(model.weight, before)


def test_a_loss_that_explodes_is_reported() -> None:
    model, batches = line()
    with pytest.raises(FloatingPointError, match="not finite in epoch 1"):
        fit(model, lambda m, b: squared_error(m, b) * float("inf"), batches, epochs=2)


def test_bad_input() -> None:
    model, batches = line()
    with pytest.raises(ValueError, match="epochs must be at least 1, got 0"):
        fit(model, squared_error, batches, epochs=0)
    with pytest.raises(ValueError, match="learning_rate must be positive, got -1"):
        fit(model, squared_error, batches, epochs=1, learning_rate=-1)
    with pytest.raises(ValueError, match="batches must not be empty"):
        fit(model, squared_error, [], epochs=1)
    with pytest.raises(ValueError, match="fabric must have one process, got 2"):
        fit(model, squared_error, batches, epochs=1, fabric=Fabric(accelerator="cpu", devices=2))


def test_a_shared_parameter_counts_once() -> None:
    layer = nn.Linear(5, 5)
    assert parameter_count(nn.Sequential(layer, layer)) == 30


# What is set in the environment of a notebook that something else has started.
SURROUNDINGS = {
    "SLURM": {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "jupyter", "SLURM_PROCID": "2"},
    "torchrun": {
        **{"RANK": "3", "LOCAL_RANK": "3", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "4"},
        **{"GROUP_RANK": "0", "MASTER_ADDR": "nowhere.invalid", "MASTER_PORT": "1"},
        **{"TORCHELASTIC_RUN_ID": "1"},
    },
    "fabric run": {
        **{"LT_CLI_USED": "1", "LT_DEVICES": "4", "LT_STRATEGY": "ddp", "LT_NUM_NODES": "2"},
        **{"LT_ACCELERATOR": "mps", "LT_PRECISION": "16-mixed"},
    },
    "MPI": {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3", "PMI_RANK": "3"},
    "LSF": {"LSB_JOBID": "7", "LSB_DJOB_RANKFILE": "/nowhere", "JSM_NAMESPACE_SIZE": "4"},
    "TPU": {"PJRT_DEVICE": "TPU", "TPU_WORKER_ID": "1"},
}


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_surroundings_do_not_steer_training_on_one_device(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in SURROUNDINGS[name].items():
        monkeypatch.setenv(variable, value)
    model, batches = line()
    assert len(fit(model, squared_error, batches, epochs=1).steps) == len(batches)
    fabric = one_device()
    assert (fabric.world_size, fabric.global_rank, fabric.is_global_zero) == (1, 0, True)
    for variable, value in SURROUNDINGS[name].items():
        assert os.environ[variable] == value  # left as it was for those whom it concerns


@pytest.mark.parametrize("name", ["SLURM", "MPI", "LSF"])
def test_a_recipe_that_torchrun_did_not_start_is_one_process(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in SURROUNDINGS[name].items():
        monkeypatch.setenv(variable, value)
    assert connect("float32").world_size == 1


def test_a_mac_trains_where_its_batches_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MPSAccelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    model, batches = line()
    fit(model, squared_error, batches, epochs=1)
    assert model.weight.device.type == "cpu"
    assert connect("float32").device.type == "cpu"


def test_one_choice_of_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CUDA device on which batches lie; none is needed, for nothing is computed there."""
    chosen = []

    def fabric(**options: Any) -> Fabric:
        chosen.append((options["accelerator"], options["strategy"].root_device))
        return Fabric(accelerator="cpu", devices=1)

    monkeypatch.setattr("ddl.training.Fabric", fabric)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    for there in (True, False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        one_device()
    assert chosen == [("cuda", torch.device("cuda", 1)), ("cpu", torch.device("cpu"))]
