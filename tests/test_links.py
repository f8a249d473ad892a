"""What the pages name elsewhere is a link, and a paper leads back to those who name it."""

import html
import re

import pytest
import yaml
from docutils import nodes

from ddl.claims import Claim
from ddl.support import cards
from tools import pages, papers
from tools.sphinx_links import WORDS, _replace, links, with_sources

PROSE = "\n".join(cell.source for slug in pages.slugs() for cell in pages.read(slug).cells)
ADDRESS = re.compile(r'<a href="([^"]+)">([^<]+)</a>')


def card(source: str) -> str:
    return cards.card(Claim("It is", "", "1", "above 0", "holds", source, 1.0, 0.0, None))


def sources(slug: str, source: str) -> list[tuple[str, str]]:
    """Return the addresses and texts of the links of a card."""
    found = with_sources(card(source), slug)
    assert re.sub(r"</?a\b[^>]*>", "", found) == card(source)
    return [(address, html.unescape(text)) for address, text in ADDRESS.findall(found)]


def test_numbers_and_repositories_are_links_and_no_more_than_they() -> None:
    text = "See arXiv:1706.03762: and doi:10.23915/distill.00003. Or pytorch/examples, issue 2/3."
    assert [piece for piece in links(text) if piece[1]] == [
        ("arXiv:1706.03762", "https://arxiv.org/abs/1706.03762"),
        ("doi:10.23915/distill.00003", "https://doi.org/10.23915/distill.00003"),
        ("pytorch/examples", "https://github.com/pytorch/examples"),
    ]
    assert "".join(piece for piece, _ in links(text)) == text


def test_a_text_is_replaced_in_its_place() -> None:
    text = "arXiv:1706.03762"
    named = nodes.Text(text)
    paragraph = nodes.paragraph("", "", nodes.emphasis(text="is "), named)
    _replace(named)
    assert paragraph.astext() == f"is {text}"
    assert [child["refuri"] for child in paragraph.findall(nodes.reference)] == [
        "https://arxiv.org/abs/1706.03762"
    ]


@pytest.mark.parametrize(
    ("slug", "source", "expected"),
    [
        ("residual", "He et al. 2015, table 6", ["bibliography.html#cite-he2015residual"]),
        ("skip", "He et al. 2015", ["bibliography.html#cite-he2015delving"]),
        ("residual", "He et al. 2016, a & b", ["bibliography.html#cite-he2016identity"]),
        ("convolution", "Szegedy et al. 2015", ["bibliography.html#cite-szegedy2014"]),
        (
            "gating",
            "SDSC 2024: a gate; Vaswani et al. 2017, equation 1",
            ["lecture_map.html#lectures", "bibliography.html#cite-vaswani2017"],
        ),
        ("upsampling", "Brown CSCI 1470, 2024: 'do it'", ["lecture_map.html#lectures"]),
        (
            "upsampling",
            "pytorch issue 8816",
            ["https://github.com/pytorch/pytorch/issues/8816"],
        ),
        ("vae", "Nobody et al. 2015 said < 3", []),
    ],
)
def test_the_source_of_a_card_leads_to_what_it_names(
    slug: str, source: str, expected: list[str]
) -> None:
    assert [address for address, _ in sources(slug, source)] == expected


def test_every_source_of_a_claim_is_a_link() -> None:
    named = [
        (slug, line.removeprefix("Source: "))
        for slug in pages.slugs()
        for cell in pages.read(slug).cells
        for output in cell.get("outputs", [])
        for line in str(output.get("data", {}).get("text/plain", "")).split("\n")
        if line.startswith("Source: ")
    ]
    assert len(named) >= 60
    assert [source for slug, source in named if not sources(slug, source)] == []


def test_every_name_of_the_file_is_named() -> None:
    names = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    assert [name for name in names if name not in PROSE] == []
    assert all(address.startswith("https://") for address in names.values())


@pytest.mark.parametrize("paper", papers.papers(), ids=lambda paper: paper.key)
def test_a_paper_is_found_elsewhere_and_named_here(paper: papers.Paper) -> None:
    entry = (
        papers.SOURCE.read_text(encoding="utf-8").partition(f"{{{paper.key},")[2].partition("\n")[0]
    )
    assert re.search(r"arXiv:\d|doi:10|doi = \{10\.|url = \{https?://", entry)
    assert any(papers.users(paper)), "nobody names it"


def test_who_names_a_paper() -> None:
    found = {paper.key: papers.users(paper) for paper in papers.papers()}
    assert found["gers2000"] == (["gating"], ["gating"])
    assert found["tipping1999"][0] == ["vae"]
    assert found["lecun1998"] == ([], ["data"])
    assert "skip" not in found["he2015residual"][0]
