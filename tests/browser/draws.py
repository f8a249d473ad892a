"""The random numbers of `web/static/interactive/kit.js`, in Python."""

import math
from collections.abc import Iterator


def uniform(seed: int) -> Iterator[float]:
    """Yield the numbers in [0, 1) of mulberry32."""
    whole = 0xFFFFFFFF
    while True:
        seed = (seed + 0x6D2B79F5) & whole
        t = (seed ^ (seed >> 15)) * (1 | seed) & whole
        t = (t + ((t ^ (t >> 7)) * (61 | t) & whole) & whole) ^ t
        yield ((t ^ (t >> 14)) & whole) / 2**32


def gaussian(seed: int) -> Iterator[float]:
    """Yield standard normal numbers (Box and Muller, 1958)."""
    draws = uniform(seed)
    while True:
        radius = math.sqrt(-2 * math.log(1 - next(draws)))
        yield radius * math.cos(2 * math.pi * next(draws))
