"""Drawings of networks, made from what they compute, and the words for who cannot see them.

`draw` runs a network on an example (`ddl.drawing.tracing`), lays its graph out (`ddl.drawing.layout`) and shows
it; `words` says the same in a sentence or two: the alt text of the figure.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from ddl.inputs import guard
from ddl.drawing.labels import ACTIVATIONS, MOVES
from ddl.drawing.folded import folded
from ddl.drawing.layers import layered
from ddl.drawing.layout import BEND, Layout, Way
from ddl.plotting import COLORS, WIDTH
from ddl.drawing.telling import skips, told, written
from ddl.drawing.tracing import Box, Network, Shape, Whole, readers, trace

Direction = Literal["right", "down", "U"]
Drawn = Callable[..., Any] | Network
POINTS = 8.5  # of the font; a line is LINE inches high
LINE = 0.142
WAYS = {
    "right": "From left to right",
    "down": "From top to bottom",
    "U": "In the shape of a U, down on the left and up on the right",
}


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
        network: A module, a method or function that runs some, or a `ddl.drawing.tracing.sketch`. Several
            by their titles stand in one figure.
        example: What it is called with: a tensor, or a tuple of arguments.
        depth: How deep modules are opened: at 1, those that the network calls are boxes. Without,
            the layers of `torch.nn` are boxes, and all others are opened.
        whole: Classes of modules, and functions, that are not opened.
        direction: ``"right"``, ``"down"``, or ``"U"`` for an encoder and a decoder side by side.
        compact: Whether an activation is written into the box that it follows, and what only
            moves numbers, as ``flatten`` does, is left out.
        shapes: Whether shapes are written where they change, without the batch.
        to_scale: Whether a box is as wide, across the flow, as what it returns is large.
        names: Other texts for boxes, by their names: paths of modules (``"branch.0"``),
            operations (``"relu_2"``, the second), inputs and outputs as the drawing has them.

    Raises:
        ValueError: If ``names`` names no box, the network has no U shape, or as `trace`.
    """
    panels = _panels(network, example, depth, whole, compact, names or {})
    plans = {title: _plan(each, direction, shapes, to_scale) for title, each in panels.items()}
    beside = direction != "right"
    margin, head = 0.15, 0.3 if any(panels) else 0.0
    wide = [_turned(plan.extent, direction)[0] + 2 * margin for plan in plans.values()]
    high = [_turned(plan.extent, direction)[1] + 2 * margin + head for plan in plans.values()]
    width = max(sum(wide) if beside else max(wide), WIDTH / 2)
    if len(plans) > 1 and beside:
        width = max(width, WIDTH)
    spare = (width - sum(wide)) / len(wide) if beside else 0
    height = max(high) if beside else sum(high)
    figure = plt.figure(figsize=(width, height), layout="none", facecolor="white")
    left, top = 0.0, height
    for (title, plan), w, h in zip(plans.items(), wide, high, strict=True):
        share = w + spare if beside else width
        place = (left / width, (top - h) / height, share / width, h / height)
        axes = figure.add_axes(place, xlim=(0, share), ylim=(h, 0))
        axes.axis("off")
        if title:
            axes.text(share / 2, margin + 0.05, title, ha="center", va="center", fontsize=10)
        extent = _turned(plan.extent, direction)[0]
        _paint(axes, panels[title], plan, direction, shapes, ((share - extent) / 2, margin + head))
        left, top = (left + share, top) if beside else (left, top - h)
    plt.show()


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
        network, example, depth, whole, direction, compact, shapes, to_scale, names: As for `draw`.

    Raises:
        ValueError: As `draw`.
    """
    panels = _panels(network, example, depth, whole, compact, names or {})
    texts = [f"{title}: {told(each, shapes)}".removeprefix(": ") for title, each in panels.items()]
    scale = ", each box as wide as what it returns is large" if to_scale else ""
    return f"{WAYS[direction]}{scale}. {' '.join(texts)}"


def _panels(
    network: Drawn | Mapping[str, Drawn],
    example: Any,
    depth: int | None,
    whole: Sequence[Whole],
    compact: bool,
    names: Mapping[str, str],
) -> dict[str, Network]:
    """Return what is drawn, by title: traced, with other names, compacted and folded."""
    several = isinstance(network, Mapping) and not any(isinstance(b, Box) for b in network.values())
    panels: dict[str, Network] = {}
    unused = set(names)
    for title, each in network.items() if several else [("", network)]:
        graph = dict(each) if isinstance(each, Mapping) else trace(
            each, example, depth=depth, whole=whole
        )  # fmt: skip
        unused -= set(graph)
        for name in set(names) & set(graph):
            graph[name] = replace(graph[name], text=tuple(names[name].split("\n")))
        panels[title] = _repeats_folded(_compacted(graph) if compact else graph)
    if unused:
        known = ", ".join(dict.fromkeys(name for graph in panels.values() for name in graph))
        raise ValueError(f"names must name boxes, got {sorted(unused)}; there are {known}")
    return panels


def _without(graph: Network, name: str, text: tuple[str, ...], shape: Shape | None) -> None:
    """Take a box that reads one other out of the graph, and give that one its text."""
    (read,) = graph.pop(name).reads
    graph[read] = replace(graph[read], text=text, shape=shape)
    for box in graph.values():
        box.reads = {read if n == name else n: s for n, s in box.reads.items()}


def _compacted(graph: Network) -> Network:
    graph = {name: replace(box) for name, box in graph.items()}
    for name in list(graph):
        box, after = graph[name], readers(graph)
        if box.kind != "layer" or len(box.reads) != 1:
            continue
        (read,) = box.reads
        before, operation = graph[read], name.rstrip("0123456789").rstrip("_")
        if operation in MOVES and box.text == (operation,):
            _without(graph, name, before.text, before.shape)
        elif box.text[0] in ACTIVATIONS and before.kind == "layer" and after[read] == [name]:
            _without(graph, name, (*before.text, *box.text), box.shape)
    return graph


def _repeats_folded(graph: Network) -> Network:
    """Return the graph with three or more equal boxes in a row as one."""
    graph = {name: replace(box) for name, box in graph.items()}
    after, run = readers(graph), []
    runs = [run]
    for name, box in graph.items():
        alike = run and box.reads == {run[-1]: box.shape} and after[run[-1]] == [name]
        if not alike or graph[run[-1]].text != box.text or box.kind != "layer":
            run = []
            runs.append(run)
        if run or list(box.reads.values()) == [box.shape]:
            run.append(name)
    for run in runs:
        first, *others = run or [""]
        for name in others[::-1] if len(others) >= 2 else ():
            text = (*graph[name].text[: len(graph[first].text)], f"× {len(run)}")
            (read,) = graph[name].reads
            _without(
                graph, name, text if name == others[0] else graph[read].text, graph[read].shape
            )
    return graph


def _arrows(graph: Network) -> list[tuple[str, str]]:
    return [(read, name) for name, box in graph.items() for read in box.reads]


def _plan(graph: Network, direction: Direction, shapes: bool, to_scale: bool) -> Layout:
    """Return where everything stands."""
    sizes = {}
    largest = max((np.prod(box.shape or (1,)) for box in graph.values()), default=1)
    for name, box in graph.items():
        wide, high = _extent(box)
        along, across = (wide, high) if direction == "right" else (high, wide)
        if to_scale and box.shape and (box.kind == "layer" or not box.reads):
            across = max(across, 2.2 * np.log2(np.prod(box.shape) + 1) / np.log2(largest + 1))
        sizes[name] = (along, across)
    gaps: dict[str, float] = {}
    for name, text in _shape_texts(graph).items() if shapes else ():
        gaps[name] = _width(text, 7) + 0.2 if direction == "right" else 0.28
    arrange = folded if direction == "U" else layered
    return arrange(sizes, _arrows(graph), gaps)


def _extent(box: Box) -> tuple[float, float]:
    """Return width and height of a box."""
    if box.kind == "join":
        return (0.36, 0.36) if len(box.text[0]) > 1 else (0.26, 0.26)
    pad = 0.1 if box.kind in ("end", "source") else 0.18
    return max(_width(line, POINTS) for line in box.text) + pad, LINE * len(box.text) + pad / 1.5


def _width(text: str, points: float) -> float:
    return TextPath((0, 0), text, size=points).get_extents().width / 72


def _shape_texts(graph: Network) -> dict[str, str]:
    """Return, for each box that returns another shape than it reads, that shape."""
    texts = {}
    for start, end in _arrows(graph):
        shape = graph[end].reads[start]
        if shape and list(graph[start].reads.values())[:1] != [shape]:
            texts.setdefault(start, written(shape))
    return texts


def _turned(point: tuple[float, float], direction: Direction) -> tuple[float, float]:
    return point if direction == "right" else point[::-1]


def _paint(
    axes: Axes,
    graph: Network,
    plan: Layout,
    direction: Direction,
    shapes: bool,
    corner: tuple[float, float],
) -> None:
    """Put the boxes and arrows into axes that count inches from the top left."""

    def at(along: float, across: float) -> tuple[float, float]:
        x, y = _turned((along, across), direction)
        return x + corner[0], y + corner[1]

    skipping = skips(graph)
    ways = {
        arrow: [(*at(along, across), kind) for along, across, kind in way]
        for arrow, way in plan.ways.items()
    }
    for (start, end), way in ways.items():
        color = COLORS[1] if (start, end) in skipping else "0.25"
        path = _path(way, direction)
        arrow = FancyArrowPatch(
            path=path, arrowstyle="-|>", mutation_scale=8, color=color, linewidth=1.2
        )
        arrow.set(gid=f"arrow {start} > {end}", zorder=1, capstyle="butt")
        axes.add_patch(arrow)
    for name, box in graph.items():
        x, y = at(*plan.places[name])
        wide, high = _turned(plan.sizes[name], direction)
        if box.kind == "join":
            patch = Circle((x, y), wide / 2)
        else:
            patch = FancyBboxPatch(
                (x - wide / 2, y - high / 2), wide, high, boxstyle="round,pad=0,rounding_size=0.05"
            )
        ground = "#dcecf7" if box.learns else "white" if box.kind == "join" else "#f1f1f1"
        edge = COLORS[0] if box.learns else "0.45"
        plain = box.kind in ("end", "source")
        bare = (wide, high) == _extent(box)  # a text, unless it is drawn to scale
        patch.set(
            facecolor="white" if plain else ground, edgecolor="none" if plain and bare else edge
        )
        patch.set(gid=f"box {name}", zorder=2)
        axes.add_patch(patch)
        size = 7 if box.kind == "join" and len(box.text[0]) > 1 else POINTS
        style = "italic" if plain else "normal"
        for k, line in enumerate(box.text):
            height = y + (k - (len(box.text) - 1) / 2) * LINE
            axes.text(x, height, line, ha="center", va="center_baseline" if 0 else "center",
                      fontsize=size, fontstyle=style, color="black", zorder=3)  # fmt: skip
    for name, text in _shape_texts(graph).items() if shapes else ():
        found = [way for (start, _), way in ways.items() if start == name]
        x, y, align = _note(found, direction)
        axes.text(
            *(x, y, text), ha=align, va="center", fontsize=7, color="0.35", gid=f"shape {name}"
        )


def _note(ways: list[Way], direction: Direction) -> tuple[float, float, str]:
    """Return where a shape is written, and on which side of that it begins.

    That is behind the box where one arrow leaves; of several, which part there, where one
    arrives. It stands beside the arrow, where that does not bend to.
    """
    if len(ways) == 1:
        way, away = ways[0], 0.06
    else:
        straight = [way for way in ways if len(way) < 3 or way[-2][2] != "corner"]
        way, away = (straight or ways)[0][::-1], 0.14
    (x, y, _), (a, b, _) = way[:2]
    bend = next((p[0] - x for p in way if abs(p[0] - x) > 1e-3), 0.0)
    sink = next((p[1] - y for p in way if abs(p[1] - y) > 1e-3), 0.0)
    if abs(a - x) > abs(b - y) if direction == "U" else direction == "right":
        below = sink < -1e-3 and direction == "right"
        return (
            x + away * np.sign(a - x),
            y + (0.09 if below else -0.08),
            "left" if a > x else "right",
        )
    left = bend > 1e-3 and direction == "down"
    return (
        x - 0.05 if left else x + 0.05,
        y + (away + 0.06) * np.sign(b - y),
        "right" if left else "left",
    )


def _path(points: list[tuple[float, float, str]], direction: Direction) -> Path:
    """Return the line through points: straight, on an S along the flow, or round a corner."""
    vertices, codes = [points[0][:2]], [Path.MOVETO]
    for k, (x, y, kind) in enumerate(points[1:], start=1):
        a, b = vertices[-1]
        if kind == "curve" and min(abs(x - a), abs(y - b)) > 1e-6:
            middle = ((x + a) / 2, (y + b) / 2)
            bends = [(middle[0], b), (middle[0], y)]
            if direction != "right":
                bends = [(a, middle[1]), (x, middle[1])]
            vertices += [*bends, (x, y)]
            codes += [Path.CURVE4] * 3
        elif kind == "corner":
            before = _towards((x, y), (a, b))
            after = _towards((x, y), points[k + 1][:2])
            vertices += [before, (x, y), after]
            codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
        else:
            vertices.append((x, y))
            codes.append(Path.LINETO)
    return Path(vertices, codes)


def _towards(point: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """Return the point that lies a bend's radius nearer to another one."""
    gap = np.subtract(other, point)
    length = float(np.hypot(*gap))
    x, y = np.add(point, gap * min(BEND, length / 2) / max(length, 1e-9)).tolist()
    return x, y


guard(globals(), acts=True)
