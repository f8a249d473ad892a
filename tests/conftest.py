"""Shape checks: in tests, every annotation of `ddl` is enforced."""

import jaxtyping
import torch
from hypothesis.configuration import set_hypothesis_home_dir

from tools import pages

set_hypothesis_home_dir(pages.BUILD / "hypothesis")  # what it keeps of the code's constants

# Before the first import of a module of ddl: calls with the wrong shapes fail.
jaxtyping.install_import_hook("ddl", "shapes.checked")

torch.set_num_threads(1)
