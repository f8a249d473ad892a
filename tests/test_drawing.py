"""Drawings show the graph that was computed, and nothing overlaps; alt texts say the same."""

import ast
import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Patch
from torch import Tensor, fx, nn

from ddl import drawing
from ddl.attention import MultiHeadAttention, TransformerBlock
from ddl.convolution import InceptionNaive, InceptionReduced
from ddl.denoising import DenoisingAutoencoder
from ddl.drawing import pictures
from ddl.drawing.graph import arrows
from ddl.gating import Highway, LSTMCell, gate
from ddl.plotting import WIDTH
from ddl.residual import BasicBlock, Bottleneck, PadShortcut, PlainBlock, small_net
from ddl.segmentation import DoubleConv, UNet, crop_to
from ddl.skip import DenseBlock, SkipMLP
from ddl.vae import VAE, bernoulli_log_likelihood, gaussian_kl, reparameterise
from tools import notebook, pages


def images(channels: int = 8, size: int = 8) -> Tensor:
    return torch.zeros(2, channels, size, size)


def features(count: int = 5) -> Tensor:
    return torch.zeros(2, count)


BRANCHES = {"ones": 3, "threes": (2, 5), "fives": (2, 4), "pooled": 7}
VAE_PARTS = [bernoulli_log_likelihood, gaussian_kl, reparameterise]
READS = [(0,), (1, 0), (2, 1, 0), (3, 2, 1, 0)]
NETWORKS: dict[str, dict[str, Any]] = {
    "gate": {"network": gate, "example": (features(), features())},
    "highway": {"network": Highway(5), "example": features()},
    "LSTM": {"network": LSTMCell(5, 4), "example": (features(), (features(4), features(4)))},
    "attention": {
        "network": MultiHeadAttention(8, 2),
        "example": torch.zeros(2, 5, 8),
        "compact": True,
        "shapes": True,
    },
    "transformer": {
        "network": TransformerBlock(8, 2, hidden=16),
        "example": torch.zeros(2, 5, 8),
        "whole": [MultiHeadAttention],
    },
    "skips": {"network": SkipMLP([5, 4, 4, 4, 3], READS), "example": features(), "compact": True},
    "dense block": {"network": DenseBlock(8, growth=2, layers=3), "example": images()},
    "residual": {"network": BasicBlock(8, 16, stride=2), "example": images()},
    "bottleneck": {
        "network": Bottleneck(8, 8, projection=True),
        "example": images(),
        "direction": "down",
        "shapes": True,
    },
    "three blocks": {
        "network": {"plain": PlainBlock(8, 8), "residual": BasicBlock(8, 8)},
        "example": images(),
        "direction": "down",
    },
    "inception": {
        "network": InceptionReduced(8, **BRANCHES),
        "example": images(),
        "direction": "down",
        "shapes": True,
        "compact": True,
    },
    "network": {"network": small_net(56), "example": images(3, 32), "depth": 3},
    "U-Net": {
        "network": UNet(1, 2, filters=2, depth=2),
        "example": images(1, 44),
        "whole": [DoubleConv, crop_to],
        "direction": "U",
        "shapes": True,
    },
    "denoiser": {
        "network": DenoisingAutoencoder(filters=2, bottleneck=3, skips=True),
        "example": images(1, 28),
        "direction": "U",
        "compact": True,
    },
    "VAE": {
        "network": VAE(20, hidden=8, latent=2),
        "example": (features(20), features(2)),
        "whole": VAE_PARTS,
        "direction": "down",
    },
    "hourglass": {
        "network": nn.Sequential(nn.Linear(64, 8), nn.Linear(8, 2), nn.Linear(2, 64)),
        "example": features(64),
        "to_scale": True,
    },
    "loop": {"network": drawing.sketch({"a": [], "b": ["a", "c"], "c": ["b"], "d": ["b"]})},
}  # fmt: skip


@pytest.fixture(autouse=True)
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(plt, "show", lambda: None)
    yield
    plt.close("all")


def painted(**known: Any) -> list[dict[str, Patch]]:
    """Draw, and return the artists of each panel by their ids."""
    plt.close("all")
    drawing.draw(**known)
    return [{g: p for p in axes.patches if (g := p.get_gid())} for axes in plt.gcf().axes]


def box_of(patch: Patch) -> np.ndarray:
    """Return left, upper, right and lower end of a box."""
    assert isinstance(patch, Circle | FancyBboxPatch)
    ends = patch.get_path().transformed(patch.get_patch_transform()).get_extents()
    return np.array([ends.x0, ends.y0, ends.x1, ends.y1])


def edges(network: Callable[..., Any], example: Any, **known: Any) -> set[tuple[str, str]]:
    return set(arrows(drawing.trace(network, example, **known)))


class Forked(nn.Module):
    """What torch.fx can trace: branches, a skip, a chunk, a layer used twice, an unused one."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(6, 4), nn.Linear(10, 3)
        self.unused = nn.Linear(6, 6)
        self.twice = nn.Sequential(nn.Linear(4, 4), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        self.unused(x)
        h = self.twice(self.twice(self.into(x)))
        left, right = h.chunk(2, dim=1)
        h = torch.cat([torch.sigmoid(left) * right, left + 1, x], dim=1)
        return self.out(h) - 2 * self.out(h)


def test_edges_are_those_of_torch_fx() -> None:
    graph = fx.symbolic_trace(Forked()).graph
    graph.eliminate_dead_code()
    names: dict[fx.Node, str] = {}
    count: dict[str, int] = {}
    for node in graph.nodes:
        name = node.target if isinstance(node.target, str) else node.target.__name__
        if name == "getitem":  # of a tuple: no tensor has changed
            names[node] = names[node.args[0]]
            continue
        if node.op == "call_module" and "unused" in name:
            continue
        count[name] = count.get(name, 0) + 1
        names[node] = name if count[name] == 1 else f"{name}_{count[name]}"
    expected = {(names[a], names[b]) for b in names for a in b.all_input_nodes}
    found = edges(Forked(), features(6))
    assert found == {(a, b) for a, b in expected if a != b}


def test_a_residual_block_by_hand() -> None:
    chain = ["x", *(f"branch.{k}" for k in range(5)), "add", "relu", "output"]
    assert edges(BasicBlock(8, 8), images()) == {*pairwise(chain), ("x", "add")}


def test_functions_methods_and_what_they_know() -> None:
    model = VAE(20, hidden=8, latent=2)

    def reconstruct(x: Tensor, noise: Tensor) -> Tensor:
        mean, log_variance = model.encode(x)
        return model.decoder(reparameterise(mean, log_variance, noise))

    given = features(20), features(2)
    found = edges(reconstruct, given, depth=1, whole=[reparameterise])
    assert found == {
        ("x", "model.body"), ("model.body", "model.mean"), ("model.body", "model.log_variance"),
        ("model.mean", "reparameterise"), ("model.log_variance", "reparameterise"),
        ("noise", "reparameterise"), ("reparameterise", "model.decoder"),
        ("model.decoder", "output"),
    }  # fmt: skip
    heads = edges(model.encode, features(20), depth=1)
    assert {b for a, b in heads if a == "body"} == {"mean", "log_variance"}


def test_what_comes_from_outside_is_shown() -> None:
    class Outside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(5))

        def forward(self, x: Tensor) -> Tensor:
            return self.scale * x + torch.randn_like(x) + torch.arange(5).flip(0)

    found = drawing.trace(Outside(), features())
    assert {n for n, box in found.items() if box.kind == "source"} == {"scale", "noise", "constant"}
    assert set(found["mul"].reads) == {"scale", "x"}


def test_in_place_and_idle_operations() -> None:
    def network(x: Tensor) -> Tensor:
        y = x.clone()
        y += x
        y[:, 0] = 0
        return nn.functional.pad(y.float().contiguous()[:], (0, 0))

    assert edges(network, features()) == {
        ("x", "clone"), ("clone", "add"), ("x", "add"), ("add", "setitem"), ("setitem", "output"),
    }  # fmt: skip


def test_nothing_is_left_behind() -> None:
    model = nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(5), nn.Dropout(), nn.ReLU(inplace=True))
    model[1].eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    x = torch.randn(3, 5)
    kept, state = x.clone(), torch.get_rng_state()
    drawing.draw(lambda x: torch.rand_like(x) + model(x), x)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        drawing.trace(lambda x: model(x) @ x, x)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(x, kept)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert not nn.modules.module._global_forward_hooks
    assert not nn.modules.module._global_forward_pre_hooks


@pytest.mark.parametrize("name", NETWORKS)
def test_drawn_edges_are_the_graphs(name: str) -> None:
    known = NETWORKS[name]
    network, example = known["network"], known.get("example")
    panels = painted(**known)
    given = {key: known[key] for key in ("depth", "whole") if key in known}
    several = "plain" in network if isinstance(network, dict) else False
    for each, artists in zip(network.values() if several else [network], panels, strict=True):
        full = each if isinstance(each, dict) else drawing.trace(each, example, **given)
        drawn = {gid.removeprefix("box ") for gid in artists if gid.startswith("box ")}
        found = {gid.removeprefix("arrow ") for gid in artists if gid.startswith("arrow ")}
        # What was taken out stands in the box before it: its arrows begin there.
        stands = {}
        for box in full:
            read = next(iter(full[box].reads), box)
            stands[box] = box if box in drawn else stands[read]
        expected = {(stands[a], stands[b]) for a, b in arrows(full)}
        assert found == {f"{a} > {b}" for a, b in expected if a != b}
        kinds = {"end", "source", "join"}
        assert drawn >= {box for box, about in full.items() if about.kind in kinds}
        if not known.get("compact") and name != "network":
            assert drawn == set(full)


def any_sketch(seed: int) -> drawing.Network:
    """Return a random graph of up to nine boxes; every fifth has an arrow back."""
    choose = random.Random(seed)
    names = [letter * choose.choice([1, 2, 8]) for letter in "abcdefghi"[: choose.randint(4, 9)]]
    reads: dict[str, list[str]] = {names[0]: []}
    for k, name in enumerate(names[1:], start=1):
        reads[name] = choose.sample(names[:k], min(k, choose.choice([1, 1, 1, 2, 3])))
    if seed % 5 == 0:
        reads[names[1]].append(names[3])
    return drawing.sketch(reads)


@pytest.mark.parametrize("name", [*NETWORKS, *range(20)])
def test_no_box_meets_another_and_no_arrow_crosses_a_box(name: str | int) -> None:
    known = {"network": any_sketch(name)} if isinstance(name, int) else NETWORKS[name]
    for artists in painted(**known):
        boxes = {gid[4:]: box_of(p) for gid, p in artists.items() if gid.startswith("box ")}
        for a, (left, top, right, bottom) in boxes.items():
            axes = next(iter(artists.values())).axes
            assert axes is not None
            assert 0 <= left < right <= axes.get_xlim()[1]
            assert 0 <= top < bottom <= axes.get_ylim()[0]
            for b, other in boxes.items():
                apart = right < other[0] or other[2] < left or bottom < other[1] or other[3] < top
                assert a == b or apart, f"{a} meets {b}"
        for gid, patch in artists.items():
            if not isinstance(patch, FancyArrowPatch):
                continue
            start, end = gid.removeprefix("arrow ").split(" > ")
            (line,) = patch._path_original.to_polygons(closed_only=False)  # pyright: ignore
            steps = [np.linspace(a, b, 20) for a, b in pairwise(line)]
            x, y = np.concatenate(steps).T
            for box, (left, top, right, bottom) in boxes.items():
                rim = 0.012  # inches
                inside = (left + rim < x) & (x < right - rim) & (top + rim < y) & (y < bottom - rim)
                if box in (start, end) and artists[f"box {box}"].__class__ is Circle:
                    center, radius = ((left + right) / 2, (top + bottom) / 2), (right - left) / 2
                    inside &= np.hypot(x - center[0], y - center[1]) < radius - rim
                assert not inside.any(), f"{gid} crosses {box}"
            for box, point in ((start, line[0]), (end, line[-1])):
                left, top, right, bottom = boxes[box] + [-0.02, -0.02, 0.02, 0.02]
                assert left <= point[0] <= right, gid
                assert top <= point[1] <= bottom, gid


def test_a_u_has_an_encoder_down_a_decoder_up_and_level_skips() -> None:
    model = DenoisingAutoencoder(filters=2, bottleneck=3, skips=True)
    (artists,) = painted(network=model, example=images(1, 28), direction="U", compact=True)
    center = {
        gid[4:]: box_of(p).reshape(2, 2).mean(0) for gid, p in artists.items() if "box" in gid
    }
    for early, join in (("encode_28", "cat_2"), ("encode_14", "cat")):
        assert f"arrow {early} > {join}" in artists
        assert center[early][1] == pytest.approx(center[join][1])
    sides = [["x", "encode_28", "max_pool2d", "encode_14", "max_pool2d_2"],
             ["output", "decode_28", "cat_2", "interpolate_2", "decode_14", "cat", "interpolate",
              "decode_7"]]  # fmt: skip
    for side in sides:  # from the top
        across, down = np.array([center[name] for name in side]).T
        assert np.ptp(across) == pytest.approx(0)
        assert (np.diff(down) > 0).all()
        assert down[-1] < center["narrow"][1]
    assert center["x"][0] < center["narrow"][0] < center["output"][0]


def test_another_graph_is_another_drawing() -> None:
    changes: list[list[tuple[Any, Tensor]]] = [
        [(UNet(1, 1, filters=2, depth=2, padding=1, skips=s), images(1, 8))
         for s in ("concat", "add", "none")],
        [(PlainBlock(8, 8), images()), (BasicBlock(8, 8), images()), (Bottleneck(8, 2), images()),
         (BasicBlock(8, 16), images()), (BasicBlock(8, 8, stride=2), images())],
        [(SkipMLP([5, 4, 3], reads), features()) for reads in ([(0,), (1,)], [(0,), (0, 1)])],
        [(InceptionNaive(8, ones=3, threes=5, fives=4), images()),
         (InceptionReduced(8, **BRANCHES), images())],
    ]  # fmt: skip
    for networks in changes:
        ids = [frozenset(painted(network=n, example=x)[0]) for n, x in networks]
        texts = [drawing.words(n, x) for n, x in networks]
        assert len(set(ids)) == len(set(texts)) == len(networks)


def test_words_by_hand() -> None:
    assert drawing.words(BasicBlock(8, 8), images(), direction="down") == (
        "From top to bottom. From x through conv 3×3 (8 → 8), batch norm, ReLU, conv 3×3 (8 → 8) "
        "and batch norm to plus; by a skip to plus. From plus through ReLU to output."
    )
    halves = drawing.words(gate, (features(), features()), shapes=True)
    assert halves == (
        "From left to right. From values to times, as 5. From logits through sigmoid to times, "
        "as 5. From times to output, as 5."
    )


def test_texts_of_boxes() -> None:
    conv = nn.Conv2d(8, 4, (3, 5), stride=2)
    layers = nn.Sequential(conv, nn.GroupNorm(2, 4), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4, 9))
    found = [box.text for box in drawing.trace(layers, images()).values()]
    assert found[1:-1] == [
        ("conv 3×5", "8 → 4, stride 2"), ("group norm",), ("max pool 2×2",), ("flatten",),
        ("linear", "4 → 9"),
    ]  # fmt: skip

    def arithmetic(x: Tensor) -> Tensor:
        y = 1 - nn.functional.max_pool2d(nn.functional.interpolate(x, scale_factor=2), 3)
        return (2 / y) ** 2 * 0.5

    texts = [box.text[0] for box in drawing.trace(arithmetic, images()).values()]
    assert texts[1:-1] == ["resize ×2", "max pool 3×3", "1 −", "2 ÷", "^ 2", "× 0.5"]
    shared = nn.Linear(5, 5)
    twice = drawing.trace(nn.Sequential(shared, nn.ReLU(), shared), features())
    assert [box.text[-1] for box in twice.values()].count("same weights") == 2
    block = drawing.trace(small_net(56), images(3, 32), depth=3, whole=[PadShortcut])
    assert block["stages.1.0"].text == ("BasicBlock", "16 → 32")


def test_repeats_are_folded_and_counted() -> None:
    drawing.draw(small_net(56), images(3, 32), depth=3)
    texts = [text.get_text() for text in plt.gcf().axes[0].texts]
    assert [text for text in texts if text.startswith("×")] == ["× 9", "× 8", "× 8"]


def test_names_replace_texts() -> None:
    drawing.draw(gate, (features(), features()), names={"sigmoid": "how far\nopen", "mul": "·"})
    assert {"how far", "open", "·"} <= {text.get_text() for text in plt.gcf().axes[0].texts}
    named = drawing.words(Highway(5), features(), names={"gate": "T", "transform": "H"})
    assert "H (5 → 5) and ReLU" in named
    assert "T (5 → 5)" in named
    with pytest.raises(
        ValueError, match=r"names must name boxes, got .'typo'.; there are values, logits"
    ):
        drawing.draw(gate, (features(), features()), names={"typo": "x"})


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"depth must be at least 1, got 0"):
        drawing.draw(Highway(5), features(), depth=0)
    with pytest.raises(
        ValueError, match=r"example must be what the network is called with, got None"
    ):
        drawing.words(Highway(5))
    with pytest.raises(ValueError, match=r"example must hold a tensor or more, got 5"):
        drawing.draw(Highway(5), 5)
    with pytest.raises(ValueError, match=r"example must lead to each output"):
        drawing.trace(lambda x: torch.ones(3), features())
    with pytest.raises(ValueError, match=r"direction 'U' needs one path"):
        drawing.draw(gate, (features(), features()), direction="U")
    with pytest.raises(ValueError, match=r"direction 'U' needs one path"):
        drawing.draw(InceptionNaive(8, ones=1, threes=1, fives=1), images(), direction="U")
    with pytest.raises(
        ValueError, match=r"reads must have an entry for each name that is read, got no .'y'."
    ):
        drawing.sketch({"x": ["y"]})
    with pytest.raises(
        ValueError, match=r"direction must be one of 'right', 'down', 'U', got 'left'"
    ):
        drawing.draw(Highway(5), features(), direction="left")  # pyright: ignore
    assert not plt.get_fignums()


def needed(cells: list[nbformat.NotebookNode], cell: nbformat.NotebookNode) -> ast.Module:
    """Return a cell with what it needs of the cells before: imports, definitions, values."""
    known: dict[str, ast.stmt] = {}
    for each in cells[: cells.index(cell)]:
        for node in ast.parse(each.source).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                for alias in node.names:
                    one = ast.Import([alias])
                    if isinstance(node, ast.ImportFrom):
                        one = ast.ImportFrom(node.module, [alias], 0)
                    known[alias.asname or alias.name.split(".")[0]] = one
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                known[node.name] = node
            elif isinstance(node, ast.Assign):
                names = {n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)}
                known |= dict.fromkeys(names, node)
    wanted: list[ast.stmt] = []

    def visit(node: ast.AST) -> None:
        for part in ast.walk(node):
            found = known.get(part.id) if isinstance(part, ast.Name) else None
            if found is not None and found not in wanted and found is not node:
                visit(found)
                wanted.append(found)

    tree = ast.parse(cell.source)
    visit(tree)
    return ast.fix_missing_locations(ast.Module([*wanted, *tree.body], []))


DRAWN = [
    (slug, number)
    for slug in pages.slugs()
    for number, cell in enumerate(notebook.code_cells(pages.read(slug)))
    if "drawing.draw(" in cell.source
]


@pytest.mark.parametrize(("slug", "number"), DRAWN)
def test_alt_texts_on_pages_are_the_words_of_their_drawings(
    slug: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = notebook.code_cells(pages.read(slug))
    told: list[str] = []

    def record(*given: Any, **known: Any) -> None:
        told.append(drawing.words(*given, **known))
        pictures.draw(*given, **known)

    monkeypatch.setattr(drawing, "draw", record)
    code = compile(needed(cells, cells[number]), f"{slug}, cell {number}", "exec")
    state = torch.get_rng_state()
    exec(code, {"__name__": "page"})
    assert torch.equal(torch.get_rng_state(), state), "a drawing's cell drew random numbers"
    assert len(told) == 1
    alt = cells[number].metadata["mystnb"]["image"]["alt"]
    assert " ".join(alt.split()) == told[0], f"the alt text must be:\n{told[0]}"
    assert plt.gcf().get_size_inches()[0] <= WIDTH + 0.35, "too wide for the text"


def test_pages_draw() -> None:
    assert len({slug for slug, _ in DRAWN}) >= 5
