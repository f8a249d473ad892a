"""How a claim looks: its card, and a bar that shows where the measured value lies.

A card names the statement, what was measured and what is accepted. Its bar shows the accepted
band, a dot for what this run measured, faint dots for other runs and a cross for the control.
`ddl.claims.claim` shows a card in the notebook; the site draws it again with the other runs.
"""

import html
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ddl.support.inputs import checked

if TYPE_CHECKING:
    from ddl.claims import Claim

WIDTH, HEIGHT, EDGE = 160, 18, 16  # of the bar, in pixels
LIST = "display:flex;flex-wrap:wrap;align-items:center;gap:0 1.4em;margin:.2em 0 0;font-size:.9em"
HIDDEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)"
NAME = "display:inline;font-style:italic;font-weight:normal;margin:0"


@checked
def card(claim: "Claim", runs: Sequence[float] = ()) -> str:
    """Return the card of a claim as HTML.

    Args:
        claim: The claim of this run.
        runs: What other runs measured.
    """
    facts = [(claim.measure or "measured", claim.measured), ("accepted", claim.accepted)]
    if claim.control is not None:
        facts.append((f"control, {claim.control_name}", claim.shown_control))
    if claim.source:
        facts.append(("source", claim.source))
    if claim.verdict != "holds":
        facts.append(("verdict", claim.verdict))
    rows = "".join(
        f'<div><dt style="{NAME}">{html.escape(name)}</dt> '
        f'<dd style="display:inline;margin:0">{html.escape(value)}</dd></div>'
        for name, value in facts
    )
    asked = ""
    if claim.ask:
        about = dict(zip(("question", "least", "most"), claim.ask, strict=True))
        about |= {"log": claim.log, "value": claim.value}
        asked = f' data-ask="{html.escape(json.dumps(about))}"'
    return (
        f'<div class="ddl-claim ddl-{claim.state}" id="{claim.anchor}"{asked} '
        'style="border:1px solid;border-left-width:5px;border-radius:4px;'
        'padding:.5em .8em;margin:.5em 0">'
        f'<div class="ddl-statement"><b>{html.escape(claim.statement)}</b></div>'
        f'<dl style="{LIST}">{_bar(claim, runs)}{rows}</dl></div>'
    )


def _bar(claim: "Claim", runs: Sequence[float]) -> str:
    """Return the bar of a claim about a number that has a range, else nothing."""
    value = claim.value
    if value is None or isinstance(value, bool) or claim.lower == claim.upper:
        return ""
    words = f"measured {claim.measured}, accepted {claim.accepted}"
    if runs:
        words += f", {len(runs)} other runs between {min(runs):.3g} and {max(runs):.3g}"
    if claim.control is not None:
        words += f", control {claim.shown_control}"
    drawing = bar(
        runs,
        claim.lower,
        claim.upper,
        now=value,
        control=claim.control,
        log=claim.log,
        words=words,
    )
    return (
        f'<div class="ddl-range"><dt style="{HIDDEN}">range</dt>'
        f'<dd style="display:inline;margin:0">{drawing}</dd></div>'
    )


@checked
def bar(
    values: Sequence[float],
    lower: float | None,
    upper: float | None,
    *,
    now: float | None = None,
    control: float | None = None,
    log: bool = False,
    words: str,
) -> str:
    """Return the bar as inline SVG: a band for what is accepted, and what was measured.

    Args:
        values: What other runs measured: a faint dot each.
        lower: The least accepted value; None is no bound.
        upper: The largest accepted value.
        now: What this run measured: a ring.
        control: What the control measured: a cross.
        log: Whether the axis is logarithmic; it is linear where a number is not positive.
        words: What is seen, for who does not see it.
    """
    bounds = [bound for bound in (lower, upper) if bound is not None]
    shown = [*values, *bounds, *(number for number in (now, control) if number is not None)]
    scale = math.log if log and min(shown) > 0 else float
    first, last = min(map(scale, shown)), max(map(scale, shown))
    length = (last - first) or 1.0

    def x(value: float) -> float:
        return round(EDGE + (WIDTH - 2 * EDGE) * (scale(value) - first) / length, 1)

    left = 0 if lower is None else x(lower)
    right = WIDTH if upper is None else x(upper)
    middle = HEIGHT // 2
    marks = "".join(f'<path class="bound" d="M{x(bound)} 2V{HEIGHT - 2}"/>' for bound in bounds)
    marks += "".join(f'<circle class="run" cx="{x(v)}" cy="{middle}" r="2.5"/>' for v in values)
    if control is not None:
        arm, place = 3, x(control)
        cross = f"M{place - arm:g} {middle - arm}l{2 * arm} {2 * arm}m0 {-2 * arm}l{-2 * arm} "
        marks += f'<path class="control" d="{cross}{2 * arm}"/>'
    if now is not None:
        marks += f'<circle class="now" cx="{x(now)}" cy="{middle}" r="4.5"/>'
    return (
        f'<svg class="ddl-axis" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="{html.escape(words)}" style="vertical-align:middle" '
        'fill="none" stroke="currentColor">'
        f'<rect x="{left}" y="4" width="{max(right - left, 1):g}" height="{HEIGHT - 8}" '
        f'fill="currentColor" fill-opacity=".13" stroke="none"/>{marks}</svg>'
    )
