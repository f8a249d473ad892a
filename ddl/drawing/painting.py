"""How a graph that is laid out is painted."""

from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from ddl.drawing.graph import Box, Network, arrows, skips
from ddl.drawing.layout import BEND, Layout, Point, Size, Way
from ddl.drawing.telling import written
from ddl.plotting import COLORS

Direction = Literal["right", "down", "U"]
POINTS, SMALL = 8.5, 7.0  # of the fonts
LINE = 0.142  # inches: height of a line
INK, PALE = "0.25", "0.45"  # of arrows and edges, as shares of white
LEARNS, ACTS = "#dcecf7", "#f1f1f1"  # grounds of boxes with parameters and without


def turned(point: Point, direction: Direction) -> Point:
    """Return (along, across) as (right, down), or the other way round."""
    along, across = point
    return (along, across) if direction == "right" else (across, along)


def extent(box: Box) -> Size:
    """Return width and height of a box, in inches."""
    if box.kind == "join":
        return (0.36, 0.36) if len(box.text[0]) > 1 else (0.26, 0.26)
    pad = 0.1 if box.kind in ("end", "source") else 0.18
    return max(width_of(line, POINTS) for line in box.text) + pad, LINE * len(box.text) + pad / 1.5


def width_of(text: str, points: float) -> float:
    """Return the width of a text, in inches."""
    return float(np.ptp(TextPath((0, 0), text, size=points).vertices[:, 0])) / 72


def shape_texts(graph: Network) -> dict[str, str]:
    """Return, for each box that returns another shape than it reads, that shape."""
    texts = {}
    for start, end in arrows(graph):
        shape = graph[end].reads[start]
        if shape and list(graph[start].reads.values())[:1] != [shape]:
            texts.setdefault(start, written(shape))
    return texts


def paint(
    axes: Axes,
    graph: Network,
    plan: Layout,
    corner: Point,
    direction: Direction,
    *,
    shapes: bool,
) -> None:
    """Paint a graph into axes that count inches from the top left, downwards.

    Args:
        axes: Where to. The artists' ``gid`` says which ``box NAME`` or ``arrow START > END`` they
            are.
        graph: What the boxes say.
        plan: Where they stand.
        corner: Where the top left corner of the plan goes.
        direction: Of the flow.
        shapes: Whether to write shapes at arrows.
    """

    def at(along: float, across: float) -> Point:
        right, down = turned((along, across), direction)
        return corner[0] + right, corner[1] + down

    ways = {a: [(*at(x, y), kind) for x, y, kind in way] for a, way in plan.ways.items()}
    beside = skips(graph)
    for (start, end), way in ways.items():
        arrow = FancyArrowPatch(path=_path(way, direction), arrowstyle="-|>", mutation_scale=8)
        arrow.set(color=COLORS[1] if (start, end) in beside else INK, linewidth=1.2)
        arrow.set(gid=f"arrow {start} > {end}", zorder=1, capstyle="butt")
        axes.add_patch(arrow)
    for name, box in graph.items():
        _paint_box(axes, name, box, at(*plan.places[name]), turned(plan.sizes[name], direction))
    for name, text in shape_texts(graph).items() if shapes else ():
        x, y, side = _note([w for (start, _), w in ways.items() if start == name], direction)
        axes.text(x, y, text, ha=side, va="center", size=SMALL, color=PALE, gid=f"shape {name}")


def _paint_box(axes: Axes, name: str, box: Box, center: Point, size: Size) -> None:
    (x, y), (wide, high) = center, size
    plain = box.kind in ("end", "source")
    bare = plain and size == extent(box)  # a text, unless it is drawn to scale
    if box.kind == "join":
        patch = Circle(center, wide / 2)
    else:
        style = "round,pad=0,rounding_size=0.05"
        patch = FancyBboxPatch((x - wide / 2, y - high / 2), wide, high, boxstyle=style)
    ground = LEARNS if box.learns else ACTS
    patch.set(facecolor="white" if plain or box.kind == "join" else ground)
    patch.set(edgecolor="none" if bare else COLORS[0] if box.learns else PALE)
    patch.set(gid=f"box {name}", zorder=2)
    axes.add_patch(patch)
    small = box.kind == "join" and len(box.text[0]) > 1
    for k, line in enumerate(box.text):
        height = y + (k - (len(box.text) - 1) / 2) * LINE
        text = axes.text(x, height, line, ha="center", va="center", zorder=3, color="black")
        text.set(fontsize=SMALL if small else POINTS, fontstyle="italic" if plain else "normal")


def _note(ways: list[Way], direction: Direction) -> tuple[float, float, str]:
    """Return where a shape is written, and which end of the text stands there.

    That is behind the box where one arrow leaves; of several, which part there, where one
    arrives. It stands beside the arrow, where that does not bend to.
    """
    if len(ways) == 1:
        way, away = ways[0], 0.06
    else:
        fronts = [way for way in ways if len(way) < 3 or way[-2][2] != "corner"]
        way, away = (fronts or ways)[0][::-1], 0.14
    (x, y, _), (a, b, _) = way[:2]
    right, down = np.sign(a - x), np.sign(b - y)
    if abs(a - x) > abs(b - y) if direction == "U" else direction == "right":
        rises = next((p[1] < y for p in way if abs(p[1] - y) > 0.03), False)
        below = rises and direction == "right"
        return x + away * right, y + (0.09 if below else -0.08), "left" if right > 0 else "right"
    bends = next((p[0] > x for p in way if abs(p[0] - x) > 0.03), False)
    left = bends and direction == "down"
    height = y + (away + 0.06) * down
    return (x - 0.05, height, "right") if left else (x + 0.05, height, "left")


def _path(points: Way, direction: Direction) -> Path:
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


def _towards(point: Point, other: Point) -> Point:
    """Return the point that lies a bend's radius nearer to another one."""
    gap = np.subtract(other, point)
    length = float(np.hypot(*gap))
    x, y = np.add(point, gap * min(BEND, length / 2) / max(length, 1e-9)).tolist()
    return x, y
