"""How two things are compared: in turns, several times, as a ratio of medians.

A machine gets slower and faster while it works. Turns let both sides meet the same
machine, and the spread says how far single runs were from their median.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import torch

from ddl.support.settings import provenance

RUNS = 5
PATIENCE = 2.5  # of a race: how many times our seconds the other may take
MOST = 600.0  # seconds of ours in a race

Run = Callable[[int, float], float]  # (turn, limit in seconds) -> seconds taken


@dataclass(frozen=True)
class Result:
    """One comparison.

    Attributes:
        name: What was compared.
        ours: Our median.
        peer: The other's median; nothing where there is no peer but a bar.
        ratio: The first over the second, in the direction of the bar.
        unit: Of both medians.
        bar: What the ratio, or our median where there is no peer, should reach:
            ``"at least 10"``; ``"stated"`` where a cost is only told.
        reached: Whether it does; nothing where a cost is only told.
        spread: Largest distance of a run from its median, relative, ours and the peer's.
        note: What one must know to read the numbers.
    """

    name: str
    ours: float
    peer: float | None
    ratio: float | None
    unit: str
    bar: str
    reached: bool | None
    spread: tuple[float, ...]
    note: str = ""


def in_turns(*sides: Callable[[], float], runs: int = RUNS) -> list[list[float]]:
    """Call the sides one after the other, ``runs`` times after a round that warms up."""
    taken: list[list[float]] = [[] for _ in sides]
    for _ in range(1 + runs):
        for side, values in zip(sides, taken, strict=True):
            values.append(side())
    return [values[1:] for values in taken]


def clock() -> float:
    """Return seconds: of the processor on a CPU, where other work may run beside; else of the wall.

    One thread computes, so that the two are the same on an idle machine.
    """
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def seconds(work: Callable[[], object]) -> Callable[[], float]:
    """Return a side for `in_turns` that measures the seconds of some work."""

    def timed() -> float:
        started = clock()
        work()
        return clock() - started

    return timed


def spread(values: list[float]) -> float:
    """Return the largest distance from the median, relative to it."""
    middle = median(values)
    largest = max(abs(value - middle) for value in values)
    return largest / middle if largest else 0.0


def compare(
    name: str,
    ours: Callable[[], object],
    peer: Callable[[], object],
    *,
    items: int = 0,
    at_least: float | None = None,
    at_most: float | None = None,
    note: str = "",
) -> Result:
    """Time two pieces of work in turns.

    Args:
        name: What is compared.
        ours: Our work.
        peer: The other's.
        items: What each works through; the unit is then items a second, else seconds.
        at_least: The bar from below: ours over peer's.
        at_most: The bar from above.
        note: What one must know to read the numbers.
    """
    a, b = in_turns(seconds(ours), seconds(peer))
    if items:
        a, b = ([items / value for value in side] for side in (a, b))
    ratio = median(a) / median(b)
    reached, bar = None, "stated"
    if at_least is not None:
        reached, bar = ratio >= at_least, f"at least {at_least:g}"
    elif at_most is not None:
        reached, bar = ratio <= at_most, f"at most {at_most:g}"
    unit = "items/s" if items else "s"
    return Result(
        name, median(a), median(b), ratio, unit, bar, reached, (spread(a), spread(b)), note
    )


def until(good: Callable[[], bool], step: Iterator[object], *, every: int, limit: float) -> float:
    """Return the seconds of steps until a check holds; the limit where it did not by then.

    Args:
        good: The check, not timed.
        step: Takes one step at a time.
        every: Steps between two checks.
        limit: Seconds after which nothing is begun.
    """
    taken = 0.0
    while taken < limit:
        started = clock()
        for _ in range(every):
            next(step)
        taken += clock() - started
        if taken <= limit and good():
            return taken
    return limit


def race(name: str, ours: Run, peer: Run, *, at_most: float, note: str) -> Result:
    """Time two kinds of work to the same end, in turns, where the other may not get there.

    In each turn the other is stopped at `PATIENCE` times our seconds. These are then too few
    for it and the ratio too large: a bar is reached all the more.

    Args:
        name: What is compared.
        ours: Our work.
        peer: The other's.
        at_most: The bar from above: ours over peer's.
        note: What one must know to read the numbers.

    Raises:
        RuntimeError: If ours is not there within `MOST` seconds.
    """
    a, b, stopped = [], [], 0
    for turn in range(RUNS):
        a.append(ours(turn, MOST))
        if a[-1] >= MOST:
            raise RuntimeError(f"{name}: ours was not there after {MOST:g} s")
        limit = PATIENCE * a[-1]
        b.append(peer(turn, limit))
        stopped += b[-1] >= limit
    if stopped:
        note += (
            f"; {stopped} of {RUNS} runs of the other were stopped before, at {PATIENCE:g} times "
            "our seconds: it takes at least what is shown, and the ratio is at most that"
        )
    ratio = median(a) / median(b)
    bar, reached = f"at most {at_most:g}", ratio <= at_most
    return Result(
        name, median(a), median(b), ratio, "s", bar, reached, (spread(a), spread(b)), note
    )


def line(result: Result) -> dict[str, Any]:
    """Return a result as it is stored, numbers to four digits, with its provenance."""
    found = asdict(result) | provenance("torch", "numpy")
    found |= {"cores": os.cpu_count(), "threads": torch.get_num_threads()}
    for key in ("ours", "peer", "ratio"):
        if found[key] is not None:
            found[key] = float(f"{found[key]:.4g}")
    return found | {"spread": [float(f"{value:.2g}") for value in result.spread]}
