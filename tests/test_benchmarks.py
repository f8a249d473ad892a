"""Benchmarks: how two sides are compared, and that the page shows what a run has left."""

import json
import re
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks import diffusion, measure
from benchmarks.__main__ import COMPARISONS, main
from benchmarks.measure import Result, compare, in_turns, line, race, spread, until
from ddl.data import Dataset, Split
from ddl.diffusion import cosine_schedule
from ddl.scoring import DigitClassifier
from tools import pages, sphinx_benchmarks

FILE = pages.ROOT / "results" / "benchmarks.jsonl"
PINS = (pages.ROOT / "benchmarks" / "requirements.txt").read_text(encoding="utf-8")


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


def test_seconds_until_a_check_holds_are_those_of_the_steps_alone(slowly) -> None:
    def checks(*answers: bool) -> Callable[[], bool]:
        left = iter(answers)
        return lambda: slowly(100)() or next(left)

    step = (slowly(3)() for _ in repeat(None))
    assert until(checks(False, False, True), step, every=2, limit=99) == 18
    assert until(checks(True), step, every=2, limit=99) == 6
    assert until(checks(True), step, every=2, limit=6) == 6
    assert until(checks(False), step, every=2, limit=6) == 6
    assert until(checks(False), step, every=2, limit=7) == 7  # the second check comes too late


def test_a_race_stops_the_other_at_a_multiple_of_our_seconds_and_says_so() -> None:
    calls: list[tuple[str, int]] = []

    def run(name: str, seconds: list[float]) -> measure.Run:
        return lambda turn, limit: calls.append((name, turn)) or min(seconds[turn], limit)

    def result(peer: list[float], at_most: float = 0.5) -> Result:
        return race("x", run("a", [3, 1, 2, 2, 2]), run("b", peer), at_most=at_most, note="told")

    there = result([7, 2, 4, 4, 3])
    assert calls == [(name, turn) for turn in range(5) for name in "ab"]
    assert (there.ours, there.peer, there.ratio, there.unit) == (2, 4, 0.5, "s")
    assert (there.bar, there.reached) == ("at most 0.5", True)
    assert (there.spread, there.note) == ((0.5, 0.75), "told")
    assert result([7, 2, 4, 4, 3], at_most=0.4).reached is False
    stopped = result([7, 99, 99, 3, 4])
    assert (stopped.peer, stopped.ratio, stopped.spread) == (4, 0.5, (0.5, 0.75))
    assert stopped.note == (
        "told; 2 of 5 runs of the other were stopped before, at 2.5 times our seconds: "
        "it takes at least what is shown, and the ratio is at most that"
    )
    with pytest.raises(RuntimeError, match="x: ours was not there after 600 s"):
        race("x", run("a", [999]), run("b", [1]), at_most=1, note="")


def test_a_velocity_tells_the_noise() -> None:
    schedule, generator = cosine_schedule(1000), torch.Generator().manual_seed(0)
    x0 = torch.randn(5, 1, 3, 2, generator=generator)
    x, t, noise = schedule.draw(x0, generator=generator)
    alpha_bar = schedule.at(schedule.alpha_bar, t, x)
    v = alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * x0

    class Right(nn.Module):
        def forward(self, x: Tensor, t: Tensor) -> Tensor:
            return v

    torch.testing.assert_close(diffusion.Velocity(Right(), schedule)(x, t), noise)


def test_nets_are_raced_to_a_score_the_other_at_its_best_rate(
    monkeypatch: pytest.MonkeyPatch, slowly
) -> None:
    sizes = {
        "TRAINED": 60,
        "JUDGED": 30,
        "REAL": 20,
        "SAMPLES": 9,
        "ROUND": 4,
        "TRIAL": 2,
        "STRIDES": 2,
    }
    for name, value in sizes.items():
        monkeypatch.setattr(diffusion, name, value)
    some = Split(torch.rand(110, 1, 28, 28), torch.arange(110) % 10)
    monkeypatch.setattr(diffusion, "digits", lambda *_: Dataset("some", some, some))
    asked: list[str] = []

    class Net(nn.Module):
        def __init__(self, name: str, seconds: float) -> None:
            super().__init__()
            self.name, self.seconds, self.net = name, seconds, nn.Conv2d(1, 1, 1)

        def forward(self, x: Tensor, t: Tensor) -> Tensor:
            slowly(self.seconds)()
            asked.append(f"{self.name} {'learns' if self.training else 'draws'} {len(x)}")
            return self.net(x)

    monkeypatch.setattr(diffusion, "ours", lambda _: Net("ours", 3))
    monkeypatch.setattr(diffusion, "lucidrains", lambda _: Net("other", 5))
    told: list[str] = []
    monkeypatch.setattr(diffusion, "Velocity", lambda net, _: told.append(net.name) or net)
    rates: list[float] = []
    adam = torch.optim.Adam
    monkeypatch.setattr(torch.optim, "Adam", lambda p, lr: rates.append(lr) or adam(p, lr))
    judge = DigitClassifier(14)
    monkeypatch.setattr(diffusion, "train_digit_classifier", lambda *_, **__: judge)
    turn = [50, 40, 12.9, 50, 12.9]  # ours is there in the third round, the other in the second
    scores = iter([30, 21, 22, 25, *[1] * 7, *turn * measure.RUNS])
    monkeypatch.setattr(diffusion, "frechet_distance", lambda *_: next(scores))
    (found,) = diffusion.to_a_score()
    assert not [*scores]
    assert told == ["other"] * (4 + measure.RUNS)
    assert rates == [3e-4, 1e-3, 2e-3, 4e-3, *[2e-3, 1e-3] * measure.RUNS]
    assert (found.ours, found.peer, found.ratio) == (3 * 4 * 3, 2 * 4 * 5, 0.9)
    assert (found.bar, found.reached, found.spread) == ("at most 0.5", False, (0, 0))
    assert found.note.endswith("had 30 by 0.0003, 21 by 0.001, 22 by 0.002, 25 by 0.004")
    assert {*asked} == {f"{name} {what}" for name in ("ours", "other")
                        for what in ("learns 32", "draws 9")}  # fmt: skip


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
    found = [json.loads(text) for text in out.read_text(encoding="utf-8").splitlines()]
    assert [(entry["comparison"], entry["ours"]) for entry in found] == [
        ("loop", 3),
        ("vae", 1.235),
    ]
    assert found[1]["spread"] == [0.12]
    assert "a thing: 3 against 2 s (at most 2) NOT reached" in capsys.readouterr().out


def test_a_row_shows_medians_spreads_ratio_and_bar() -> None:
    whole = line(Result("x", 20_000, 1_000, 20, "items/s", "at least 10", True, (0.04, 0.1)))
    shown = [text.replace("\u00a0", "~") for text in sphinx_benchmarks.row(whole)]
    assert shown == [
        *("x", "20,000 items/s ±~4%", "1,000 items/s ±~10%", "more", "20", "at least 10, reached")
    ]
    bare = line(Result("y", 9.5, None, None, "ms", "at most 9", False, (0.02,)))
    shown = [text.replace("\u00a0", "~") for text in sphinx_benchmarks.row(bare)]
    assert shown == ["y", "9.5 ms ±~2%", "", "less", "", "at most 9, not reached"]
    told = line(Result("z", 7, None, None, "pages", "stated", None, ()))
    assert sphinx_benchmarks.row(told) == ["z", "7 pages", "", "less", "", "stated"]


def test_a_machine_is_named_once_with_all_its_days() -> None:
    entry = {"device": "CPU", "cores": 2, "threads": 1, "versions": {"torch": "2.13.0"}}
    found = [
        entry | {"ended": ended}
        for ended in ("2026-02-02 10:00", "2026-01-01 09:00", "2026-02-02 11:00")
    ]
    assert sphinx_benchmarks.measured(found) == (
        "Measured 2026-01-01 and 2026-02-02 on CPU with 2 cores, threads 1; torch 2.13.0."
    )


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
    lock = (pages.ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert not {*re.findall(pattern, pins)} & {*re.findall(pattern, lock)}
