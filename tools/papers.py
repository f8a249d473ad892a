"""The papers of `book/references.bib`, who in this book names them, and which one is meant."""

import re
from dataclasses import dataclass
from functools import cache

from pybtex.database import parse_file
from pybtex.richtext import Text

from tools import pages

SOURCE = pages.BOOK / "references.bib"
# A paper as prose and cards name it: "Odena et al. 2016", "Bourlard and Kamp 1988", "Ho (2020)".
CITED = re.compile(r"\b([A-Z][\w’'-]+)(?: et al\.| and [A-Z][\w’'-]+)?,? \(?((?:18|19|20)\d\d)\b")


@dataclass(frozen=True)
class Paper:
    """A paper. Its key is its first author and the year in which it became known."""

    key: str
    author: str  # the first one's surname
    years: tuple[str, str]  # of the key, and of the publication
    title: str  # its words alone
    arxiv: str

    @property
    def anchor(self) -> str:
        """The fragment of its entry in the bibliography (`bibtex_cite_id` in `_config.yml`)."""
        return f"cite-{self.key}"

    def is_named_in(self, text: str) -> bool:
        """Return whether a text has its arXiv number or, without one, its title or its author."""
        if self.arxiv:
            return self.arxiv in text
        near = rf"\b{self.author}\b[^\n]{{0,80}}\b({'|'.join(self.years)})\b"
        return self.title in _words(text) or re.search(near, text) is not None


def _words(text: str) -> str:
    """Return the words of a text, in small letters and a space between, to compare titles."""
    return " ".join(re.findall(r"\w+", text.lower()))


def _arxiv(fields: str) -> str:
    found = re.search(r"arXiv:(\d{4}\.\d{4,5})", fields)
    return found[1] if found else ""


@cache
def papers() -> tuple[Paper, ...]:
    """Return all papers in the order of their file."""
    found = parse_file(str(SOURCE), bib_format="bibtex").entries
    return tuple(
        Paper(
            key=key,
            author=str(Text.from_latex(entry.persons["author"][0].last_names[-1])),
            years=(re.sub(r"\D", "", key), entry.fields["year"]),
            title=_words(str(Text.from_latex(entry.fields["title"]))),
            arxiv=_arxiv(" ".join(entry.fields.values())),
        )
        for key, entry in found.items()
    )


@cache
def named_on(slug: str) -> tuple[Paper, ...]:
    """Return the papers that a page names, in the order of their file."""
    text = "\n".join(cell.source for cell in pages.read(slug).cells)
    return tuple(paper for paper in papers() if paper.is_named_in(text))


def users(paper: Paper) -> tuple[list[str], list[str]]:
    """Return the pages that name a paper, and the modules of the package."""
    modules = sorted((pages.ROOT / "ddl").glob("*.py"))
    return (
        [slug for slug in pages.slugs() if paper in named_on(slug)],
        [path.stem for path in modules if paper.is_named_in(path.read_text(encoding="utf-8"))],
    )


def meant(author: str, year: str, slug: str) -> Paper | None:
    """Return the paper that a page means by an author and a year, if it is in the bibliography.

    A paper has two years, that of its first appearance and that of its publication; the first
    counts more. Of two papers, the one is meant that the page names among its sources.
    """
    found = [paper for paper in papers() if paper.author == author and year in paper.years]
    found.sort(key=lambda paper: (paper.years[0] != year, paper not in named_on(slug)))
    return found[0] if found else None
