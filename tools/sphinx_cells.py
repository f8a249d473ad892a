"""Sphinx extension: cells as readers of the site see them.

- Code that only shows stands folded below what it shows (`tools.folding`). Readers choose in the
  page's head to see all code, what matters, or none.
- Claim cards are drawn with the runs of `results/margins.json`. Those of one cell stand
  together; what is checked exactly and holds becomes one line that opens.
"""

import itertools
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.typing import ExtensionMetadata

from ddl.claims import Claim
from ddl.support.cards import card
from tools import folding, margins, pages
from tools.notebook import claims_of
from tools.sphinx_site import details

CARD = '<div class="ddl-claim '
EXERCISE = {*folding.TASK, "solution"}  # tags of cells that stay as they are
ROUNDING = 1e-3  # who says that a gap lies between 0 and this says that two things are the same


class Cells(SphinxPostTransform):
    """Rearranges the cells of a page."""

    default_priority = 790  # after MyST-NB has chosen outputs, before links are made
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Fold code and group cards."""
        slug = self.env.docname
        if slug not in pages.slugs():
            return
        page = pages.checked(slug)
        known = {row["anchor"]: claim_of(row) for row in claims_of(page)} if page else {}
        record = {key[1]: entry for key, entry in margins.read().items() if key[0] == slug}
        kinds = folding.folded(page or pages.read(slug))
        for cell in self.document.findall(nodes.container):
            if cell.get("nb_element") != "cell_code":
                continue
            for output in cell.findall(nodes.container):
                if output.get("nb_element") == "cell_code_output":
                    group_cards(output, known, record)
            if kind := kinds.get(cell["cell_index"]):
                fold(cell, kind)
            elif not EXERCISE & set(cell["cell_metadata"].get("tags", [])):
                make_foldable(cell)


def claim_of(row: dict[str, Any]) -> Claim:
    """Return a claim from what a page's checked outputs hold of it."""
    return Claim(**{name: row[name] for name in Claim.__dataclass_fields__})


def fold(cell: nodes.container, kind: str) -> None:
    """Put the code of a cell below its outputs, folded; what imports print is folded, too."""
    parts = [node for node in cell.children if isinstance(node, nodes.Element)]
    code = [n for n in parts if kind == "imports" or n.get("nb_element") == "cell_code_source"]
    for node in code:
        cell.remove(node)
    folded = details(classes=["ddl-code"], summary=folding.WORDS[kind])
    folded += code
    cell += folded


def make_foldable(cell: nodes.container) -> None:
    """Let the button in the page's head fold code that is not folded at first."""
    for node in list(cell.findall(nodes.container)):
        if node.get("nb_element") == "cell_code_source":
            shown = details(classes=["ddl-core"], summary=folding.WORDS["code"], open=True)
            node.replace_self(shown)
            shown += node


def group_cards(
    output: nodes.container, known: dict[str, Claim], record: dict[str, dict[str, Any]]
) -> None:
    """Draw the cards of a cell anew, those in a row as one group."""
    parts = [(known.get(_anchor(node)), node) for node in output.children]
    output.clear()
    for is_card, group in itertools.groupby(parts, lambda part: part[0] is not None):
        if not is_card:
            output += [node for _, node in group]
            continue
        drawn = [(drawn_card(c, record.get(c.statement)), c) for c, _ in group if c]
        output += nodes.raw("", grouped(drawn), format="html")


def _anchor(node: nodes.Node) -> str:
    """Return the id of the card that a node is, or nothing."""
    text = node.astext() if isinstance(node, nodes.raw) else ""
    return text.partition(' id="')[2].partition('"')[0] if text.startswith(CARD) else ""


def drawn_card(claim: Claim, entry: dict[str, Any] | None) -> str:
    """Return a card with the other runs of a claim that varies, and a link to itself."""
    text = card(claim, entry["values"] if entry and entry["sd"] else ())
    link = f'<a class="ddl-permalink" href="#{claim.anchor}" aria-label="Link to this claim">#</a>'
    return text.replace("</b></div>", f"</b>{link}</div>", 1)


def grouped(drawn: list[tuple[str, Claim]]) -> str:
    """Return cards that stand in a row as one block, exact ones in a line that opens."""
    loud = [text for text, claim in drawn if not is_exact(claim)]
    quiet = [text for text, claim in drawn if is_exact(claim)]
    if len(loud) + len(quiet) == 1 and loud:
        return loud[0]
    result = f'<div class="ddl-claims">{"".join(loud)}</div>' if loud else ""
    if quiet:
        count = "1 check holds" if len(quiet) == 1 else f"{len(quiet)} checks hold"
        result += (
            f'<details class="ddl-checks"><summary>{count}</summary>{"".join(quiet)}</details>'
        )
    return result


def is_exact(claim: Claim) -> bool:
    """Return whether a claim that holds says that things are equal, or answers yes or no."""
    if claim.verdict != "holds" or claim.control is not None:
        return False
    if isinstance(claim.value, bool) or claim.lower == claim.upper:
        return True
    gap = claim.lower is None and not claim.log  # with `log` it says how much smaller one is
    return gap and claim.upper is not None and 0 < claim.upper <= ROUNDING


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    app.add_post_transform(Cells)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
