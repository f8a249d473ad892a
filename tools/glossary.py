"""The terms of the field: `book/glossary.yml`, read, and where the pages introduce them.

A page introduces a term by setting it in italics, as any Markdown does: ``*learning rate*``.
"""

import re
from dataclasses import dataclass
from functools import cache

import yaml

from tools import pages

SOURCE = pages.BOOK / "glossary.yml"
ITALICS = re.compile(r"(?<![\w*])\*([^\s*](?:[^*]*[^\s*])?)\*(?![\w*])")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE = re.compile(r"^(```|~~~).*?^\1|\$\$.*?\$\$|`[^`\n]*`|\$[^$]*\$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Term:
    """A term, what it is in one sentence, and other names by which readers look for it."""

    name: str
    says: str
    also: tuple[str, ...]
    written: str  # how the page that introduces it writes it
    page: str  # the only page on which the word has this meaning; without one, any

    @property
    def slug(self) -> str:
        """The name as a part of fragments."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    @property
    def anchor(self) -> str:
        """The fragment of its entry in the glossary."""
        return f"term-{self.slug}"

    @property
    def introduced(self) -> str:
        """The fragment of the place that introduces it."""
        return f"introduces-{self.slug}"


@dataclass(frozen=True)
class Introduction:
    """Where a page has a term in italics: the page, and the heading above."""

    slug: str
    heading: str


@cache
def terms() -> tuple[Term, ...]:
    """Return the terms in the order of the alphabet."""
    found = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    made = [
        Term(
            name=name,
            says=about["says"],
            also=tuple(about.get("also", ())),
            written=plain(about.get("written", name)),
            page=about.get("page", ""),
        )
        for name, about in found.items()
    ]
    return tuple(sorted(made, key=lambda term: term.name.casefold()))


def plain(words: str) -> str:
    """Return words as they are compared: in small letters, with straight apostrophes."""
    return " ".join(words.casefold().replace("’", "'").split())


def meant(words: str, slug: str) -> Term | None:
    """Return the term that words in italics on a page introduce, if they do."""
    said = plain(words)
    return next((t for t in terms() if t.written == said and t.page in ("", slug)), None)


def in_italics(prose: str) -> list[tuple[str, str]]:
    """Return the words that Markdown sets in italics, each with the heading above it."""
    headings = [(m.start(), m[1]) for m in HEADING.finditer(prose)]
    words = CODE.sub(lambda match: " " * len(match[0]), prose)
    return [
        (m[1], next((text for start, text in reversed(headings) if start < m.start()), ""))
        for m in ITALICS.finditer(words)
    ]


@cache
def introductions() -> dict[str, tuple[Introduction, ...]]:
    """Return where each term stands in italics, once a page, in the order of the book."""
    found: dict[str, dict[str, Introduction]] = {term.name: {} for term in terms()}
    for slug in pages.slugs():
        prose = [c.source for c in pages.read(slug).cells if c.cell_type == "markdown"]
        for words, heading in in_italics("\n\n".join(prose)):
            if term := meant(words, slug):
                found[term.name].setdefault(slug, Introduction(slug, heading))
    return {name: tuple(places.values()) for name, places in found.items()}
