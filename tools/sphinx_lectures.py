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
from tools.sphinx_book import claim_link, claims, list_item, made_of, permalink, table

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
            content: list[nodes.Node] = [
                nodes.Text(SIGNS.get(claim["verdict"], f"○ ({claim['verdict']})") + " "),
                claim_link(entry.slug, claim),
            ]
            if measured and claim["measured"] != "true":
                measure = f": {claim['measure']} " if claim["measure"] else ": "
                content += [nodes.Text(measure), nodes.strong(text=claim["measured"])]
            result += list_item(*content)
        return result


class LectureMap(LectureTable):
    """Every row of the lectures, and where it is demonstrated."""

    def table(self) -> nodes.table:
        """Return a row for each row."""
        rows = [
            [
                nodes.inline("", "", nodes.Text(f"{row.number} "), permalink(_name(row))),
                nodes.Text(row.lecture),
                nodes.Text(row.teaches),
                self.links(row.evidence, measured=False),
            ]
            for row in lectures.rows()
        ]
        return table(
            ("Row", "Lecture", "What it teaches", "Demonstrated by"),
            (7, 12, 33, 48),
            rows,
            names=[_name(row) for row in lectures.rows()],
        )


class Errata(LectureTable):
    """What the lectures have wrong or leave open."""

    def table(self) -> nodes.table:
        """Return a row for each correction."""
        rows, names = [], []
        for row in lectures.rows():
            for count, correction in enumerate(row.corrections, start=1):
                name = f"erratum-{row.number}" + (f"-{count}" if count > 1 else "")
                lecture = nodes.inline("", "", nodes.Text(f"{row.lecture}, "), _row_link(row))
                lecture += [nodes.Text(" "), permalink(name)]
                evidence = self.links(correction.evidence, measured=True)
                texts = map(nodes.Text, (correction.says, correction.right))
                rows.append([lecture, *texts, evidence])
                names.append(name)
        columns = ("Lecture", "It says", "This book finds", "Computed by")
        return table(columns, (15, 22, 33, 30), rows, names=names)


def _name(row: lectures.Row) -> str:
    """Return the id of a row of the lecture map."""
    return f"row-{row.number}"


def _row_link(row: lectures.Row) -> nodes.reference:
    """Return a link to a row of the lecture map."""
    address = f"lecture_map.html#{_name(row)}"
    return nodes.reference(text=f"row {row.number}", refuri=address, internal=True)


class LectureNames(SphinxDirective):
    """The full names of the lectures."""

    def run(self) -> list[nodes.Node]:
        """Build a list."""
        made_of(self.env, lectures.SOURCE)
        result = nodes.bullet_list(ids=["lectures"])
        for short, full in lectures.lectures().items():
            result += list_item(nodes.strong(text=short), nodes.Text(f": {full}"))
        return [result]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    app.add_directive("lecture-map", LectureMap)
    app.add_directive("errata", Errata)
    app.add_directive("lecture-names", LectureNames)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
