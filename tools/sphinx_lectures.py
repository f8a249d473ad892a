"""Sphinx extension: the lecture map and the errata, with the verdicts of this build.

- ``{lecture-map}`` lists every row of `book/lectures.yml` with its claims.
- ``{errata}`` lists what the lectures have wrong, with what this build measured.

A claim that is no longer on its page stops the build.
"""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from tools import lectures
from tools.sphinx_book import claims, made_of, table

SIGNS = {"holds": "✓"}


class LectureTable(SphinxDirective):
    """What the two tables share: claims of this build, as links with a verdict."""

    def run(self) -> list[nodes.Node]:
        """Build the table of this build's claims."""
        made_of(self.env, __file__, lectures.SOURCE)
        self.built: dict[str, dict[str, dict[str, Any]]] = {}
        return [self.table()]

    def table(self) -> nodes.table:
        """Return the table."""
        raise NotImplementedError

    def claim(self, evidence: lectures.Evidence) -> dict[str, Any]:
        """Return a claim as this build measured it.

        Raises:
            KeyError: If its page does not make it.
        """
        page = self.built.setdefault(
            evidence.slug, {row["statement"]: row for row in claims(evidence.slug)}
        )
        if evidence.statement not in page:
            raise KeyError(f"{evidence.slug} does not claim: {evidence.statement}")
        return page[evidence.statement]

    def links(self, evidence: tuple[lectures.Evidence, ...], *, measured: bool) -> nodes.Node:
        """Return the claims as a list: verdict, linked statement, measured value."""
        result = nodes.bullet_list()
        for entry in evidence:
            claim = self.claim(entry)
            paragraph = nodes.paragraph()
            paragraph += nodes.Text(SIGNS.get(claim["verdict"], f"○ ({claim['verdict']})") + " ")
            paragraph += nodes.reference(
                text=claim["statement"],
                refuri=f"{entry.slug}.html#{claim['anchor']}",
                internal=True,
            )
            if measured and claim["measured"] != "true":
                measure = f": {claim['measure']} " if claim["measure"] else ": "
                paragraph += [nodes.Text(measure), nodes.strong(text=claim["measured"])]
            item = nodes.list_item()
            item += paragraph
            result += item
        return result


class LectureMap(LectureTable):
    """Every row of the lectures, and where it is demonstrated."""

    def table(self) -> nodes.table:
        """Return a row for each row."""
        rows = [
            [
                nodes.Text(str(row.number)),
                nodes.Text(row.lecture),
                nodes.Text(row.teaches),
                self.links(row.evidence, measured=False),
            ]
            for row in lectures.rows()
        ]
        return table(
            ("Row", "Lecture", "What it teaches", "Demonstrated by"), (6, 12, 34, 48), rows
        )


class Errata(LectureTable):
    """What the lectures have wrong or leave open."""

    def table(self) -> nodes.table:
        """Return a row for each correction."""
        rows = [
            [
                nodes.Text(f"{row.lecture}, row {row.number}"),
                nodes.Text(correction.says),
                nodes.Text(correction.right),
                self.links(correction.evidence, measured=True),
            ]
            for row in lectures.rows()
            for correction in row.corrections
        ]
        return table(
            ("Lecture", "It says", "This book finds", "Computed by"), (15, 22, 33, 30), rows
        )


class LectureNames(SphinxDirective):
    """The full names of the lectures."""

    def run(self) -> list[nodes.Node]:
        """Build a list."""
        made_of(self.env, lectures.SOURCE)
        result = nodes.bullet_list(ids=["lectures"])
        for short, full in lectures.lectures().items():
            paragraph = nodes.paragraph()
            paragraph += [nodes.strong(text=short), nodes.Text(f": {full}")]
            item = nodes.list_item()
            item += paragraph
            result += item
        return [result]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    app.add_directive("lecture-map", LectureMap)
    app.add_directive("errata", Errata)
    app.add_directive("lecture-names", LectureNames)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
