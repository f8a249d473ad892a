"""The front page: nothing on it that the pages have not computed."""

import re

import pytest
import yaml

from tools import pages
from tools.sphinx_front import duration, reading_minutes

INTRO = (pages.BOOK / "intro.md").read_text(encoding="utf-8")
TILES = yaml.safe_load(re.search(r"```\{chapter-tiles\}\n(.*?)```", INTRO, re.DOTALL)[1])  # type: ignore[index]


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


def test_the_front_page_says_no_time_of_its_own() -> None:
    assert not re.search(r"\b(minutes?|seconds?|hours?)\b", INTRO)


def test_times_are_said_in_seconds_and_minutes() -> None:
    assert [duration(s) for s in (12.4, 89, 90, 276)] == ["12 s", "89 s", "2 min", "5 min"]
    assert all(5 <= reading_minutes(slug) <= 30 for slug in pages.slugs())
