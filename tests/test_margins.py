"""Every claim of the book has its runs, and stands clear of its bounds in them."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tools import margins, pages, seeds
from tools.fingerprint import numbers_fingerprint

RECORD = margins.read()


@pytest.mark.parametrize("slug", pages.slugs())
def test_every_claim_of_a_page_has_its_margin(slug: str) -> None:
    found = []
    for statement, accepted in margins.stated(slug):
        entry = RECORD.get((slug, statement))
        if entry is None:
            found.append(f"{statement}: no runs; make seeds PAGES={slug}")
        elif f"{entry['measure']} {entry['accepted']}".strip() != accepted:
            found.append(f"{statement}: {accepted} is not what its runs were held against")
        else:
            found += [f"{statement}: {fault}" for fault in margins.faults(entry)]
    assert found == []


def test_the_record_holds_no_claim_that_no_page_makes() -> None:
    made = {(slug, statement) for slug in pages.slugs() for statement, _ in margins.stated(slug)}
    assert set(RECORD) == made


def claim(value: Any, **about: Any) -> dict[str, Any]:
    known = {"statement": "It is so", "measure": "", "accepted": "above 1", "lower": 1.0}
    known |= {"upper": None, "log": False, "measured": "", "verdict": "holds"}
    return {**known, "value": value, **about}


def entry_of(values: list[Any], **about: Any) -> dict[str, Any]:
    machines = ["native", "avx2", "threads"]
    runs = [
        margins.Run("page", "f", seed, machines[seed % 3], [claim(value, **about)])
        for seed, value in enumerate(values)
    ]
    return margins._entry("page", claim(None, **about), runs, 0)


def test_a_margin_is_the_distance_to_the_nearest_bound() -> None:
    entry = entry_of([2.0, 3.0, 4.0, 3.0, 3.0], upper=10.0)
    assert entry["mean"] == 3
    assert entry["sd"] == pytest.approx(math.sqrt(0.5), rel=1e-5)
    assert entry["margin_sd"] == round(2 / math.sqrt(0.5), 1)
    assert entry["worst"] == 2
    least, most = entry["interval"]  # Student's t for four degrees of freedom is 2.776
    assert most - 3 == pytest.approx(2.776 * math.sqrt(0.5 / 5), rel=1e-3)
    assert 3 - least == pytest.approx(most - 3, rel=1e-4)
    near_the_top = entry_of([2.0, 3.0, 4.0, 3.0, 3.0], upper=4.5)
    assert near_the_top["margin_sd"] == round(1.5 / math.sqrt(0.5), 1)
    assert near_the_top["worst"] == 4


def test_a_margin_of_logarithms() -> None:
    values = [2.0, 4.0, 8.0, 4.0, 4.0]
    entry = entry_of(values, log=True)
    assert entry["margin_sd"] == round(math.log(4) / (math.log(2) / math.sqrt(2)), 1)
    assert entry["margin_sd"] != entry_of(values)["margin_sd"]


@pytest.mark.parametrize(
    ("values", "about", "fault"),
    [
        ([2.0], {}, "1 runs"),
        ([2.0, 2.0, 0.9, 2.0, 2.0], {}, "a run measured 0.9"),
        ([2.0, 3.0, 1.1, 2.0, 2.0], {}, "a margin of"),
        ([True, True, False, True, True], {"lower": None}, "a run measured False"),
        ([2.0, None, 2.0, 2.0, 2.0], {}, "a run measured False"),
    ],
)
def test_what_falls_short_is_told(values: list[Any], about: dict[str, Any], fault: str) -> None:
    assert [found for found in margins.faults(entry_of(values, **about)) if fault in found]


def test_what_stands_clear_passes() -> None:
    assert margins.faults(entry_of([2.0, 2.01, 2.02, 2.0, 2.0])) == []
    exact = entry_of([2.0] * 5)
    assert exact["margin_sd"] is None
    rounded = entry_of([1e6, 1e6 + 2e-10, 1e6, 1e6, 1e6], log=True)  # of one logarithm
    assert (rounded["sd"], rounded["margin_sd"]) == (0, None)
    assert margins.faults(rounded) == []
    assert margins.faults(entry_of([True] * 5, lower=None)) == []
    assert margins.faults({**exact, "sd": 0.1, "margin_sd": 9.0, "machines": ["native"] * 5})


def test_a_run_with_other_claims_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(margins, "stated", lambda slug: [("It is so", "above 1")])
    run = margins.Run("page", "f", 0, "native", [claim(1.0), claim(2.0)])
    with pytest.raises(ValueError, match="makes other claims"):
        margins.entries("page", [run])


@pytest.mark.parametrize(
    ("text", "measure", "lower", "upper"),
    [
        ("ratio of errors above 1.5", "ratio of errors", 1.5, None),
        ("below 1e-05", "", None, 1e-5),
        ("share, mean of 24 between -0.5 and 2", "share, mean of 24", -0.5, 2.0),
    ],
)
def test_a_bound_that_moved_is_read_from_the_page(
    text: str, measure: str, lower: float | None, upper: float | None
) -> None:
    found = margins.restated(claim(2.0), "It is small", text)
    assert (found["measure"], found["lower"], found["upper"]) == (measure, lower, upper)
    assert f"{found['measure']} {found['accepted']}".strip() == text
    assert found["statement"] == "It is small"
    assert margins.restated(claim(2.0), "It is so", "above 1") == claim(2.0)
    with pytest.raises(ValueError, match="cannot be read"):
        margins.restated(claim(2.0), "It is so", "exactly 5")


def test_runs_that_were_not_checked_do_not_count() -> None:
    unchecked = claim(0.0, verdict="not checked: needs CIFAR-10")
    runs = [margins.Run("page", "f", seed, "native", [claim(2.0)]) for seed in range(2)]
    runs.append(margins.Run("page", "f", 2, "native", [unchecked]))
    assert margins._entry("page", claim(None), runs, 0)["n"] == 2


def fingerprint(code: str) -> str:
    return numbers_fingerprint(new_notebook(cells=[new_code_cell(code)]), pages.ROOT)


def test_a_bound_that_moves_needs_no_new_runs() -> None:
    first = fingerprint("%matplotlib inline\nx = 1\nclaim('It is so', x, above=0)")
    assert fingerprint("x = 1\nclaim('It is small', x, below=3, measure='gap')") == first
    assert fingerprint("x = 1\nclaim('It is so', x, above=0, log=True)") != first
    assert fingerprint("x = 2\nclaim('It is so', x, above=0)") != first
    assert fingerprint("x = 1\nclaim('It is so', x + 1, above=0)") != first
    with_module = fingerprint("from ddl.denoising import add_noise")
    assert with_module != fingerprint("from ddl.skip import concatenate")


def write_run(path: Path, value: float, **about: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([claim(value, **about)]), encoding="utf-8")


def test_former_runs_count_where_no_number_changed(tmp_path: Path) -> None:
    for seed in range(3):
        write_run(tmp_path / "page" / "former" / f"{seed}-native.json", float(seed))
        write_run(tmp_path / "page" / "another" / f"{seed}-native.json", seed + 0.5)
    now = tmp_path / "page" / "today" / "1-native.json"
    write_run(now, 1.0, log=True)
    assert seeds.take_over(now) == 2
    files = sorted(now.parent.iterdir())
    (found,) = zip(*(json.loads(p.read_text(encoding="utf-8")) for p in files), strict=True)
    assert [run["value"] for run in found] == [0.0, 1.0, 2.0]
    assert [run["log"] for run in found] == [True] * 3  # what claims say is said as today


def test_seeds_go_round_the_machines() -> None:
    assert seeds.numbers("0-2,7") == [0, 1, 2, 7]
    found = list(seeds.runs(["a", "b"], [0, 1, 2, 3], ["native", "avx2", "threads"]))
    assert found[:3] == [("a", 0, "native"), ("b", 0, "native"), ("a", 1, "avx2")]
    assert found[-1] == ("b", 3, "native")
    assert set(seeds.USUAL) <= set(seeds.MACHINES)
    assert len(seeds.USUAL) >= margins.MACHINES


def test_a_page_that_stops_fails_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def stops(slug: str, seed: int, machine: str) -> str:
        if slug == "skip":
            raise RuntimeError("the page stopped")
        return "done"

    monkeypatch.setattr(seeds, "take_down", stops)
    monkeypatch.setattr(seeds, "digits_are_real", lambda: True)
    monkeypatch.setattr("sys.argv", ["seeds", "run", "--seeds", "0", "gating", "skip"])
    with pytest.raises(SystemExit, match="1 of 2 runs stopped"):
        seeds.main()
