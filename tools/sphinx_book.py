"""Sphinx extension: pages with their checked outputs, their status, tables of evidence.

- A page is built from the outputs that nbval compared, if they are of today's code: those under
  `_build/executed`. Else it shows its stored text, with a note. Nothing is executed here.
- A page whose checked outputs changed is read again, even if its source did not.
- The directive ``{page-status}`` says when, on what and with which versions each page was executed.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from tools import margins, pages
from tools.notebook import claims_of

LOGGER = logging.getLogger(__name__)
# Pages made of what other pages have computed.
EVIDENCE = ("intro", "ledger", "lecture_map", "errata", "status")
STATUS = ("Page", "Executed (UTC)", "On", "Seconds", "Versions", "Claims")
NOT_RUN = "not run"
NOTE = """\
```{attention}
This page was not executed with today's code on this machine: it shows the text of an earlier
run, without figures, and its claims are not checked. To execute it, run `make book`.
```"""


def claims(slug: str) -> list[dict[str, Any]]:
    """Return the claims that a page's checked outputs hold, in order; without, those it states."""
    if page := pages.checked(slug):
        return claims_of(page)
    unknown = {"measure": "", "measured": NOT_RUN, "verdict": NOT_RUN, "source": "", "value": None}
    return [
        {"statement": statement, "accepted": accepted, "anchor": "", **unknown}
        for statement, accepted in margins.stated(slug)
    ]


class PageStatus(SphinxDirective):
    """A table of the executions that this site was built from."""

    def run(self) -> list[nodes.Node]:
        """Build the table, one row a page."""
        made_of(self.env, __file__)
        return [table(STATUS, (17, 15, 21, 9, 30, 8), [self._row(s) for s in pages.slugs()])]

    def _row(self, slug: str) -> list[nodes.Node]:
        executed = on = seconds = versions = ""
        if page := pages.checked(slug):
            run = page.metadata["ddl"]
            on = (
                f"{run['device']}, {run['cores']} cores, {run['scale']} size, seed {run['seed']}, "
                f"{run['digits']} digits"
            )
            versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
            executed, seconds = run["ended"], f"{run['seconds']:.0f}"
        verdicts = Counter(claim["verdict"] for claim in claims(slug))
        if verdicts["holds"] > 1:
            verdicts["hold"] = verdicts.pop("holds")
        counts = ", ".join(f"{verdicts[name]}\N{NO-BREAK SPACE}{name}" for name in sorted(verdicts))
        texts = (executed or NOT_RUN, on, seconds, versions, counts)
        return [page_link(slug), *map(nodes.Text, texts)]


def page_link(slug: str) -> nodes.reference:
    """Return a link to a page, by its short title."""
    return nodes.reference(text=pages.short_title(slug), refuri=f"{slug}.html", internal=True)


def claim_link(slug: str, claim: dict[str, Any]) -> nodes.reference:
    """Return a link to a claim's card, by its statement."""
    address = f"{slug}.html#{claim['anchor']}"
    return nodes.reference(text=claim["statement"], refuri=address, internal=True)


def list_item(*content: nodes.Node) -> nodes.list_item:
    """Return an item of a list, of one paragraph."""
    paragraph, item = nodes.paragraph(), nodes.list_item()
    paragraph += list(content)
    item += paragraph
    return item


def permalink(name: str) -> nodes.raw:
    """Return a link to where it stands, for readers to copy; shown on phones, too."""
    link = f'<a class="ddl-here" href="#{name}" aria-label="Link to this row">#</a>'
    return nodes.raw("", link, format="html")


def table(
    columns: Sequence[str],
    widths: Sequence[int],
    rows: Sequence[Sequence[nodes.Node]],
    *,
    names: Sequence[str] = (),
    classes: Sequence[Sequence[str]] = (),
    cards: bool = True,
) -> nodes.table:
    """Return a table of the book's evidence: text in paragraphs, lists as they are.

    Its columns have their widths from the start. A browser that would choose them by the text
    moves the rows that a reader already reads whenever more of a long table arrives.

    Args:
        columns: Their names.
        widths: Their widths in percent.
        rows: The cells of each row.
        names: An id for each row.
        classes: The classes of each row.
        cards: Whether a phone shows each row as a card without a head. Then each text also
            holds the name of its column.
    """

    def line(cells: Sequence[nodes.Node], labels: Sequence[str] = ()) -> nodes.row:
        result = nodes.row()
        for place, cell in enumerate(cells):
            entry = nodes.entry()
            if isinstance(cell, nodes.bullet_list):
                entry += cell
            else:
                paragraph = nodes.paragraph()
                if labels and cell.astext() and isinstance(cell, nodes.Text | nodes.inline):
                    paragraph += nodes.inline(text=f"{labels[place]} ", classes=["ddl-label"])
                paragraph += cell
                entry += paragraph
            result += entry
        return result

    result = nodes.table(classes=["ddl-ledger" if cards else "ddl-totals", "colwidths-given"])
    group = nodes.tgroup(cols=len(columns))
    group += [nodes.colspec(colwidth=width) for width in widths]
    head, body = nodes.thead(), nodes.tbody()
    head += line([nodes.Text(name) for name in columns])
    lines = [line(cells, columns if cards else ()) for cells in rows]
    for row, name in zip(lines, names, strict=False):
        row["ids"] = [name] if name else []
    for row, found in zip(lines, classes, strict=False):
        row["classes"] = list(found)
    body += lines
    group += [head, body]
    result += group
    return result


def made_of(env: BuildEnvironment, *paths: Path | str) -> None:
    """Have the page that is being read, one of `EVIDENCE`, read again when a file changes.

    The table of contents is one, for the names of the pages; `changed_pages` sees their outputs.
    """
    for path in (pages.ROOT / "_toc.yml", *paths):
        env.note_dependency(str(path))


def changed_pages(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Name the pages whose checked outputs are not those that Sphinx last read."""
    known: dict[str, str] = getattr(env, "ddl_outputs", {})
    stale = pages.stale()
    today = {
        slug: hashlib.sha256((pages.EXECUTED / f"{slug}.ipynb").read_bytes()).hexdigest()
        for slug in pages.slugs()
        if slug not in stale
    }
    env.ddl_outputs = today  # type: ignore[attr-defined]
    if stale:
        LOGGER.warning(
            "not executed with today's code on this machine: %s. These pages show the text of "
            "an earlier run, without figures. To execute them, run: make book",
            ", ".join(stale),
            type="ddl",
            subtype="not_run",
        )
    if known == today:
        return []
    other = (slug for slug in pages.slugs() if known.get(slug) != today.get(slug))
    return [name for name in (*other, *EVIDENCE) if name in env.all_docs]


def give_outputs(app: Sphinx, page: str, content: list[str]) -> None:
    """Put a page's checked outputs in place of the stored ones, or the note that it has none."""
    if page not in pages.slugs():
        return
    notebook = pages.with_outputs(page)
    if notebook is None:
        notebook = pages.read(page)
        note = nbformat.v4.new_markdown_cell(NOTE)
        note.pop("id")  # as in all stored pages
        notebook.cells.insert(1, note)
    content[0] = nbformat.writes(notebook)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    if app.srcdir == pages.ROOT:  # `jupyter-book build .` expects the pages beside `_toc.yml`
        app.srcdir = app.confdir = type(app.srcdir)(pages.BOOK)
        app.config.external_toc_path = str(pages.ROOT / "_toc.yml")
    app.add_directive("page-status", PageStatus)
    app.connect("env-get-outdated", changed_pages)
    app.connect("source-read", give_outputs)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
