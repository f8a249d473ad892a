"""Sphinx extension: the ledger, every claim with this build's value and that of other runs.

- The directive ``{claims-ledger}`` has a table a page: what this build measured, what is
  accepted, and the runs from other seeds and on played machines (`results/margins.json`).
- ``{withdrawn-claims}`` lists the claims that such runs refuted (`results/withdrawn.json`).
"""

import json
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from ddl.claims import show_value
from tools import margins, pages, strip
from tools.sphinx_book import claims, made_of, page_link, table

COLUMNS = ("Statement", "This build", "Accepted", "Other runs", "Margin", "Verdict")
WITHDRAWN = ("Statement", "Accepted", "Runs", "Why it went")
WITHDRAWN_RECORD = pages.ROOT / "results" / "withdrawn.json"


class ClaimsLedger(SphinxDirective):
    """A table of claims for each page."""

    def run(self) -> list[nodes.Node]:
        """Build the tables, one a page, each row linked to its card."""
        made_of(self.env, __file__, margins.RECORD, margins.__file__, strip.__file__)
        record = margins.read()
        result: list[nodes.Node] = []
        for slug in pages.slugs():
            rows = claims(slug)
            if not rows:
                continue
            title = nodes.title("", "", page_link(slug), nodes.Text(f": {len(rows)} claims"))
            today = margins.fingerprint_of(slug)
            found = [_row(slug, row, record.get((slug, row["statement"])), today) for row in rows]
            tables = table(COLUMNS, (30, 16, 15, 21, 9, 9), found)
            result.append(nodes.section("", title, tables, ids=[f"of-{slug}"]))
        return result


def _row(
    slug: str, row: dict[str, Any], entry: dict[str, Any] | None, today: str
) -> list[nodes.Node]:
    link = nodes.reference(
        text=row["statement"], refuri=f"{slug}.html#{row['anchor']}", internal=True
    )
    measure = f" ({row['measure']})" if row["measure"] else ""
    source = f"; source: {row['source']}" if row["source"] else ""
    texts = [row["measured"] + measure, row["accepted"] + source]
    runs, margin = nodes.Text("none yet"), ""
    if entry:
        runs, margin = _runs(entry, row, older=entry["fingerprint"] != today), _margin(entry)
    return [link, *map(nodes.Text, texts), runs, nodes.Text(margin), nodes.Text(row["verdict"])]


def _runs(entry: dict[str, Any], row: dict[str, Any] | None, *, older: bool) -> nodes.Node:
    """Return how many runs there are, their mean and interval, and where they lie."""
    result = nodes.inline()
    age = ", of an earlier version of the page" if older else ""
    if not entry["sd"]:
        result += nodes.Text(f"{entry['n']}, all the same{age}")
        return result
    mean, (least, most) = show_value(entry["mean"]), map(show_value, entry["interval"])
    result += nodes.Text(f"{entry['n']}: mean {mean}, 95 % {least} to {most}{age}")
    now = row["value"] if row and isinstance(row["value"], float | int) else None
    values = entry["values"]
    words = f"{len(values)} runs between {show_value(min(values))} and {show_value(max(values))}"
    drawing = strip.svg(
        values,
        entry["lower"],
        entry["upper"],
        now=now,
        log=entry.get("log", False),  # what was withdrawn earlier does not say
        words=f"{words}; accepted {entry['accepted']}",
    )
    result += nodes.raw("", drawing, format="html")
    return result


def _margin(entry: dict[str, Any]) -> str:
    if not entry["sd"]:
        return "exact"
    margin = entry["margin_sd"]
    near = ", too near" if margin < margins.MARGIN else ""
    return "over 100 sd" if margin >= 100 else f"{margin:g} sd{near}"


class WithdrawnClaims(SphinxDirective):
    """What runs have refuted, and the page no longer says."""

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        made_of(self.env, __file__, WITHDRAWN_RECORD)
        found = json.loads(WITHDRAWN_RECORD.read_text(encoding="utf-8"))
        rows = [
            [
                nodes.inline("", "", page_link(e["page"]), nodes.Text(f": {e['claim']}")),
                nodes.Text(" ".join(filter(None, (e["measure"], e["accepted"])))),
                _runs(e, None, older=False),
                nodes.Text(e["why"]),
            ]
            for e in found
        ]
        return [table(WITHDRAWN, (32, 17, 21, 30), rows)]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    app.add_directive("claims-ledger", ClaimsLedger)
    app.add_directive("withdrawn-claims", WithdrawnClaims)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
