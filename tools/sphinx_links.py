"""Sphinx extension: what the pages name elsewhere is a link, and papers lead back to the pages.

- In prose, docstrings and the bibliography, arXiv numbers, DOIs and the repositories of
  `book/links.yml` become links. Nobody writes them by hand.
- On a claim's card, a paper leads to its entry in the bibliography, a lecture to the lecture map.
- In the bibliography, a paper ends with the pages and modules that name it.
"""

import html
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.typing import ExtensionMetadata

from tools import pages, papers
from tools.sphinx_book import page_link

BIBLIOGRAPHY, MAP = "bibliography", "lecture_map"
WORDS = pages.BOOK / "links.yml"
ARXIV = r"arXiv:(?P<arxiv>\d{4}\.\d{4,5})"
DOI = r"doi:(?P<doi>10\.\d{4,}/[^\s,;]*[^\s,;.])"
LECTURE = (
    r"\b(?P<lecture>SDSC 20\d\d|Leuphana 2024|Session 5|Brown CSCI 1470,? 2024|CSCI 1470 \(2024\))"
)
UNTOUCHED = (nodes.reference, nodes.literal, nodes.literal_block, nodes.math, nodes.math_block)
SOURCE = re.compile(r"(>source</dt> <dd[^>]*>)(.*?)(</dd>)", re.DOTALL)


@cache
def words() -> dict[str, str]:
    """Return the address of each name in `book/links.yml`."""
    return yaml.safe_load(WORDS.read_text(encoding="utf-8"))


@cache
def _elsewhere() -> re.Pattern[str]:
    names = "|".join(map(re.escape, sorted(words(), key=len, reverse=True)))
    return re.compile(f"{ARXIV}|{DOI}|(?P<name>{names})")


def links(text: str) -> Iterator[tuple[str, str]]:
    """Yield the pieces of a text, each with the address that it leads to or nothing."""
    end = 0
    for found in _elsewhere().finditer(text):
        yield text[end : found.start()], ""
        end = found.end()
        if found["arxiv"]:
            yield found[0], f"https://arxiv.org/abs/{found['arxiv']}"
        elif found["doi"]:
            yield found[0], f"https://doi.org/{found['doi']}"
        else:
            yield found[0], words()[found["name"]]
    yield text[end:], ""


def with_sources(card: str, slug: str) -> str:
    """Return the HTML of a page's cards in which the sources are links."""
    return SOURCE.sub(lambda found: found[1] + _linked(found[2], slug) + found[3], card)


def _linked(source: str, slug: str) -> str:
    """Return the HTML of a source in which papers, lectures and repositories are links."""
    pieces = []
    for piece, address in links(html.unescape(source)):
        if address:
            pieces.append(_link(piece, address))
            continue
        end = 0
        for found in re.finditer(f"{LECTURE}|{papers.CITED.pattern}", piece):
            pieces.append(html.escape(piece[end : found.start()]))
            end = found.end()
            paper = None if found["lecture"] else papers.meant(found[2], found[3], slug)
            if found["lecture"]:
                pieces.append(_link(found[0], f"{MAP}.html#lectures"))
            elif paper:
                pieces.append(_link(found[0], f"{BIBLIOGRAPHY}.html#{paper.anchor}"))
            else:
                pieces.append(html.escape(found[0]))
        pieces.append(html.escape(piece[end:]))
    return "".join(pieces)


def _link(text: str, address: str) -> str:
    return f'<a href="{html.escape(address)}">{html.escape(text)}</a>'


class LinkOut(SphinxPostTransform):
    """Makes links of what stands elsewhere."""

    default_priority = 800  # after MyST-NB has chosen outputs, and the bibliography is made
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Replace texts, and the sources on cards."""
        found_docs = self.env.found_docs
        if {BIBLIOGRAPHY, MAP} <= found_docs:
            for card in self.document.findall(nodes.raw):
                if "ddl-claim" in card.astext():
                    card.replace_self(
                        nodes.raw("", with_sources(card.astext(), self.env.docname), format="html")
                    )
        for text in list(self.document.findall(nodes.Text)):
            if not _inside(text, UNTOUCHED):
                _replace(text)
        if self.env.docname == BIBLIOGRAPHY:
            for entry in self.document.findall(nodes.citation):
                self._lead_back(entry)

    def _lead_back(self, entry: nodes.citation) -> None:
        """Say at the end of a paper which pages and modules name it."""
        paper = next(p for p in papers.papers() if p.anchor in entry["ids"])
        slugs, modules = papers.users(paper)
        found = [page_link(slug) for slug in slugs]
        for module in modules:
            link = f"reference.html#module-ddl.{module}"
            found.append(nodes.reference(text=f"ddl.{module}", refuri=link, internal=True))
        named = nodes.inline(classes=["ddl-named"])
        named += nodes.Text(" Named on: " if slugs else " Named in: ")
        for count, link in enumerate(found):
            named += [nodes.Text(", ")] * bool(count) + [link]
        paragraph = next(entry.findall(nodes.paragraph))
        paragraph += named


def _inside(node: nodes.Node, kinds: tuple[type, ...]) -> bool:
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False


def _replace(text: nodes.Text) -> None:
    pieces = [(piece, address) for piece, address in links(text.astext()) if piece]
    if any(address for _, address in pieces):
        # By place: a text is found by its words, and the same words may stand elsewhere.
        place = next(k for k, node in enumerate(text.parent.children) if node is text)
        text.parent[place : place + 1] = [
            nodes.reference("", piece, refuri=address) if address else nodes.Text(piece)
            for piece, address in pieces
        ]


def note_sources(app: Sphinx, doctree: nodes.document) -> None:
    """Have a page made anew when what its links come from has changed."""
    sources = [WORDS, papers.SOURCE]
    if app.env.docname == BIBLIOGRAPHY:
        sources += [*pages.BOOK.glob("*.ipynb"), *(pages.ROOT / "ddl").glob("*.py")]
    for path in sources:
        app.env.note_dependency(str(path))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    app.add_post_transform(LinkOut)
    app.connect("doctree-read", note_sources)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
