"""Sphinx extension: what `make bench` measured.

The directive ``{benchmarks}`` makes a table of `results/benchmarks.jsonl`, and says below it
how each line is to be read and where it was measured.
"""

import json
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from tools import pages
from tools.sphinx_book import list_item, table

HEAD = ("Comparison", "Ours", "The other", "Better is", "Ratio", "Bar")
BETTER = {"items/s": "more", "s": "less", "ms": "less", "pages": "less"}  # by the unit
REACHED = {True: "reached", False: "not reached", None: ""}


def lines() -> list[dict[str, Any]]:
    """Return what was measured, in the order of the file."""
    text = (pages.ROOT / "results" / "benchmarks.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def row(line: dict[str, Any]) -> list[str]:
    """Return a line as the table shows it: medians with the spread of their runs."""
    spreads = [f" ±\u00a0{spread:.0%}" for spread in line["spread"]] + ["", ""]
    ours, peer = (
        "" if value is None else f"{_number(value)} {line['unit']}{spread}"
        for value, spread in zip((line["ours"], line["peer"]), spreads, strict=False)
    )
    ratio = "" if line["ratio"] is None else f"{line['ratio']:.3g}"
    bar = ", ".join(filter(None, (line["bar"], REACHED[line["reached"]])))
    return [line["name"], ours, peer, BETTER[line["unit"]], ratio, bar]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def made(line: dict[str, Any]) -> str:
    """Return where and with what a line was measured."""
    versions = ", ".join(f"{name} {version}" for name, version in line["versions"].items())
    return f"{line['device']} with {line['cores']} cores, threads {line['threads']}; {versions}"


def measured(found: list[dict[str, Any]]) -> str:
    """Return on which days and where all was measured, each place once."""
    places: dict[str, set[str]] = {}
    for line in found:
        places.setdefault(made(line), set()).add(line["ended"][:10])
    runs = (f"{' and '.join(sorted(days))} on {place}" for place, days in places.items())
    return f"Measured {'; and '.join(runs)}."


class Benchmarks(SphinxDirective):
    """The table, what must be known to read it, and where it was measured."""

    def run(self) -> list[nodes.Node]:
        """Build it anew in every build."""
        self.env.note_reread()
        found = lines()
        cells = [[nodes.Text(text) for text in row(line)] for line in found]
        notes = nodes.bullet_list()
        for line in found:
            if line["note"]:
                notes += list_item(
                    nodes.strong(text=line["name"]), nodes.Text(f": {line['note']}.")
                )
        runs = nodes.paragraph()
        runs += nodes.Text(measured(found))
        return [table(HEAD, (37, 16, 16, 9, 8, 14), cells), notes, runs]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    app.add_directive("benchmarks", Benchmarks)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
