"""An encoder and a decoder side by side, as a U: down on the left, up on the right.

The longest path is folded, so that both ends of each skip stand at the same height.
"""

from collections.abc import Mapping
from itertools import pairwise

from ddl.drawing.layout import Arrow, Layout, Point, Size, Way

GAP = 0.2  # inches between boxes, where nothing is written
APART = 0.5  # inches between the two sides and the middle


def folded(sizes: Mapping[str, Size], arrows: list[Arrow], gaps: Mapping[str, float]) -> Layout:
    """Lay a path out as a U; the flow is along, downwards.

    Args:
        sizes: Extents of the boxes, along and across.
        arrows: Pairs of names, start and end, in which no way leads back.
        gaps: Least room behind a box, for what is written there.

    Raises:
        ValueError: If a box stands neither on the longest path nor alone on a skip, or skips
            do not lie within each other.
    """
    path = _longest(sizes, arrows)
    number = {name: k for k, name in enumerate(path)}
    skips = [_skip(a, b, number, arrows) for a, b in arrows if a in number and
             number.get(b, -1) != number[a] + 1]  # fmt: skip
    skips.sort(key=lambda skip: number[skip[0]])
    ends = [(number[skip[0]], number[skip[-1]]) for skip in skips]
    nested = all(a < c and d < b for (a, b), (c, d) in pairwise(ends))
    passed = {name for skip in skips for name in skip}
    if not nested or not set(sizes) <= passed | set(path):
        raise ValueError("direction 'U' needs one path and skips within each other, got others")
    turn = sum(ends[-1]) // 2 if ends else len(path) // 2

    left, right = path[:turn], path[:turn:-1]  # from the top
    along = _heights(left, right, path[turn], skips, sizes, gaps)
    wide = [max(sizes[n][1] for n in side) for side in (left, right)]
    inner = [sum(sizes[n][1] + APART for n in skip[1:-1]) - APART for skip in skips]
    wide.insert(1, max(sizes[path[turn]][1], *inner, 0.4))
    columns = [wide[0] / 2, wide[0] + APART + wide[1] / 2, sum(wide) + 2 * APART - wide[2] / 2]
    places = {n: (along[n], columns[0]) for n in left} | {n: (along[n], columns[2]) for n in right}
    places[path[turn]] = (along[path[turn]], columns[1])
    ways: dict[Arrow, Way] = {}
    for skip in skips:
        height, (start, end) = along[skip[0]], (columns[0], columns[2])
        for k, name in enumerate(skip[1:-1], start=1):
            places[name] = (height, start + (end - start) * k / (len(skip) - 1))
        for a, b in pairwise(skip):
            out, into = places[a][1] + sizes[a][1] / 2, places[b][1] - sizes[b][1] / 2
            ways[a, b] = [(height, out, "line"), (height, into, "line")]
    for k, (a, b) in enumerate(pairwise(path)):
        ways[a, b] = _step(a, b, k - turn, places, sizes)
    tops = [along[name] - sizes[name][0] / 2 for name in path]
    bottom = along[path[turn]] + sizes[path[turn]][0] / 2
    written = 0.7 if any(gaps.values()) else 0.0  # beside the right side's arrows
    extent = (bottom - min(tops), max(sum(wide) + 2 * APART, columns[2] + written))
    return Layout(dict(sizes), places, ways, extent).moved(-min(tops), 0)


def _longest(sizes: Mapping[str, Size], arrows: list[Arrow]) -> list[str]:
    """Return the longest path."""
    paths = {name: [name] for name in sizes}
    for name in sizes:  # each comes after what it reads
        for a, b in arrows:
            if b == name and len(paths[a]) >= len(paths[b]):
                paths[b] = [*paths[a], b]
    return max(paths.values(), key=len)


def _skip(start: str, box: str, number: Mapping[str, int], arrows: list[Arrow]) -> list[str]:
    """Return the boxes of a skip, from where it leaves the path to where it is back."""
    skip = [start, box]
    while skip[-1] not in number:
        after = [b for a, b in arrows if a == skip[-1]]
        if len(after) != 1:
            raise ValueError("direction 'U' needs one path and skips within each other, got others")
        skip += after
    return skip


def _heights(
    left: list[str],
    right: list[str],
    turn: str,
    skips: list[list[str]],
    sizes: Mapping[str, Size],
    gaps: Mapping[str, float],
) -> dict[str, float]:
    """Return where boxes stand along the flow: both ends of a skip at the same height."""
    along: dict[str, float] = {}
    sides = ([*left, turn], [*right, turn])
    levels = [(skip[0], skip[-1]) for skip in skips] + [(turn, turn)]
    height = 0.0
    for level, ends in enumerate(levels):
        between, needed = [], []
        for side, end in zip(sides, ends, strict=True):
            begin = side.index(levels[level - 1][sides.index(side)]) if level else 0
            run = side[begin : side.index(end) + 1]
            writers = run[:-1] if side is sides[0] else run[1:]
            steps = [
                (sizes[a][0] + sizes[b][0]) / 2 + max(GAP, gaps.get(writer, 0))
                for a, b, writer in zip(run, run[1:], writers, strict=False)
            ]
            between.append((run, steps))
            needed.append(sum(steps))
        for (run, steps), need in zip(between, needed, strict=True):
            spare = (max(needed) - need) / max(len(steps), 1) if level else 0
            at = height if level else -need
            for k, name in enumerate(run):
                along[name] = at
                at += steps[k] + spare if k < len(steps) else 0
        height += max(needed) if level else 0
    return along


def _step(
    a: str, b: str, after: int, places: Mapping[str, Point], sizes: Mapping[str, Size]
) -> Way:
    """Return the way from a box of the path to the next: down, round the bottom, or up."""
    (y, x), (z, w) = places[a], places[b]
    half, other = sizes[a], sizes[b]
    if after == -1:
        return [(y + half[0] / 2, x, "line"), (z, x, "corner"), (z, w - other[1] / 2, "line")]
    if after == 0:
        return [(y, x + half[1] / 2, "line"), (y, w, "corner"), (z + other[0] / 2, w, "line")]
    down = 1 if after < 0 else -1
    return [(y + down * half[0] / 2, x, "line"), (z - down * other[0] / 2, w, "line")]
