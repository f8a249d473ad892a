"""The front page: nothing on it that the pages have not computed."""

import re

import pytest
import torch
import yaml
from torch import Tensor

from tools import pages
from tools.sphinx_front import WALK_PAGE, duration, picture, reading_minutes, walk_frames
from tools.sphinx_interactive import figures

INTRO = (pages.BOOK / "intro.md").read_text(encoding="utf-8")
TILES = yaml.safe_load(re.search(r"```\{chapter-tiles\}\n(.*?)```", INTRO, re.DOTALL)[1])  # type: ignore[index]


def ran(slug: str) -> bool:
    return (pages.EXECUTED / f"{slug}.ipynb").is_file()


def test_every_chapter_has_a_tile_with_an_answer_of_one_line() -> None:
    assert list(TILES) == pages.slugs()
    for slug, about in TILES.items():
        assert re.fullmatch(r"[A-Z].{20,130}\.", about["answer"]), slug


@pytest.mark.parametrize("slug", pages.slugs())
def test_a_tile_shows_a_figure_of_its_page(slug: str) -> None:
    alts = [
        cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        for cell in pages.read(slug).cells
    ]
    assert len([alt for alt in alts if alt.startswith(TILES[slug]["figure"])]) == 1


def test_a_figure_that_is_not_there_is_named() -> None:
    if not ran("gating"):
        pytest.skip("page gating was not run")
    with pytest.raises(
        ValueError, match="gating has no figure whose description begins with 'A c'"
    ):
        picture("gating", "A c")


def test_the_front_page_says_no_time_of_its_own() -> None:
    assert not re.search(r"\b(minutes?|seconds?|hours?)\b", INTRO)


def test_times_are_said_in_seconds_and_minutes() -> None:
    assert [duration(s) for s in (12.4, 89, 90, 276)] == ["12 s", "89 s", "2 min", "5 min"]
    assert all(5 <= reading_minutes(slug) <= 30 for slug in pages.slugs())


@pytest.fixture(scope="module")
def frames() -> Tensor:
    if not ran(WALK_PAGE):
        pytest.skip(f"page {WALK_PAGE} was not run")
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
