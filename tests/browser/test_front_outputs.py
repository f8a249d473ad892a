"""What the front page takes from the pages' outputs."""

import pytest
import torch
from torch import Tensor

from tools import pages
from tools.sphinx_front import WALK_PAGE, picture, walk_frames
from tools.sphinx_interactive import figures


def needs(slug: str) -> None:
    """Skip a test where a page was not executed with today's code."""
    if pages.checked(slug) is None:
        pytest.skip(f"no checked outputs of {slug}: run make book first")


def test_a_figure_that_is_not_there_is_named() -> None:
    needs("gating")
    with pytest.raises(
        ValueError, match="gating has no figure whose description begins with 'A c'"
    ):
        picture("gating", "A c")


@pytest.fixture(scope="module")
def frames() -> Tensor:
    needs(WALK_PAGE)
    return walk_frames()


def test_the_walk_begins_with_the_same_noise_and_ends_in_other_digits(frames: Tensor) -> None:
    assert frames.shape == (10, 21, 14, 14)
    assert (frames[:, 0] == frames[:1, 0]).all()
    ends = frames[:, -1].flatten(1)
    apart = torch.cdist(ends, ends) + 100 * torch.eye(10)
    assert apart.min() > 1
    # A digit is mostly black, noise is not.
    black = (frames < -0.8).float().mean((0, 2, 3))
    assert black[0] < 0.4 < black[-1]


def test_the_walk_is_the_one_of_the_page(frames: Tensor) -> None:
    figure = next(f for f in figures(WALK_PAGE) if f["name"] == WALK_PAGE)
    torch.testing.assert_close(
        frames[3, -1].flatten(), torch.tensor(figure["data"]["walk"]), atol=1e-3, rtol=0
    )
