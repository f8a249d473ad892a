"""Where the boxes of a drawing stand, and which way its arrows take.

Boxes stand in layers, each after all that it reads (Sugiyama, Tagawa and Toda, Methods for
Visual Understanding of Hierarchical System Structures, 1981). A long arrow has a lane in each
layer that it passes, and a lane takes room as a box does: so no arrow crosses a box.
"""

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np

from ddl.drawing.layout import BEND, Arrow, Layout, Point, Size

LANE = 0.16  # inches: room across for an arrow that passes
BETWEEN = 0.2  # inches between neighbours of a layer


def layered(
    sizes: Mapping[str, Size],
    arrows: list[Arrow],
    gaps: Mapping[str, float],
    *,
    least: float = 0.24,
) -> Layout:
    """Lay boxes out in layers.

    Args:
        sizes: Extents of the boxes, along and across.
        arrows: Pairs of names, start and end. Those that lead back stay as they are.
        gaps: Least room behind a box, for what is written there.
        least: Least room between layers, in inches.
    """
    round_ = {name for name, (along, wide) in sizes.items() if along == wide}
    turned = _backward(sizes, arrows)
    forward = list(dict.fromkeys((b, a) if (a, b) in turned else (a, b) for a, b in arrows))
    layer = _layers(sizes, forward)
    lanes = {
        (a, b): [a, *(f"{a} > {b} @ {k}" for k in range(layer[a] + 1, layer[b])), b]
        for a, b in forward
    }
    room = {name: size[1] for name, size in sizes.items()}
    rows: list[list[str]] = [[] for _ in range(max(layer.values()) + 1)]
    for (a, _), chain in lanes.items():  # lanes first: skips run above
        for k, lane in enumerate(chain[1:-1], start=layer[a] + 1):
            rows[k].append(lane)
            room[lane] = LANE
    for name in sizes:
        rows[layer[name]].append(name)
    links = [pair for chain in lanes.values() for pair in pairwise(chain)]
    rows = _ordered(rows, links)
    across = _across(rows, links, room, set(sizes))
    _straighten([chain[1:-1] for chain in lanes.values() if len(chain) > 3], rows, across, room)
    starts, ends, at = [], [], 0.0
    for row in rows:
        boxes = [name for name in row if name in sizes]
        starts.append(at)
        ends.append(at + max(sizes[name][0] for name in boxes))
        crossing = max((abs(across[a] - across[b]) for a, b in links if a in row), default=0)
        loops = any(b in row for _, b in turned)
        wanted = max(gaps.get(name, 0) for name in boxes)
        at = ends[-1] + max(wanted, least + 0.1 * min(crossing, 2) + 0.2 * loops)
    places = {name: ((starts[layer[name]] + ends[layer[name]]) / 2, across[name]) for name in sizes}
    spans = [(starts[k], ends[k], row) for k, row in enumerate(rows)]
    ways = {}
    for a, b in arrows:
        back = (a, b) in turned
        first, last = (b, a) if back else (a, b)
        shift = 0.13 if back and (first, last) in arrows else -0.13 if (b, a) in turned else 0.0
        way = _way(lanes[first, last], spans[layer[first] : layer[last] + 1], places, across,
                   sizes, room, shift, round_)  # fmt: skip
        ways[a, b] = _reversed(way) if back else way
    edges = [across[name] + side * room[name] / 2 for name in across for side in (-1, 1)]
    extent = (ends[-1], max(edges) - min(edges))
    return Layout(dict(sizes), places, ways, extent).moved(0, -min(edges))


def _backward(sizes: Mapping[str, Size], arrows: list[Arrow]) -> set[Arrow]:
    """Return the arrows that close a loop."""
    found, path, done = set(), [], set()

    def visit(name: str) -> None:
        path.append(name)
        for a, b in arrows:
            if a == name and b in path:
                found.add((a, b))
            elif a == name and b not in done:
                visit(b)
        done.add(path.pop())

    for name in sizes:
        if name not in done:
            visit(name)
    return found


def _layers(sizes: Mapping[str, Size], arrows: list[Arrow]) -> dict[str, int]:
    """Return the number of each box's layer: its longest way from an input, or just before use."""
    layer = dict.fromkeys(sizes, 0)
    for _ in sizes:
        for a, b in arrows:
            layer[b] = max(layer[b], layer[a] + 1)
    for name in sizes:
        after = [layer[b] for a, b in arrows if a == name]
        if after and name not in {b for _, b in arrows}:
            layer[name] = min(after) - 1
    return layer


def _ordered(rows: list[list[str]], links: list[Arrow]) -> list[list[str]]:
    """Return the rows in an order with few crossings: each stands at its neighbours' mean."""
    best, least = rows, _crossings(rows, links)
    for sweep in range(12):
        rows = [list(row) for row in rows]
        down = sweep % 2 == 0
        for k in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            place = {name: i for i, name in enumerate(rows[k - 1 if down else k + 1])}
            near: dict[str, list[int]] = {name: [] for name in rows[k]}
            for a, b in links:
                start, end = (a, b) if down else (b, a)
                if end in near and start in place:
                    near[end].append(place[start])
            own = {name: i for i, name in enumerate(rows[k])}
            rows[k].sort(key=lambda n: float(np.mean(near[n])) if near[n] else own[n])
        if (found := _crossings(rows, links)) < least:
            best, least = rows, found
    return best


def _crossings(rows: list[list[str]], links: list[Arrow]) -> int:
    place = {name: i for row in rows for i, name in enumerate(row)}
    level = {name: k for k, row in enumerate(rows) for name in row}
    count = 0
    for k in range(len(rows)):
        pairs = [(place[a], place[b]) for a, b in links if level[a] == k]
        count += sum((a - c) * (b - d) < 0 for a, b in pairs for c, d in pairs) // 2
    return count


def _across(
    rows: list[list[str]], links: list[Arrow], room: Mapping[str, float], boxes: set[str]
) -> dict[str, float]:
    """Return positions across the flow: near the neighbours', with room for each.

    What leads from box to box shall be straight, and lanes give way to that.
    """
    across = {}
    for row in rows:
        steps = np.cumsum([room[name] + BETWEEN for name in row])
        across |= {n: s - room[n] / 2 - steps[-1] / 2 for n, s in zip(row, steps, strict=True)}
    near: dict[str, list[tuple[str, float]]] = {name: [] for name in across}
    for a, b in links:
        weight = 1.0 if {a, b} <= boxes else 1e-3 if a in boxes or b in boxes else 1e-2
        near[a].append((b, weight))
        near[b].append((a, weight))
    for sweep in range(60):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            wished = [
                sum(across[n] * w for n, w in near[name]) / sum(w for _, w in near[name])
                if near[name]
                else across[name]
                for name in row
            ]
            weights = [sum(w for _, w in near[name]) or 1.0 for name in row]
            offsets = np.cumsum([0] + [
                (room[a] + room[b]) / 2 + BETWEEN for a, b in pairwise(row)
            ])  # fmt: skip
            found = _rising(np.array(wished) - offsets, weights) + offsets
            across |= dict(zip(row, found.tolist(), strict=True))
    return across


def _straighten(
    lanes: list[list[str]], rows: list[list[str]], across: dict[str, float], room: dict[str, float]
) -> None:
    """Move each lane onto one line where there is room for it, the outermost first."""
    row_of = {name: row for row in rows for name in row}
    middle = float(np.mean(list(across.values())))
    places = {lane[0]: [across[name] for name in lane] for lane in lanes}
    for lane in sorted(lanes, key=lambda lane: -max(abs(p - middle) for p in places[lane[0]])):
        for place in sorted(places[lane[0]], key=lambda p: -abs(p - middle)):
            if all(
                abs(across[other] - place) >= (room[name] + room[other]) / 2 + BETWEEN / 4
                and (across[other] - place) * (across[other] - across[name]) > 0
                for name in lane
                for other in row_of[name]
                if other != name
            ):
                across |= dict.fromkeys(lane, place)
                break


def _rising(values: np.ndarray, weights: list[float]) -> np.ndarray:
    """Return the nearest numbers that do not fall: neighbours that do are pooled."""
    pools: list[tuple[float, float, int]] = []  # mean, weight, length
    for value, weight in zip(values.tolist(), weights, strict=True):
        pools.append((value, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (m, v, i), (n, w, j) = pools[-2:]
            pools[-2:] = [((m * v + n * w) / (v + w), v + w, i + j)]
    return np.concatenate([np.full(length, mean) for mean, _, length in pools])


def _way(
    chain: list[str],
    spans: list[tuple[float, float, list[str]]],
    places: Mapping[str, Point],
    across: Mapping[str, float],
    sizes: Mapping[str, Size],
    room: Mapping[str, float],
    shift: float,
    round_: set[str],
) -> list[tuple[float, float, str]]:
    """Return the way of an arrow: out at a side where the lane is free to reach, else in front."""
    first, last = chain[0], chain[-1]
    (a, y), (b, z) = places[first], places[last]

    def beside(name: str, lane: str, row: list[str]) -> float:
        """Return which side of a box its lane can be reached from: 1, -1, or 0 for neither."""
        low, high = sorted((across[name], across[lane]))
        free = all(
            across[n] + room[n] / 2 < low or across[n] - room[n] / 2 > high - 1e-6
            for n in row
            if n != name
        )
        far = abs(across[lane] - across[name]) > sizes[name][1] / 2 + BEND / 2
        return np.sign(across[lane] - across[name]) if free and far else 0

    def out(name: str, lane: str, span: tuple[float, float, list[str]]) -> Iterator[tuple]:
        """Yield the points from a box to where its lane leaves the layer."""
        (at, middle), (long, wide) = places[name], sizes[name]
        forward = 1 if name == first else -1
        if side := beside(name, lane, span[2]):
            step = min(0.09, long / 3)  # what comes and what goes at one side stay apart
            edge = math.sqrt(wide**2 / 4 - step**2) if name in round_ else wide / 2
            yield at + forward * step, middle + side * edge, "line"
            yield at + forward * step, across[lane], "corner"
        else:
            yield at + forward * long / 2, middle + shift, "line"

    if len(chain) == 2:
        start = (a + sizes[first][0] / 2, y + shift, "line")
        turns = [(spans[0][1], y + shift, "line"), (spans[1][0], z + shift, "curve")]
        return [start, *turns, (b - sizes[last][0] / 2, z + shift, "line")]
    way = list(out(first, chain[1], spans[0]))
    way.append((spans[0][1], way[-1][1], "line"))
    for lane, (begin, end, _) in zip(chain[1:-1], spans[1:-1], strict=True):
        way += [(begin, across[lane], "curve"), (end, across[lane], "line")]
    home = list(out(last, chain[-2], spans[-1]))[::-1]
    way.append((spans[-1][0], home[0][1], "curve"))
    return [*way, *home]


def _reversed(way: list[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    kinds = ["line", *(kind for _, _, kind in way[:0:-1])]
    corner = [kind == "corner" for _, _, kind in way[::-1]]
    return [
        (x, y, "corner" if turns else "line" if kind == "corner" else kind)
        for (x, y, _), kind, turns in zip(way[::-1], kinds, corner, strict=True)
    ]
