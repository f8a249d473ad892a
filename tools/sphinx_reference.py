"""Sphinx extension: the reference of `ddl` and its pages, linked both ways.

Which page teaches what is read from the pages' own imports. The reference says
below each function where it is taught; each page ends with what it uses, and
the listings of a page lead to the reference. There each module is folded behind its names.
"""

import ast
import re
from collections.abc import Container
from functools import cache
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.typing import ExtensionMetadata

from tools import pages
from tools.notebook import code_cells
from tools.sphinx_site import details

REFERENCE = "reference"  # the page with the reference; a book without it gets no links


@cache
def used_by(slug: str) -> tuple[str, ...]:
    """Return the public names of `ddl` that a page imports, as ``ddl.gating.Highway``."""
    found: dict[str, None] = {}
    for cell in code_cells(pages.read(slug)):
        lines = (line for line in cell.source.split("\n") if not line.startswith(("%", "!")))
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ddl."):
                if node.module == "ddl.exercises":
                    continue
                found |= {f"{node.module}.{alias.name}": None for alias in node.names}
    return tuple(sorted(found))


def teachers(name: str) -> list[str]:
    """Return the pages that use a name, the one with the module's own slug first."""
    slugs = [slug for slug in pages.slugs() if name in used_by(slug)]
    return sorted(slugs, key=lambda slug: slug != name.split(".")[1])


def add_teachers(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Set the source as a paragraph, and say below a function or class which pages use it."""
    for start, line in enumerate(lines):
        if line.startswith("Source:"):
            end = next((k for k in range(start, len(lines)) if not lines[k].strip()), len(lines))
            text = " ".join(part.strip() for part in lines[start:end]).removeprefix("Source:")
            lines[start:end] = [f"**Source:** {text.strip()}"]
            break
    if lines and lines[0].startswith("Alias for field number"):
        lines.clear()  # Python says it of a named tuple; the name and the type say more
    if what not in ("function", "class", "exception"):
        return
    slugs = teachers(name)
    if slugs:
        links = (f":doc:`{slug.replace('_', ' ')} <{slug}>`" for slug in slugs)
        lines += ["", "*On the pages:* " + ", ".join(links), ""]


def add_uses(app: Sphinx, doctree: nodes.document) -> None:
    """Say at the end of a page what it uses, each name linked to the reference."""
    slug = app.env.docname
    if slug not in pages.slugs() or REFERENCE not in app.env.found_docs:
        return
    names = used_by(slug)
    if not names:
        return
    paragraph = nodes.paragraph(classes=["ddl-uses"])
    paragraph += nodes.Text("From the package, this page uses ")
    for count, name in enumerate(names):
        if count:
            paragraph += nodes.Text(", ")
        link = addnodes.pending_xref(
            "", refdomain="py", reftype="obj", reftarget=name, refexplicit=True, refdoc=slug
        )
        link += nodes.literal(text=name.removeprefix("ddl."))
        paragraph += link
    paragraph += nodes.Text(".")
    section = next(doctree.findall(nodes.section))
    section += paragraph


class FoldModules(SphinxPostTransform):
    """Folds each module of the reference; a link to a name opens it."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Put what follows a module's first sentence into `details`, its names as the summary."""
        if self.env.docname != REFERENCE:
            return
        for section in list(self.document.findall(nodes.section)):
            names = [
                signature["fullname"]
                for description in section.children
                if isinstance(description, addnodes.desc)
                for signature in description.findall(addnodes.desc_signature)
                if signature.parent is description and "fullname" in signature
            ]
            if names:
                folded = details(classes=["ddl-fold"], summary=", ".join(names))
                start = section.first_child_matching_class(nodes.paragraph) or 0
                folded += section.children[start + 1 :]
                del section[start + 1 :]
                section += folded


def link_listings(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Link the head of each listing that `show_code` made to where the reference explains it."""
    explained = app.env.get_domain("py").objects  # type: ignore[attr-defined]
    if "body" in context:
        context["body"] = with_links(context["body"], explained)


def with_links(body: str, explained: Container[str]) -> str:
    """Return HTML in which the head of a listing, ``# ddl.gating.gate``, is a link."""

    def linked(match: re.Match[str]) -> str:
        name = match[1]
        link = f'# <a href="{REFERENCE}.html#{name}">{name}</a>'
        return match[0].replace(f"# {name}", link) if name in explained else match[0]

    return re.sub(r'<span class="c1"># (ddl\.[\w.]+)</span>', linked, body)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    app.add_post_transform(FoldModules)
    app.connect("autodoc-process-docstring", add_teachers, priority=400)  # before napoleon
    app.connect("doctree-read", add_uses)
    app.connect("html-page-context", link_listings)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
