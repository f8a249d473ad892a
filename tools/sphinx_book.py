"""Sphinx extension: the status of pages, tables of evidence, no outputs of yesterday.

- The directive ``{page-status}`` says when, on what and with which versions each page was executed.
- A page whose checked outputs changed is read again, even if its source did not.
- A page that was not built from the cache stops the build.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from tools import pages
from tools.notebook import claims_of

# Pages made of what other pages have computed.
EVIDENCE = ("intro", "ledger", "lecture_map", "errata", "status")
STATUS = ("Page", "Executed (UTC)", "On", "Seconds", "Versions", "Claims")


def claims(slug: str) -> list[dict[str, Any]]:
    """Return the claims that a page's checked outputs hold, in order."""
    return claims_of(pages.executed(slug))


class PageStatus(SphinxDirective):
    """A table of the executions that this site was built from."""

    def run(self) -> list[nodes.Node]:
        """Build the table, one row a page."""
        made_of(self.env, __file__)
        return [table(STATUS, (17, 15, 21, 9, 30, 8), [self._row(s) for s in pages.slugs()])]

    def _row(self, slug: str) -> list[nodes.Node]:
        run = pages.executed(slug).metadata["ddl"]
        on = (
            f"{run['device']}, {run['cores']} cores, {run['scale']} size, seed {run['seed']}, "
            f"{run['digits']} digits"
        )
        versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        verdicts = Counter(claim["verdict"] for claim in claims(slug))
        if verdicts["holds"] > 1:
            verdicts["hold"] = verdicts.pop("holds")
        counts = ", ".join(f"{verdicts[name]}\N{NO-BREAK SPACE}{name}" for name in sorted(verdicts))
        texts = (run["ended"], on, f"{run['seconds']:.0f}", versions, counts)
        return [page_link(slug), *map(nodes.Text, texts)]


def page_link(slug: str) -> nodes.reference:
    """Return a link to a page, by its short title."""
    return nodes.reference(text=pages.short_title(slug), refuri=f"{slug}.html", internal=True)


def list_item(*content: nodes.Node) -> nodes.list_item:
    """Return an item of a list, of one paragraph."""
    paragraph, item = nodes.paragraph(), nodes.list_item()
    paragraph += list(content)
    item += paragraph
    return item


def table(
    columns: Sequence[str], widths: Sequence[int], rows: Sequence[Sequence[nodes.Node]]
) -> nodes.table:
    """Return a table of the book's evidence: text in paragraphs, lists as they are.

    Its columns have their widths from the start. A browser that would choose them by the text
    moves the rows that a reader already reads whenever more of a long table arrives.

    Each text also holds the name of its column: on a phone, rows are cards without a head.
    """

    def line(cells: Sequence[nodes.Node], names: Sequence[str] = ()) -> nodes.row:
        result = nodes.row()
        for place, cell in enumerate(cells):
            entry = nodes.entry()
            if isinstance(cell, nodes.bullet_list):
                entry += cell
            else:
                paragraph = nodes.paragraph()
                if names and cell.astext() and isinstance(cell, nodes.Text | nodes.inline):
                    paragraph += nodes.inline(text=f"{names[place]} ", classes=["ddl-label"])
                paragraph += cell
                entry += paragraph
            result += entry
        return result

    result = nodes.table(classes=["ddl-ledger", "colwidths-given"])
    group = nodes.tgroup(cols=len(columns))
    group += [nodes.colspec(colwidth=width) for width in widths]
    head, body = nodes.thead(), nodes.tbody()
    head += line([nodes.Text(name) for name in columns])
    body += [line(cells, columns) for cells in rows]
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
    today = {
        slug: hashlib.sha256((pages.EXECUTED / f"{slug}.ipynb").read_bytes()).hexdigest()
        for slug in pages.slugs()
    }
    env.ddl_outputs = today  # type: ignore[attr-defined]
    fresh = [slug for slug in today if known.get(slug) != today[slug] and slug in env.all_docs]
    if known == today:
        return fresh
    return [*fresh, *(name for name in env.all_docs if name in EVIDENCE)]


def all_from_cache(app: Sphinx, env: BuildEnvironment) -> None:
    """Stop a build that executed a page itself: its outputs were compared with nothing.

    Raises:
        RuntimeError: If MyST-NB's record of a page names another way than the cache.
    """
    for slug in pages.slugs():
        if pages.checked(slug) is None:
            raise RuntimeError(f"{slug} was built from outputs that were not checked")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    app.add_directive("page-status", PageStatus)
    app.connect("env-get-outdated", changed_pages)
    app.connect("env-updated", all_from_cache)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
