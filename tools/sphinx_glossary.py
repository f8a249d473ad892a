"""Sphinx extension: the glossary, and the lines that explain a term where it is introduced.

- The directive ``{glossary-terms}`` lists the terms of `book/glossary.yml`, each with a link to
  the section that introduces it.
- There, the term in italics becomes a link to its entry. Who points at it or reaches it by the
  keyboard reads the line at once: it lies in the page and needs no script.
"""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata
from sphinx.writers.html5 import HTML5Translator

from tools import glossary, pages
from tools.sphinx_book import made_of

PAGE = "glossary"  # the page with the list; a book without it gets no links


class term_link(nodes.Inline, nodes.TextElement):  # noqa: N801 (docutils' nodes have such names)
    """A term where it is introduced."""


def open_term(translator: HTML5Translator, node: term_link) -> None:
    """Write the start of the link."""
    term: glossary.Term = node["term"]
    about: dict[str, Any] = {"href": f"{PAGE}.html#{term.anchor}", "CLASS": "ddl-term"}
    about["aria-describedby"] = f"line-{term.slug}"
    translator.body.append(translator.starttag(node, "a", "", **about))


def close_term(translator: HTML5Translator, node: term_link) -> None:
    """Write its end, and the line that appears."""
    term: glossary.Term = node["term"]
    line = translator.encode(term.says)
    translator.body.append("</a>")
    translator.body.append(
        f'<span class="ddl-tip" role="tooltip" id="line-{term.slug}">{line}</span>'
    )


def link_terms(app: Sphinx, doctree: nodes.document) -> None:
    """Link the terms that a page introduces, each where it stands in italics first."""
    slug = app.env.docname
    if PAGE not in app.env.found_docs or slug not in pages.slugs():
        return
    app.env.note_dependency(str(glossary.SOURCE))
    done = set()
    for words in list(doctree.findall(nodes.emphasis)):
        term = glossary.meant(words.astext(), slug)
        if term is None or term in done or not _introduces(slug, term):
            continue
        done.add(term)
        link = term_link("", "", term=term, ids=[term.introduced])
        words.replace_self(link)
        link += words


def _introduces(slug: str, term: glossary.Term) -> bool:
    return slug in [place.slug for place in glossary.introductions()[term.name][:1]]


class GlossaryTerms(SphinxDirective):
    """The list of terms."""

    def run(self) -> list[nodes.Node]:
        """Build it from the file and the pages' prose."""
        prose = (pages.BOOK / f"{slug}.ipynb" for slug in pages.slugs())
        made_of(self.env, __file__, glossary.SOURCE, glossary.__file__, *prose)
        result = nodes.definition_list(classes=["ddl-glossary"])
        for term in glossary.terms():
            name = nodes.term("", term.name, ids=[term.anchor])
            if term.also:
                name += nodes.inline(text=", ".join(term.also), classes=["ddl-also"])
            said = nodes.paragraph("", f"{term.says} ")
            for place in glossary.introductions()[term.name][:1]:
                heading = nodes.Text(f"{pages.short_title(place.slug)}: {place.heading}")
                link = f"{place.slug}.html#{term.introduced}"
                said += nodes.reference("", "", heading, refuri=link, internal=True)
            explained = nodes.definition("", said)
            result += nodes.definition_list_item("", name, explained)
        return [result]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    app.add_node(term_link, html=(open_term, close_term))
    app.add_directive("glossary-terms", GlossaryTerms)
    app.connect("doctree-read", link_terms)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
