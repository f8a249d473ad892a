"""The glossary: one sentence a term, and one page that introduces it."""

import re
from collections import Counter

import pytest

from tools import glossary
from tools.glossary import Term, in_italics, introductions, terms

EACH = pytest.mark.parametrize("term", terms(), ids=lambda term: term.slug)


@EACH
def test_a_term_is_introduced_on_exactly_one_page(term: Term) -> None:
    places = introductions()[term.name]
    assert len(places) == 1, f"*{term.written}* is in italics on {[p.slug for p in places]}"
    assert places[0].heading, "before the page's title"


@EACH
def test_a_term_is_explained_in_one_sentence(term: Term) -> None:
    assert re.fullmatch(r"[A-Z0-9].*[^.!?]\.", term.says)
    assert not re.search(r"[.!?]\s", term.says)
    assert len(term.says) <= 170, "too long for a line that appears over the text"
    first = re.sub(r"^(an?|the) ", "", term.says.lower())
    assert not first.startswith(term.name.lower()), "explained by itself"


def test_a_name_leads_to_one_term() -> None:
    names = Counter(glossary.plain(name) for term in terms() for name in (term.name, *term.also))
    assert [name for name, count in names.items() if count > 1] == []


def test_the_terms_stand_in_the_order_of_the_alphabet() -> None:
    listed = re.findall(r"^([^\s#].*):$", glossary.SOURCE.read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == [term.name for term in terms()]
    assert len(listed) >= 60


def test_italics_are_found_in_prose_and_not_in_code_and_formulas() -> None:
    prose = "# One\n\nA *first term*, **bold**, `a * b * c` and $x * y * z$.\n\n"
    prose += "## Two\n\n- *A list's*, 2 * 3 * 4.\n\n```\nnot *this*\n```\n\nLast *end*."
    assert in_italics(prose) == [("first term", "One"), ("A list's", "Two"), ("end", "Two")]


def test_a_word_of_two_meanings_is_told_by_its_page() -> None:
    on = {slug: glossary.meant("Score", slug) for slug in ("attention", "diffusion", "gating")}
    assert {slug: term and term.name for slug, term in on.items()} == {
        "attention": "attention score",
        "diffusion": "score",
        "gating": None,
    }
