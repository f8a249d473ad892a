"""Benchmarks: how two sides are compared, and that the page shows what a run has left."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import measure
from benchmarks.__main__ import COMPARISONS, main
from benchmarks.measure import Result, compare, in_turns, line, spread
from tools import pages, sphinx_benchmarks

FILE = pages.ROOT / "results" / "benchmarks.jsonl"
PINS = (pages.ROOT / "benchmarks" / "requirements.txt").read_text()


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Callable[[], None]]:
    """Return a maker of work that takes so many seconds on a made-up clock."""
    now = [0.0]
    monkeypatch.setattr(measure, "clock", lambda: now[0])

    def work(seconds: float) -> Callable[[], None]:
        def busy() -> None:
            now[0] += seconds

        return busy

    return work


def test_sides_take_turns_and_the_first_round_only_warms_up() -> None:
    calls: list[str] = []

    def side(name: str, values: Iterator[float]) -> Callable[[], float]:
        return lambda: calls.append(name) or next(values)

    found = in_turns(side("a", iter([9, 1, 2])), side("b", iter([9, 3, 4])), runs=2)
    assert found == [[1, 2], [3, 4]]
    assert "".join(calls) == "ababab"


def test_spread_is_the_largest_distance_from_the_median() -> None:
    assert spread([10, 9, 13]) == pytest.approx(0.3)
    assert spread([10, 6, 13]) == pytest.approx(0.4)


def test_seconds_are_compared_with_a_bar_from_above(slowly) -> None:
    result = compare("x", slowly(3), slowly(2), at_most=1.4)
    assert (result.ours, result.peer, result.ratio) == pytest.approx((3, 2, 1.5))
    assert (result.unit, result.bar, result.reached) == ("s", "at most 1.4", False)
    assert compare("x", slowly(3), slowly(2), at_most=1.6).reached is True


def test_items_a_second_are_compared_with_a_bar_from_below(slowly) -> None:
    result = compare("x", slowly(1), slowly(2), items=100, at_least=2.1)
    assert (result.ours, result.peer, result.ratio) == pytest.approx((100, 50, 2))
    assert (result.unit, result.bar, result.reached) == ("items/s", "at least 2.1", False)
    assert compare("x", slowly(1), slowly(2), items=100, at_least=1.9).reached is True
    assert compare("x", slowly(1), slowly(2)).reached is None


def test_lines_are_kept_until_their_comparison_is_measured_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "lines.jsonl"
    monkeypatch.setattr("torch.set_num_threads", lambda _: None)
    value = [1.23456]

    def comparison() -> list[Result]:
        return [Result("a thing", value[0], 2, None, "s", "at most 2", value[0] <= 2, (0.123,))]

    monkeypatch.setitem(COMPARISONS, "loop", comparison)
    monkeypatch.setitem(COMPARISONS, "vae", comparison)
    for name in ("loop", "vae"):
        monkeypatch.setattr("sys.argv", ["benchmarks", name, "--out", str(out)])
        main()
    value[0] = 3.0
    monkeypatch.setattr("sys.argv", ["benchmarks", "loop", "--out", str(out)])
    main()
    found = [json.loads(text) for text in out.read_text().splitlines()]
    assert [(entry["comparison"], entry["ours"]) for entry in found] == [
        ("loop", 3),
        ("vae", 1.235),
    ]
    assert found[1]["spread"] == [0.12]
    assert "a thing: 3 against 2 s (at most 2) NOT reached" in capsys.readouterr().out


def test_a_row_shows_medians_spreads_ratio_and_bar() -> None:
    whole = line(Result("x", 20_000, 1_000, 20, "items/s", "at least 10", True, (0.04, 0.1)))
    assert sphinx_benchmarks.row(whole) == [
        *("x", "20,000 items/s ± 4 %", "1,000 items/s ± 10 %", "20", "at least 10, reached")
    ]
    bare = line(Result("y", 9.5, None, None, "ms", "at most 9", False, (0.02,)))
    assert sphinx_benchmarks.row(bare) == ["y", "9.5 ms ± 2 %", "", "", "at most 9, not reached"]
    told = line(Result("z", 7, None, None, "pages", "stated", None, ()))
    assert sphinx_benchmarks.row(told) == ["z", "7 pages", "", "", "stated"]


def test_the_stored_lines_are_of_every_comparison_and_say_where_they_were_measured() -> None:
    found: list[dict[str, Any]] = sphinx_benchmarks.lines()
    assert [*dict.fromkeys(entry["comparison"] for entry in found)] == [*COMPARISONS]
    for entry in found:
        assert {"name", "ours", "peer", "ratio", "unit", "device", "cores", "threads"} <= {*entry}
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", entry["ended"])
        assert entry["versions"]["torch"]
        if kind := re.fullmatch(r"at (least|most) ([\d.]+)", entry["bar"]):
            value = entry["ours"] if entry["ratio"] is None else entry["ratio"]
            bar = float(kind[2])
            assert entry["reached"] == (value >= bar if kind[1] == "least" else value <= bar)
        else:
            assert (entry["bar"], entry["reached"]) == ("stated", None)


def test_the_others_are_pinned_with_hashes_beside_the_lock() -> None:
    head, _, pins = PINS.partition("\n")
    assert head.startswith("#")
    pattern = r"([\w.-]+)==[\w.!]+(?: \\\n {4}--hash=sha256:[0-9a-f]{64})+\n"
    assert re.sub(pattern, "", pins) == ""
    lock = (pages.ROOT / "requirements.txt").read_text()
    assert not {*re.findall(pattern, pins)} & {*re.findall(pattern, lock)}
