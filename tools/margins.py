"""How far each claim stands from its bounds: what `tools.seeds` measured, claim by claim.

`results/margins.json` has an entry a claim: its page and statement, the numbers of all runs
with their seeds and machines, their mean, its 95 % interval, their standard deviation, the
worst of them, and the margin: how many standard deviations the mean is away from the nearest
bound, of logarithms where the claim says `log`. A claim whose number never changes is exact and
has no margin.
"""

import json
import math
import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tools import pages
from tools.fingerprint import numbers_fingerprint
from tools.notebook import code_cells

RECORD = pages.ROOT / "results" / "margins.json"
MARGIN = 3.0  # standard deviations that a claim which varies must keep from its bounds
RUNS = 5  # that each claim must have; 20 when pages are final
MACHINES = 3  # of which so many must differ


@dataclass(frozen=True)
class Run:
    """The claims of one run of a page, in order."""

    page: str
    fingerprint: str
    seed: int
    machine: str
    claims: list[dict[str, Any]]


def fingerprint_of(slug: str) -> str:
    """Return the hash of what the numbers of a page's claims depend on today."""
    return numbers_fingerprint(pages.read(slug), pages.ROOT)


def stated(slug: str) -> list[tuple[str, str]]:
    """Return the statements and accepted ranges in a page's stored text, in order."""
    text = "\n".join(
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for cell in code_cells(pages.read(slug))
        for output in cell.outputs
    )
    return re.findall(r"^Claim: (.*)\nAccepted: (.*)$", text, flags=re.MULTILINE)


def entries(slug: str, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return the entries of a page, with statements and bounds as it states them today.

    Args:
        slug: The page.
        runs: Runs of a page that computes the same.

    Raises:
        ValueError: If a run made other claims.
    """
    texts = stated(slug)
    for run in runs:
        if len(run.claims) != len(texts):
            raise ValueError(f"{slug}, seed {run.seed}, {run.machine}: makes other claims")
    return [
        _entry(slug, restated(runs[0].claims[place], *text), runs, place)
        for place, text in enumerate(texts)
    ]


def restated(claim: dict[str, Any], statement: str, text: str) -> dict[str, Any]:
    """Return a claim with the statement and the accepted range of a stored text.

    Raises:
        ValueError: If the text has another range, and one that is not above, below or between.
    """
    if text == f"{claim['measure']} {claim['accepted']}".strip():
        return claim | {"statement": statement}
    found = re.fullmatch(r"(.*?) ?(above|below|between) (\S+)(?: and (\S+))?", text)
    if not found:
        raise ValueError(f"{statement}: {text} cannot be read; a run of the page is needed")
    measure, kind, first, second = found.groups()
    lower = float(first) if kind != "below" else None
    upper = float(first) if kind == "below" else float(second) if second else None
    about = {"statement": statement, "measure": measure, "accepted": text.removeprefix(measure)}
    return claim | about | {"accepted": about["accepted"].strip(), "lower": lower, "upper": upper}


def _entry(slug: str, claim: dict[str, Any], runs: Sequence[Run], place: int) -> dict[str, Any]:
    checked = [r for r in runs if not r.claims[place]["verdict"].startswith("not checked")]
    values = [run.claims[place]["value"] for run in checked]
    result = {
        "page": slug,
        "claim": claim["statement"],
        "measure": claim["measure"],
        "accepted": claim["accepted"],
        "lower": claim["lower"],
        "upper": claim["upper"],
        "log": claim["log"],
        "fingerprint": runs[0].fingerprint if runs else "",
        "n": len(values),
        "seeds": [run.seed for run in checked],
        "machines": [run.machine for run in checked],
    }
    if not values or not all(type(value) in (float, int) for value in values):  # yes or no, or NaN
        holds = all(value is True for value in values)
        return result | {"mean": None, "sd": 0.0, "worst": holds, "margin_sd": None}
    return result | summary(values, claim["log"], claim["lower"], claim["upper"])


def summary(
    values: Sequence[float], log: bool, lower: float | None, upper: float | None
) -> dict[str, Any]:
    """Return mean, interval, standard deviation, worst value and margin of some runs."""
    from scipy.stats import t as student

    bounds = [bound for bound in (lower, upper) if bound is not None]
    scale = math.log if log and min(*values, *bounds, math.inf) > 0 else float
    n, mean = len(values), statistics.fmean(values)
    sd = statistics.stdev(values) if n > 1 else 0.0
    half = float(student.ppf(0.975, n - 1)) * sd / math.sqrt(n) if n > 1 else 0.0

    def room(scaled: float) -> float:  # to the nearest bound, negative outside
        below = scaled - scale(lower) if lower is not None else math.inf
        return min(below, scale(upper) - scaled if upper is not None else math.inf)

    scaled = [scale(value) for value in values]
    spread = statistics.stdev(scaled) if n > 1 else 0.0
    return {
        "mean": short(mean),
        "interval": [short(mean - half), short(mean + half)],
        "sd": short(sd) if spread else 0.0,  # not what rounding leaves of equal numbers
        "worst": short(min(values, key=lambda value: room(scale(value)))),
        "margin_sd": round(room(statistics.fmean(scaled)) / spread, 1) if spread else None,
        "values": [short(value) for value in values],
    }


def short(value: float) -> float:
    """Return a number to six significant digits."""
    return float(f"{value:.6g}")


def faults(entry: dict[str, Any]) -> list[str]:
    """Return what is wrong with an entry: too few runs, one outside the range, no margin."""
    found = []
    if entry["n"] < RUNS:
        found.append(f"{entry['n']} runs, {RUNS} are needed")
    if entry["worst"] is False or (entry["mean"] is not None and not inside(entry)):
        found.append(f"a run measured {entry['worst']}, accepted is {entry['accepted']}")
    if entry["sd"]:
        if entry["margin_sd"] < MARGIN:
            found.append(f"a margin of {entry['margin_sd']} standard deviations, {MARGIN} needed")
        if len(set(entry["machines"])) < MACHINES:
            found.append(f"machines {sorted(set(entry['machines']))}, {MACHINES} are needed")
    return found


def inside(entry: dict[str, Any]) -> bool:
    """Return whether the worst run lies in the accepted range."""
    lower, upper, worst = entry["lower"], entry["upper"], entry["worst"]
    return (lower is None or worst >= lower) and (upper is None or worst <= upper)


def read() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the entries by page and statement."""
    if not RECORD.is_file():
        return {}
    found = json.loads(RECORD.read_text(encoding="utf-8"))
    return {(entry["page"], entry["claim"]): entry for entry in found}


def write(found: Iterable[dict[str, Any]]) -> None:
    """Write the entries, a line each."""
    lines = (json.dumps(entry, ensure_ascii=False) for entry in found)
    text = "[\n" + ",\n".join(lines) + "\n]\n"
    RECORD.write_text(text, encoding="utf-8", newline="\n")
