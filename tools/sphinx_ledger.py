"""Sphinx extension: the ledger, every claim with this build's value and that of other runs.

- The directive ``{claims-ledger}`` counts all claims, and has a folded table a page: what this
  build measured, what is accepted, and the runs from other seeds and on played machines
  (`results/margins.json`). `web/static/site.js` filters the rows by their classes.
- ``{withdrawn-claims}`` lists the claims that such runs refuted (`results/withdrawn.json`).
"""

import json
from collections import Counter
from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from ddl.claims import show_value
from ddl.support import cards
from tools import margins, pages
from tools.sphinx_book import claim_link, claims, made_of, page_link, table
from tools.sphinx_site import details

COLUMNS = ("Statement", "This build", "Accepted", "Other runs", "Margin", "Verdict")
WITHDRAWN = ("Statement", "Accepted", "Runs", "Why it went")
TOTALS = ("Page", "Claims", "Hold", "Fail", "Not checked", "Vary", "Exact", "Too near")
KINDS = {"varies": "Vary", "exact": "Exact", "near": "Too near"}  # a row's classes, a total each
FILTER = """\
<form class="ddl-filter" aria-label="Filter the claims">
<label>Words <input type="search" name="words" autocomplete="off"></label>
<label>Page <select name="page"><option value="">all</option>{pages}</select></label>
<label>Kind <select name="kind"><option value="">all</option>
<option value="ddl-varies">varies</option><option value="ddl-exact">exact</option>
<option value="ddl-near">too near</option><option value="ddl-withdrawn">withdrawn</option>
</select></label>
<output></output>
</form>
"""
WITHDRAWN_RECORD = pages.ROOT / "results" / "withdrawn.json"


class ClaimsLedger(SphinxDirective):
    """How many claims there are, and a table of them for each page."""

    def run(self) -> list[nodes.Node]:
        """Build the tables, one a page, each row linked to its card."""
        made_of(self.env, __file__, margins.RECORD, margins.__file__, cards.__file__)
        record = margins.read()
        counts: dict[str, Counter[str]] = {}
        sections: list[nodes.Node] = []
        for slug in pages.slugs():
            rows = claims(slug)
            if not rows:
                continue
            entries = [record.get((slug, row["statement"])) for row in rows]
            counts[slug] = _counts(rows, entries)
            title = nodes.title("", "", page_link(slug), nodes.Text(f": {len(rows)} claims"))
            today = margins.fingerprint_of(slug)
            found = [_row(slug, *pair, today) for pair in zip(rows, entries, strict=True)]
            folded = details(classes=["ddl-fold"], summary=_told(counts[slug]))
            folded += table(
                COLUMNS,
                (30, 16, 15, 21, 9, 9),
                found,
                names=[row["anchor"] and f"{slug}-{row['anchor']}" for row in rows],
                classes=[_classes(slug, _kinds(entry)) for entry in entries],
            )
            sections.append(nodes.section("", title, folded, ids=[f"of-{slug}"]))
        options = "".join(
            f'<option value="ddl-of-{slug}">{escape(pages.short_title(slug))}</option>'
            for slug in counts
        )
        form = nodes.raw("", FILTER.format(pages=options), format="html")
        return [_totals(counts), form, *sections]


def _kinds(entry: dict[str, Any] | None) -> list[str]:
    """Return what other runs say of a claim: whether it varies, and is then too near its bounds."""
    if not entry:
        return []
    if not entry["sd"]:
        return ["exact"]
    return ["varies", "near"] if entry["margin_sd"] < margins.MARGIN else ["varies"]


def _classes(slug: str, kinds: list[str]) -> list[str]:
    """Return the classes of a row, by which the page filters."""
    return ["ddl-claimed", f"ddl-of-{slug}", *(f"ddl-{kind}" for kind in kinds)]


def _counts(rows: list[dict[str, Any]], entries: list[dict[str, Any] | None]) -> Counter[str]:
    """Return how many claims of a page there are, by verdict and by kind."""
    verdicts = {"holds": "Hold", "fails": "Fail"}
    counts = Counter(verdicts.get(row["verdict"], "Not checked") for row in rows)
    counts["Claims"] = len(rows)
    counts.update(KINDS[kind] for entry in entries for kind in _kinds(entry))
    return counts


def _told(counts: Counter[str]) -> str:
    """Return the counts of a page in words, without those that are zero."""
    return ", ".join(f"{counts[name]} {name.lower()}" for name in TOTALS[2:] if counts[name])


def _totals(counts: dict[str, Counter[str]]) -> nodes.table:
    """Return the table of all counts: the whole book, then its pages."""
    everything = sum(counts.values(), Counter())
    shown = [name for name in TOTALS[1:] if everything[name] or name != "Fail"]
    lines: list[tuple[nodes.Node, Counter[str]]] = [(nodes.strong(text="All pages"), everything)]
    for slug, found in counts.items():
        link = nodes.reference(
            text=pages.short_title(slug), refuri=f"#of-{slug}", refid=f"of-{slug}"
        )
        lines.append((link, found))
    rows = [[head, *(nodes.Text(f"{found[name]:,}") for name in shown)] for head, found in lines]
    width = 70 // len(shown)
    return table(
        ("Page", *shown), (100 - width * len(shown), *[width] * len(shown)), rows, cards=False
    )


def _row(
    slug: str, row: dict[str, Any], entry: dict[str, Any] | None, today: str
) -> list[nodes.Node]:
    measure = f" ({row['measure']})" if row["measure"] else ""
    source = f"; source: {row['source']}" if row["source"] else ""
    texts = [row["measured"] + measure, row["accepted"] + source]
    runs, margin = nodes.Text("none yet"), ""
    if entry:
        runs, margin = _runs(entry, row, older=entry["fingerprint"] != today), _margin(entry)
    return [
        claim_link(slug, row),
        *map(nodes.Text, texts),
        runs,
        nodes.Text(margin),
        nodes.Text(row["verdict"]),
    ]


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
    drawing = cards.bar(
        values,
        entry["lower"],
        entry["upper"],
        now=now,
        log=entry["log"],
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
        classes = [_classes(e["page"], ["withdrawn"]) for e in found]
        return [table(WITHDRAWN, (32, 17, 21, 30), rows, classes=classes)]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    app.add_directive("claims-ledger", ClaimsLedger)
    app.add_directive("withdrawn-claims", WithdrawnClaims)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
