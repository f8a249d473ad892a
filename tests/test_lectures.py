"""The lecture map lists every row of the lectures, and each row has a claim on a page."""

import re

import pytest

from tools import lectures, notebook, pages

MADE_BY = {
    slug: re.findall(
        r"^Claim: (.*)$",
        "\n".join(
            output.get("text") or output.get("data", {}).get("text/plain", "")
            for cell in notebook.code_cells(pages.read(slug))
            for output in cell.outputs
        ),
        re.MULTILINE,
    )
    for slug in pages.slugs()
}


def test_every_row_of_the_lectures_is_there_once() -> None:
    assert [row.number for row in lectures.rows()] == list(range(1, lectures.ROWS + 1))


def test_every_lecture_is_named_and_used() -> None:
    assert {row.lecture for row in lectures.rows()} == set(lectures.lectures())


@pytest.mark.parametrize("row", lectures.rows(), ids=lambda row: f"row-{row.number}")
def test_every_row_has_its_claims_on_its_pages(row: lectures.Row) -> None:
    assert row.evidence
    for entry in [*row.evidence, *(e for c in row.corrections for e in c.evidence)]:
        assert entry.statement in MADE_BY.get(entry.slug, []), entry
    for correction in row.corrections:
        assert correction.says
        assert correction.right
        assert correction.evidence
        # The right value is the claim's, measured, not typed.
        assert not re.search(r"\d\.\d", correction.right)


def test_every_chapter_answers_to_a_lecture() -> None:
    used = {entry.slug for row in lectures.rows() for entry in row.evidence}
    assert used == set(pages.slugs())
