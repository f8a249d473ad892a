"""The reference lists every module, and every public name of a concept is used."""

import ast
import re

import pytest

from tools import pages
from tools.sphinx_reference import teachers, with_links

LISTED = re.findall(
    r"automodule:: ddl\.(?:support\.)?(\w+)",
    (pages.BOOK / "reference.md").read_text(encoding="utf-8"),
)
# No reader calls how files are fetched, files and arguments are checked, and numbers widened.
HIDDEN = {"__init__", "datafiles", "fetching", "inputs", "numerics"}


def public_names(slug: str) -> dict[str, bool]:
    """Return the public names of a module, and whether its other code uses them."""
    text = (pages.ROOT / "ddl" / f"{slug}.py").read_text(encoding="utf-8")
    return {
        node.name: len(re.findall(rf"\b{node.name}\b", text)) > 1
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    }


def test_every_module_is_listed_once() -> None:
    folders = (pages.ROOT / "ddl", pages.ROOT / "ddl" / "support")
    modules = {path.stem for folder in folders for path in folder.glob("*.py")} - HIDDEN
    assert sorted(LISTED) == sorted(modules | {"drawing", "exercises", "recipes"})


@pytest.mark.parametrize("slug", pages.slugs())
def test_every_public_name_of_a_concept_is_used_on_a_page(slug: str) -> None:
    names = public_names(slug)
    assert names
    idle = [n for n, inside in names.items() if not inside and not teachers(f"ddl.{slug}.{n}")]
    assert idle == [], "no page uses it: neither taught nor needed"


def test_a_listing_leads_to_the_reference_where_that_explains_it() -> None:
    head = '<span class="c1"># ddl.gating.{}</span>\n'
    body = head.format("gate") + head.format("_private")
    link = '<span class="c1"># <a href="reference.html#ddl.gating.gate">ddl.gating.gate</a></span>'
    assert with_links(body, {"ddl.gating.gate"}) == f"{link}\n{head.format('_private')}"


def test_the_bibliography_names_every_paper_and_no_other() -> None:
    named = "\n".join(
        [c.source for slug in pages.slugs() for c in pages.read(slug).cells]
        + [path.read_text(encoding="utf-8") for path in (pages.ROOT / "ddl").rglob("*.py")]
    )
    numbers = r"arXiv:(\d{4}\.\d{4,5})"
    listed = re.findall(numbers, (pages.BOOK / "references.bib").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(set(re.findall(numbers, named)))
