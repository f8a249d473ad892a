"""Demonstrated Deep Learning: the package that the book's pages import.

One module a page, the concepts: `ddl.gating`, `ddl.upsampling`, ... Each imports PyTorch and
concepts of earlier pages only. What pages use besides: `ddl.data`, `ddl.training`,
`ddl.plotting`, `ddl.drawing`, `ddl.scoring`, `ddl.claims`, `ddl.interactive` and
`ddl.exercises`. What these stand on is in `ddl.support`, what is trained at full size in
`ddl.recipes`.
"""

from ddl.claims import ClaimError, claim, say
from ddl.support.listings import show_code
from ddl.support.settings import about_this_run, budget, device, scale, seed

__version__ = "0.1.0"

__all__ = [
    "ClaimError",
    "about_this_run",
    "budget",
    "claim",
    "device",
    "say",
    "scale",
    "seed",
    "show_code",
]
