"""The ledger's column of runs: words and a drawing that say the same."""

import re
from typing import Any

import pytest
from docutils import nodes

from ddl.support import cards
from tools import sphinx_ledger

ENTRY: dict[str, Any] = {
    "measure": "ratio of errors",
    "accepted": "above 1.5",
    "lower": 1.5,
    "upper": None,
    "log": True,
    "n": 5,
    "mean": 2.0,
    "interval": [1.75, 2.25],
    "sd": 0.2,
    "margin_sd": 3.5,
    "values": [1.75, 2.0, 2.25, 2.0, 2.0],
}


def places(drawing: str, name: str = "cx") -> list[float]:
    return [float(x) for x in re.findall(rf'<circle class="run" {name}="([\d.]+)"', drawing)]


def test_a_bar_shows_runs_and_range() -> None:
    drawing = cards.bar([2.0, 3.0, 4.0], 1.0, 5.0, now=3.0, words="a & b")
    assert places(drawing) == [48.0, 80.0, 112.0]  # of 16 to 144, the middle is 80
    assert '<rect x="16.0" y="4" width="128"' in drawing
    assert 'class="now" cx="80.0"' in drawing
    assert 'role="img" aria-label="a &amp; b"' in drawing


def test_a_range_without_an_end_reaches_the_edge() -> None:
    assert '<rect x="0" y="4" width="144"' in cards.bar([1.0], None, 2.0, words="w")
    assert '<rect x="16.0" y="4" width="144"' in cards.bar([2.0], 1.0, None, words="w")


def test_an_axis_can_be_logarithmic() -> None:
    drawing = cards.bar([1.0, 10.0, 100.0], None, 100.0, log=True, words="w")
    assert places(drawing) == [16.0, 80.0, 144.0]
    assert places(cards.bar([0.0, 5.0, 10.0], None, 10.0, log=True, words="w"))[1] == 80.0


def test_one_run_on_its_bound_is_drawn() -> None:
    assert places(cards.bar([1.0], 1.0, 1.0, words="w")) == [16.0]


def row(**about: Any) -> dict[str, Any]:
    known = {"statement": "It is so", "measure": "", "measured": "2", "accepted": "above 1.5"}
    known |= {"source": "", "verdict": "holds", "anchor": "claim-it-is-so"}
    return {**known, "value": 2.0, **about}


def cells(entry: dict[str, Any] | None, today: str = "f") -> list[nodes.Node]:
    return sphinx_ledger._row("page", row(source="He et al."), entry, today)


def test_a_row_says_how_many_runs_and_how_far_from_the_bound() -> None:
    _, now, accepted, runs, margin, verdict = cells({**ENTRY, "fingerprint": "f"})
    assert [c.astext() for c in (now, accepted, margin, verdict)] == [
        "2",
        "above 1.5; source: He et al.",
        "3.5 sd",
        "holds",
    ]
    assert runs.astext().startswith("5: mean 2, 95 % 1.75 to 2.25<svg")
    assert "5 runs between 1.75 and 2.25; accepted above 1.5" in runs.astext()


def test_runs_of_an_earlier_version_are_marked() -> None:
    assert "of an earlier version" in cells({**ENTRY, "fingerprint": "g"})[3].astext()


@pytest.mark.parametrize(
    ("entry", "runs", "margin"),
    [
        (None, "none yet", ""),
        ({**ENTRY, "fingerprint": "f", "sd": 0.0}, "5, all the same", "exact"),
    ],
)
def test_what_does_not_vary_needs_no_drawing(entry: Any, runs: str, margin: str) -> None:
    found = cells(entry)
    assert found[3].astext() == runs
    assert found[4].astext() == margin


@pytest.mark.parametrize(
    ("entry", "kinds"),
    [
        (None, []),
        ({**ENTRY, "sd": 0.0}, ["exact"]),
        (ENTRY, ["varies"]),
        ({**ENTRY, "margin_sd": 2.9}, ["varies", "near"]),
    ],
)
def test_the_kind_of_a_claim_is_what_its_runs_say(entry: Any, kinds: list[str]) -> None:
    assert sphinx_ledger._kinds(entry) == kinds


def test_a_page_is_counted_by_verdict_and_kind() -> None:
    rows = [row(), row(verdict="fails"), row(verdict="not checked: needs MNIST")]
    counts = sphinx_ledger._counts(rows, [ENTRY, {**ENTRY, "margin_sd": 1.0}, None])
    assert sphinx_ledger._told(counts) == "1 hold, 1 fail, 1 not checked, 2 vary, 1 too near"
    totals = sphinx_ledger._totals({"page": counts, "other": counts})
    lines = [line.astext().split() for line in totals.findall(nodes.row)]
    assert lines[1] == ["All", "pages", "6", "2", "2", "2", "4", "0", "2"]
    assert lines[3] == ["other", "3", "1", "1", "1", "2", "0", "1"]
