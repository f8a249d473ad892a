"""A strip: where runs lie against the range that a claim accepts, as a small drawing."""

import math
from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT, EDGE = 140, 18, 6


def svg(
    values: Sequence[float],
    lower: float | None,
    upper: float | None,
    *,
    now: float | None = None,
    log: bool = False,
    words: str,
) -> str:
    """Return the drawing: a band for what is accepted, a dot a run, a ring for this build.

    Args:
        values: What the runs measured.
        lower: The least accepted value; None is no bound.
        upper: The largest accepted value.
        now: What this build measured.
        log: Whether the axis is logarithmic; it is linear where a number is not positive.
        words: What is seen, for who does not see it.
    """
    bounds = [bound for bound in (lower, upper) if bound is not None]
    shown = [*values, *bounds, *([] if now is None else [now])]
    scale = math.log if log and min(shown) > 0 else float
    first, last = min(map(scale, shown)), max(map(scale, shown))
    length = (last - first) or 1.0

    def x(value: float) -> float:
        inner = WIDTH - 2 * EDGE
        return round(EDGE + inner * (scale(value) - first) / length, 1)

    left = 0 if lower is None else x(lower)
    right = WIDTH if upper is None else x(upper)
    middle = HEIGHT / 2
    dots = "".join(f'<circle cx="{x(v)}" cy="{middle:g}" r="2.5"/>' for v in values)
    ring = "" if now is None else f'<circle class="now" cx="{x(now)}" cy="{middle:g}" r="4.5"/>'
    edges = "".join(f'<path d="M{x(bound)} 2V{HEIGHT - 2}"/>' for bound in bounds)
    return (
        f'<svg class="ddl-strip" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" role="img" aria-label="{escape(words)}">'
        f'<rect x="{left}" y="4" width="{max(right - left, 1):g}" height="{HEIGHT - 8}"/>'
        f"{edges}{dots}{ring}</svg>"
    )
