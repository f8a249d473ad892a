"""Demonstrated Deep Learning: the package that the book's pages import.

Concepts (`ddl.gating`, `ddl.upsampling`, ...) hold one idea each and import
torch only. The workshop around them (`ddl.data`, `ddl.training`,
`ddl.plotting`, `ddl.drawing`, `ddl.interactive`, `ddl.claims`, `ddl.listings`,
`ddl.exercises`, `ddl.settings`) is for pages.
"""

from ddl.claims import ClaimError, claim, say
from ddl.listings import show_code
from ddl.settings import about_this_run, budget, device, scale, seed

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
