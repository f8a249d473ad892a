"""Fixtures, and the shape checks: in tests, every annotation of `ddl` is enforced."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import jaxtyping
import pytest
import torch
from hypothesis.configuration import set_hypothesis_home_dir

from tools import pages

set_hypothesis_home_dir(pages.BUILD / "hypothesis")  # what it keeps of the code's constants

# Before the first import of a module of ddl: calls with the wrong shapes fail.
jaxtyping.install_import_hook("ddl", "shapes.checked")

torch.set_num_threads(1)


@contextmanager
def expect_value_error(match: str) -> Iterator[None]:
    """Expect a function's own ValueError, as a reader meets it: annotations not enforced."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        with pytest.raises(ValueError, match=match):
            yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def bad_input() -> Callable[[str], AbstractContextManager[None]]:
    return expect_value_error
