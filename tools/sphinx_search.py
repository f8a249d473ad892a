"""Sphinx extension: the search, which finds sections of pages.

The built pages are read once more: each section becomes an entry with its heading, its prose,
the claims on its cards, the descriptions of its figures, and the other names of the terms that
it introduces. Code, outputs and what is folded stay out. The entries are a script, so that the
search works in a folder without a server; it is loaded by the search page alone, whose
`web/static/search.js` asks MiniSearch (`web/package.json`) about them.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

from tools import glossary, pages

LIBRARY = pages.ROOT / "web" / "node_modules" / "minisearch"
# What readers do not search in: code and what it prints, formulas on a line of their own, what
# is folded, tables of other pages' claims, how something was made, lists of links.
OUT = "pre, details, script, style, .headerlink, .ddl-formula, .ddl-interactive, .ddl-launch"
OUT += ", .ddl-ledger, .ddl-made, .ddl-named, .ddl-tiles, .ddl-tip, .ddl-uses, .ddl-ways"
UNINDEXED = ("glossary",)  # its lines stand above what is found
NAMES = "dl.py"  # names that the reference explains
BLOCKS = {"p", "li", "dt", "dd", "td", "th", "div", "figcaption", "blockquote", "section", "tr"}


def entries(slug: str, title: str, html: str) -> Iterator[dict[str, Any]]:
    """Yield the sections of a built page, and the names that it explains, as entries.

    Args:
        slug: The page.
        title: Its short title.
        html: Its HTML.
    """
    article = BeautifulSoup(html, "html.parser").select_one("article")
    assert article is not None
    for left_out in article.select(OUT):
        left_out.decompose()
    for section in article.select("section[id]"):
        if heading := _heading(section):
            to = f"{slug}.html" + ("" if heading.name == "h1" else f"#{section['id']}")
            yield _entry(to, title, _words(heading).strip(), section)
    for explained in article.select(NAMES):
        name = explained.find("dt", id=True, recursive=False)
        if isinstance(name, Tag) and explained.find_parent(class_="py") is None:
            yield _entry(f"{slug}.html#{name['id']}", title, str(name["id"]), explained)


def _heading(section: Tag) -> Tag | None:
    found = section.find(re.compile("^h[1-6]$"), recursive=False)
    return found if isinstance(found, Tag) else None


def _entry(to: str, title: str, heading: str, whole: Tag) -> dict[str, Any]:
    own = [part for part in whole.children if not _elsewhere(part)]
    inside = [tag for part in own if isinstance(part, Tag) for tag in (part, *part.find_all(True))]
    cards = [tag for tag in inside if _is(tag, "ddl-claim") and tag.has_attr("id")]
    found = {
        "to": to,
        "page": title,
        "heading": heading,
        "prose": _tidy(" ".join(map(_words, own))),
        "claims": [_words(card.b).strip("✓✗○ ") for card in cards],
        "figures": [str(tag["alt"]) for tag in inside if tag.name == "img" and tag.get("alt")],
        "terms": _introduced(inside),
    }
    return {key: value for key, value in found.items() if value}


def _elsewhere(part: Any) -> bool:
    """Return whether a part of a section is its heading, or an entry of its own."""
    return isinstance(part, Tag) and (
        re.fullmatch("section|h[1-6]", part.name) is not None or _is(part, "py")
    )


def _is(tag: Tag, kind: str) -> bool:
    return kind in tag.get_attribute_list("class")


def _introduced(inside: list[Tag]) -> list[str]:
    """Return all names of the terms that stand in italics here."""
    known = {term.introduced: term for term in glossary.terms()}
    found = (known[id_] for tag in inside if (id_ := str(tag.get("id"))) in known)
    return [name for term in found for name in (term.name, *term.also)]


def _words(part: Any) -> str:
    """Return the text of a part, without what stays out."""
    if not isinstance(part, Tag):
        return str(part) if type(part) is NavigableString else ""
    if _is(part, "ddl-claim"):
        return ""  # an entry has its claims by themselves
    return "".join(map(_words, part.children)) + (" " if part.name in BLOCKS else "")


def _tidy(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def write_entries(app: Sphinx, failure: Exception | None) -> None:
    """Write the entries and the terms as a script, and copy the library beside it."""
    if failure or app.builder.format != "html":
        return
    site = Path(app.outdir)
    sections = [
        entry
        for slug in pages.files()
        if slug not in UNINDEXED
        for entry in entries(
            slug, _title(slug), (site / f"{slug}.html").read_text(encoding="utf-8")
        )
    ]
    terms = [
        {
            "name": term.name,
            "also": term.also,
            "says": term.says,
            "to": f"glossary.html#{term.anchor}",
        }
        for term in glossary.terms()
    ]
    script = f"const SECTIONS = {_json(sections)};\nconst TERMS = {_json(terms)};\n"
    (site / "_static" / "sections.js").write_text(script, encoding="utf-8", newline="\n")
    shutil.copy(LIBRARY / "dist" / "umd" / "index.js", site / "_static" / "minisearch.js")
    shutil.copy(LIBRARY / "LICENSE.txt", site / "_static" / "minisearch.LICENSE.txt")


def _title(slug: str) -> str:
    """Return what a page is called: the front page has no name in the table of contents."""
    return "Front page" if slug == pages.files()[0] else pages.short_title(slug)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    app.connect("build-finished", write_entries)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
