"""Every page and every recipe on a pretend GPU, and with real data; none waits for the GPU.

Each runs in a process of its own, forked from one that has imported what all need.
"""

import contextlib
import itertools
import json
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from pretend_gpu import PretendGPU, pretend_gpu
from torch import Tensor

from ddl.attention import TransformerBlock, causal_mask
from ddl.diffusion import cosine_schedule, ddim_sample, ddpm_sample
from ddl.image_diffusion import DiffusionUNet, guided
from ddl.recipes import NAMES
from ddl.vae import VAE, iwae_bound
from tools import pages

SMOKE = {"DDL_SCALE": "smoke", "DDL_SEED": "0", "DDL_PROGRESS": "0", "MPLBACKEND": "agg"}
FAIL_ON_PURPOSE = {"exercise", "raises-exception"}


@dataclass
class Ran:
    """What came of a page or a recipe."""

    failures: list[str] = field(default_factory=list)
    waits: list[int] = field(default_factory=list)  # in each step of training
    seconds: float = 0.0  # of the processor


def run_page(page: str, gpu: PretendGPU | None) -> Ran:
    """Run the code cells of a page, given as JSON, one after the other."""
    ran, names = Ran(), {"__name__": "__main__"}
    for number, cell in enumerate(json.loads(page)["cells"]):
        if cell["cell_type"] != "code":
            continue
        lines = "".join(cell["source"]).split("\n")
        code = "\n".join("pass" if line.startswith(("%", "!")) else line for line in lines)
        try:
            exec(compile(code, f"cell {number}", "exec"), names)
        except Exception as error:
            if not FAIL_ON_PURPOSE & set(cell["metadata"].get("tags", [])):
                places = [
                    f"{f.filename}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)
                ]
                ran.failures.append(f"cell {number}: {error!r} at {places[-3:]}")
    return ran


def run_recipe(command: str, gpu: PretendGPU | None) -> Ran:
    """Run a recipe, and count the waits from each batch to the next."""
    from ddl.recipes.__main__ import main
    from ddl.recipes.engine import Stream

    ran, draw, before = Ran(), Stream.batch, []

    def batch(self: Stream, step: int) -> tuple[Tensor, ...]:
        before.append((step, gpu.waits.total() if gpu else 0))
        return draw(self, step)

    Stream.batch = batch
    main(command.split())
    both = itertools.pairwise(before)
    ran.waits = [later - sooner for (k, sooner), (n, later) in both if n == k + 1]
    return ran


def alone(
    run: Callable[[str, PretendGPU | None], Ran],
    what: str,
    environment: dict[str, str],
    on_gpu: bool,
) -> Ran:
    """Run something in this process, which does nothing else afterwards."""
    os.environ.update(SMOKE | environment)
    os.chdir(pages.BOOK)
    torch.set_num_threads(1)
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    started = time.process_time()
    with pretend_gpu() if on_gpu else contextlib.nullcontext() as gpu:
        ran = run(what, gpu)
    ran.seconds = time.process_time() - started
    return ran


def in_a_process(*task: Any) -> Ran:
    """Run a task, as `alone` takes it, in a process that has imported what pages need."""
    forks = "forkserver" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"
    context = multiprocessing.get_context("forkserver" if forks else "spawn")
    if forks:
        context.set_forkserver_preload(["test_devices", "IPython.display", *PRELOADED])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(alone, *task).result()


PRELOADED = ["ddl.plotting", "ddl.interactive", "ddl.recipes.__main__", "scipy.optimize"]


def real_data() -> str:
    """Return the folder of real data that this machine has, or nothing."""
    folder = os.environ.get("DDL_DATA", "")
    return folder if (Path(folder) / "MNIST").is_dir() else ""


BROKEN = {
    "a mask made on the CPU": (
        "mask = torch.ones(3, 3, dtype=torch.bool).tril()\nx.masked_fill(~mask, 0)",
        "Expected all tensors to be on the same device",
    ),
    "a product with the CPU": (
        "torch.nn.Linear(3, 2)(x)",
        "Expected all tensors to be on the same device",
    ),
    "numpy() of a result": ("(x @ x).numpy()", "can't convert cuda:0 device type tensor"),
    "a plot of a result": ("import numpy\nnumpy.asarray(x)", "can't convert cuda:0 device"),
    "a CPU generator for a draw on the GPU": (
        "torch.rand(3, generator=torch.Generator(), device=ddl.device())",
        "Expected a 'cuda' device type for generator but found 'cpu'",
    ),
    "a CPU generator for a draw in place": (
        "x.normal_(generator=torch.Generator())",
        "Expected a 'cuda' device type for generator but found 'cpu'",
    ),
    "rows of the CPU by numbers on the GPU": (
        "torch.zeros(3)[x[0].long()]",
        "indices or values are on another device",
    ),
    "a gradient that does not come back": (
        "weight = torch.ones(3, 3, requires_grad=True)\n"
        "(weight.to(ddl.device()) * x).sum().backward()\nweight.grad + x",
        "Expected all tensors to be on the same device",
    ),
}
RIGHT = """
from ddl.training import fit
layer = torch.nn.Linear(3, 2)
fit(layer, lambda net, batch: net(batch[0]).square().mean(), [(x,)], epochs=2)
assert layer.weight.is_cuda and layer(x).device == x.device
weight = torch.ones(3, 3, requires_grad=True)
(weight.to(x.device) * x).sum().backward()
assert not weight.grad.is_cuda and weight.grad.numpy().sum() == x.cpu().numpy().sum()
x.masked_fill(torch.ones(3, 3, dtype=torch.bool, device=x.device).tril(), 0)
torch.rand(3, generator=torch.Generator()).to(x) + x + 1 + torch.tensor(2.0)
x[torch.tensor([0, 2])] + copy.deepcopy(x)[1:]
"""


def tiny_page(code: str) -> str:
    start = "import copy, torch, ddl\nx = torch.ones(3, 3).to(ddl.device())\n"
    cell = {"cell_type": "code", "metadata": {}, "source": [start + code]}
    return json.dumps({"cells": [cell]})


@pytest.mark.parametrize("fault", BROKEN)
def test_a_page_that_fails_on_a_gpu_is_caught(fault: str) -> None:
    code, message = BROKEN[fault]
    with pretend_gpu() as gpu:
        (failure,) = run_page(tiny_page(code), gpu).failures
    assert message in failure
    if "backward" not in code:
        assert run_page(tiny_page(code), None).failures == []  # on the CPU nobody notices


def test_a_page_that_is_right_on_a_gpu_passes() -> None:
    with pretend_gpu() as gpu:
        assert run_page(tiny_page(RIGHT), gpu).failures == []
    assert not torch.cuda.is_available()


@pytest.mark.parametrize(
    ("code", "waits"),
    [
        ("x.sum().item()", 1),
        ("if (x > 0).any(): pass", 1),
        ("x.cpu()", 1),
        ("x.tolist()", 1),
        ("x[x > 0]", 1),
        ("torch.zeros(3, 3).copy_(x)", 1),
        ("x.nonzero()", 1),
        ("y = x @ x + torch.rand(3, 3).to(x)\nx.copy_(torch.zeros(3, 3))", 0),
    ],
)
def test_waits_are_counted(code: str, waits: int) -> None:
    with pretend_gpu() as gpu:
        assert run_page(tiny_page(code), gpu).failures == []
    assert gpu.waits.total() == waits


def test_sampling_never_waits() -> None:
    with pretend_gpu() as gpu:
        schedule, code = cosine_schedule(20).to("cuda"), VAE(64, hidden=4, latent=2).to("cuda")
        net = DiffusionUNet(schedule, channels=8).to("cuda")
        x, labels = torch.randn(2, 1, 8, 8).to("cuda"), torch.tensor([3, 10]).to("cuda")
        predict = guided(net, labels, guidance=1.0)
        ends = [
            ddim_sample(predict, schedule, x, steps=5),
            ddpm_sample(predict, schedule, x, generator=torch.Generator()),
            code.decode(torch.randn(5, 2).to(x)),
            iwae_bound(code, x.sigmoid().flatten(1), torch.randn(3, 2, 2).to(x)),
            TransformerBlock(8, 2, hidden=4).to("cuda")(x[:, 0], mask=causal_mask(8).to("cuda")),
        ]
        assert all(end.is_cuda for end in ends)
    assert gpu.waits.total() == 0


@pytest.mark.parametrize("slug", pages.slugs())
def test_a_page_runs_on_a_gpu(slug: str) -> None:
    page = (pages.BOOK / f"{slug}.ipynb").read_text(encoding="utf-8")
    ran = in_a_process(run_page, page, {"DDL_DATA": "drawn"}, True)
    assert ran.failures == []


@pytest.mark.parametrize("slug", pages.slugs())
@pytest.mark.skipif(not real_data(), reason="DDL_DATA names no folder with MNIST")
def test_a_page_runs_on_real_data(slug: str) -> None:
    page = (pages.BOOK / f"{slug}.ipynb").read_text(encoding="utf-8")
    ran = in_a_process(run_page, page, {"DDL_DATA": real_data()}, False)
    assert ran.failures == []
    assert ran.seconds < 30  # of the processor: 10 on the machine where pages were written


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_runs_on_a_gpu_and_never_waits_for_it(name: str, tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    ran = in_a_process(run_recipe, f"{name} --out {out}", {"DDL_DATA": "drawn"}, True)
    assert json.loads(out.read_text(encoding="utf-8"))["device"] == "Pretend GPU"
    assert len(ran.waits) >= 3
    assert set(ran.waits) == {0}
