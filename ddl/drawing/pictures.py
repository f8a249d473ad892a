"""What a page calls: a figure of a network, and the words that say the same."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from ddl.drawing.folded import folded
from ddl.drawing.graph import Box, Network, arrows, compacted, repeats_folded
from ddl.drawing.layers import layered
from ddl.drawing.layout import Layout
from ddl.drawing.painting import Direction, extent, paint, shape_texts, turned, width_of
from ddl.drawing.telling import told
from ddl.drawing.tracing import Whole, trace
from ddl.plotting import WIDTH
from ddl.support.inputs import checked

Drawn = Callable[..., Any] | Network
MARGIN = 0.15  # inches around a drawing
TIGHT = 0.15  # inches between layers, where the text's width would not do
TITLE = 0.3  # inches above it, for its title
WAYS = {
    "right": "From left to right",
    "down": "From top to bottom",
    "U": "In the shape of a U, down on the left and up on the right",
}


@checked
def draw(
    network: Drawn | Mapping[str, Drawn],
    example: Any = None,
    *,
    depth: int | None = None,
    whole: Sequence[Whole] = (),
    direction: Direction = "right",
    compact: bool = False,
    shapes: bool = False,
    to_scale: bool = False,
    names: Mapping[str, str] | None = None,
) -> None:
    """Draw what a network computes: boxes, and arrows from what is read to who reads it.

    Args:
        network: A module, a method or function that runs some, or a `sketch`. Several stand in
            one figure, each under its title.
        example: What it is called with: a tensor, or a tuple of arguments.
        depth: How deep modules are opened: at 1, those that the network calls are boxes. Without,
            the layers of `torch.nn` are boxes, and all others are opened.
        whole: Classes of modules, and functions, that are not opened.
        direction: ``"right"``, ``"down"``, or ``"U"`` for an encoder and a decoder side by side.
        compact: Whether an activation is written into the box that it follows, and what only
            moves numbers, as ``flatten`` does, is left out.
        shapes: Whether shapes are written where they change, without the batch.
        to_scale: Whether a box is as wide, across the flow, as what it returns is large.
        names: What boxes are called, in place of their first lines. A box's name is the path of
            its module (``"branch.0"``), its operation (``"relu_2"``, the second), or that of an
            input or output in the drawing.

    Raises:
        ValueError: If ``names`` names no box, the network has no U shape, or as `trace`.
    """
    panels = _panels(network, example, depth, whole, compact, names or {})
    plans = {title: _plan(each, direction, shapes, to_scale) for title, each in panels.items()}
    beside = direction != "right"
    head = MARGIN + (TITLE if any(panels) else 0)
    sizes = [turned(plan.extent, direction) for plan in plans.values()]
    wide = [width + 2 * MARGIN for width, _ in sizes]
    high = [height + head + MARGIN for _, height in sizes]
    width, height = _up(max(sum(wide) if beside else max(wide), WIDTH / 2)), _up(max(high))
    if beside:  # what is to spare is shared
        wide = [w + (width - sum(wide)) / len(wide) for w in wide]
    else:
        wide, height = [width] * len(wide), _up(sum(high))
    figure = plt.figure(figsize=(width, height), layout="none", facecolor="white")
    left, top = 0.0, height
    for (title, plan), (inner, _), w, h in zip(plans.items(), sizes, wide, high, strict=True):
        place = (left / width, (top - h) / height, w / width, h / height)
        axes = figure.add_axes(place, xlim=(0, w), ylim=(h, 0))
        axes.axis("off")
        axes.add_patch(Rectangle((0, 0), w, h, fill=False, linewidth=0))  # none cuts the margin
        axes.text(w / 2, MARGIN + 0.05, title, ha="center", va="center", fontsize=10)
        paint(axes, panels[title], plan, ((w - inner) / 2, head), direction, shapes=shapes)
        left, top = (left + w, top) if beside else (left, top - h)
    plt.show()


@checked
def words(
    network: Drawn | Mapping[str, Drawn],
    example: Any = None,
    *,
    depth: int | None = None,
    whole: Sequence[Whole] = (),
    direction: Direction = "right",
    compact: bool = False,
    shapes: bool = False,
    to_scale: bool = False,
    names: Mapping[str, str] | None = None,
) -> str:
    """Return the alt text of the figure that `draw` shows when it is given the same.

    Args:
        network: As for `draw`, and so are all others.
        example: What it is called with.
        depth: How deep modules are opened.
        whole: What is not opened.
        direction: Of the flow.
        compact: Whether activations are told with the layer that they follow.
        shapes: Whether shapes are told.
        to_scale: Whether boxes are drawn to scale.
        names: What boxes are called.

    Raises:
        ValueError: As `draw`, but for the U shape.
    """
    panels = _panels(network, example, depth, whole, compact, names or {})
    texts = [f"{title}: {told(each, shapes)}".removeprefix(": ") for title, each in panels.items()]
    scale = ", each box as wide as what it returns is large" if to_scale else ""
    return f"{WAYS[direction]}{scale}. {' '.join(texts)}"


@checked
def sketch(reads: Mapping[str, Sequence[str]]) -> Network:
    """Return a drawing of what has no code that could be run.

    Args:
        reads: For each box the names of those that it reads. One that reads nothing is an
            input, one that nobody reads an output.

    Raises:
        ValueError: If a box reads what is no box.
    """
    read = {name for names in reads.values() for name in names}
    if missing := sorted(read - set(reads)):
        raise ValueError(f"reads must have an entry for each name that is read, got no {missing}")
    return {
        name: Box(
            tuple(name.split("\n")),
            "layer" if names and name in read else "end",
            dict.fromkeys(names),
        )
        for name, names in reads.items()
    }


def _panels(
    network: Drawn | Mapping[str, Drawn],
    example: Any,
    depth: int | None,
    whole: Sequence[Whole],
    compact: bool,
    names: Mapping[str, str],
) -> dict[str, Network]:
    """Return what is drawn, by title: traced, with other names, compacted and folded."""
    networks = {"": cast(Drawn, network)}
    if isinstance(network, Mapping) and not any(isinstance(v, Box) for v in network.values()):
        networks = cast(Mapping[str, Drawn], network)
    panels: dict[str, Network] = {}
    unused = set(names)
    for title, each in networks.items():
        if isinstance(each, Mapping):
            graph = dict(each)
        elif example is None:
            raise ValueError("example must be what the network is called with, got None")
        else:
            graph = trace(each, example, depth=depth, whole=whole)
        unused -= set(graph)
        for name in set(names) & set(graph):
            text = (*names[name].split("\n"), *graph[name].text[1:])
            graph[name] = replace(graph[name], text=text)
        panels[title] = repeats_folded(compacted(graph) if compact else graph)
    if unused:
        known = ", ".join(dict.fromkeys(name for graph in panels.values() for name in graph))
        raise ValueError(f"names must name boxes, got {sorted(unused)}; there are {known}")
    return panels


def _up(inches: float) -> float:
    """Return the next tenth: fonts of other machines may be a hair wider."""
    return math.ceil(10 * inches) / 10


def _plan(graph: Network, direction: Direction, shapes: bool, to_scale: bool) -> Layout:
    """Return where everything stands."""
    sizes = {}
    largest = max((np.prod(box.shape or (1,)) for box in graph.values()), default=1)
    for name, box in graph.items():
        wide, high = extent(box)
        along, across = (wide, high) if direction == "right" else (high, wide)
        if to_scale and box.shape and (box.kind == "layer" or not box.reads):
            across = max(across, 2.2 * np.log2(np.prod(box.shape) + 1) / np.log2(largest + 1))
        sizes[name] = (along, across)
    gaps: dict[str, float] = {}
    for name, text in shape_texts(graph).items() if shapes else ():
        gaps[name] = width_of(text, 7) + 0.2 if direction == "right" else 0.28
    if direction == "U":
        return folded(sizes, arrows(graph), gaps)
    plan = layered(sizes, arrows(graph), gaps)
    if direction == "right" and plan.extent[0] > WIDTH - 2 * MARGIN:
        plan = layered(sizes, arrows(graph), gaps, least=TIGHT)
    return plan
