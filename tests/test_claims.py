import json

import pytest
import torch

from ddl import claims, data
from ddl.claims import CLAIM_MIME, Claim, ClaimError, claim, say, show_value
from ddl.support.cards import card


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    """What a page would show: text and rich outputs."""
    cards: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(claims, "show", lambda text, rich: cards.append((text, rich)))
    monkeypatch.setenv("DDL_SCALE", "cpu")
    return cards


@pytest.mark.parametrize(
    ("measured", "bounds", "accepted"),
    [
        (0.14, {"below": 0.15}, "below 0.15"),
        (1.2, {"above": 1.05}, "above 1.05"),
        (0.16, {"above": 0.15, "below": 0.17}, "between 0.15 and 0.17"),
        (185_873, {"equals": 185_873}, "exactly 185,873"),
        ((4, 3), {"equals": (4, 3)}, "exactly (4, 3)"),
        (0.0571, {"equals": 0.057, "within": 1e-3}, "0.057 ± 0.001"),
        (True, {}, "true"),
    ],
)
def test_holds(shown: list, measured: object, bounds: dict, accepted: str) -> None:
    claim("It is so", measured, **bounds)
    text, rich = shown[0]
    assert text == f"Claim: It is so\nAccepted: {accepted}\nVerdict: holds"
    assert rich[CLAIM_MIME]["verdict"] == "holds"
    json.dumps(rich)


@pytest.mark.parametrize(
    ("measured", "bounds"),
    [
        (0.15, {"below": 0.15}),
        (1.05, {"above": 1.05}),
        (0.14, {"above": 0.15, "below": 0.17}),
        (0.18, {"above": 0.15, "below": 0.17}),
        (185_872, {"equals": 185_873}),
        ((3, 4), {"equals": (4, 3)}),
        (0.06, {"equals": 0.057, "within": 1e-3}),
        (False, {}),
        (float("nan"), {"below": 1.0}),
        (float("nan"), {"above": 1.0}),
        (float("nan"), {"equals": 1.0, "within": 1.0}),
    ],
)
def test_fails_loudly_and_shows_why(shown: list, measured: object, bounds: dict) -> None:
    with pytest.raises(ClaimError, match="It is so: measured"):
        claim("It is so", measured, **bounds)
    assert shown[0][0].endswith("Verdict: fails")


def test_a_failing_claim_is_shown_and_passed_where_a_reader_builds(
    shown: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DDL_CLAIMS", "show")
    claim("It is so", 0.18, below=0.17)
    text, rich = shown[0]
    assert text.endswith("Verdict: fails")
    assert "ddl-fails" in rich["text/html"]
    assert rich[CLAIM_MIME]["verdict"] == "fails"


@pytest.mark.parametrize(
    ("measured", "bounds", "value", "lower", "upper"),
    [
        (1.25, {"above": 1.05}, 1.25, 1.05, None),
        (torch.tensor(0.25), {"above": 0.0, "below": 0.5}, 0.25, 0.0, 0.5),
        (3, {"equals": 3}, 3.0, 3.0, 3.0),
        (0.5, {"equals": 0.25, "within": 0.5}, 0.5, -0.25, 0.75),
        ((4, 3), {"equals": (4, 3)}, True, None, None),
        (True, {}, True, None, None),
    ],
)
def test_the_ledger_gets_the_number_and_its_bounds(
    shown: list, measured: object, bounds: dict, value: object, lower: object, upper: object
) -> None:
    claim("It is so", measured, **bounds)
    found = shown[0][1][CLAIM_MIME]
    assert [found[name] for name in ("value", "lower", "upper")] == [value, lower, upper]
    assert type(found["value"]) is type(value)


def test_what_is_no_finite_number_has_no_value(
    shown: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DDL_CLAIMS", "show")
    claim("It is so", float("nan"), below=0.17)
    assert shown[0][1][CLAIM_MIME]["value"] is None


def test_stored_text_holds_no_measured_digits(shown: list) -> None:
    claim("It is so", 0.123456, below=0.2, source="SDSC 2024: 0.14")
    text, rich = shown[0]
    assert "0.1235" not in text
    assert "0.1235" in rich["text/html"]


def test_claims_on_real_digits_are_not_checked_on_drawn_ones(
    shown: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DDL_DATA", "drawn")
    claim("MNIST is so", 5.0, below=1.0, needs="MNIST")
    assert shown[0][0].endswith("Verdict: not checked: needs MNIST")


@pytest.mark.parametrize(
    ("here", "verdict"), [(True, "holds"), (False, "not checked: needs CIFAR-10")]
)
def test_claims_on_photographs_ask_for_photographs(
    shown: list, monkeypatch: pytest.MonkeyPatch, here: bool, verdict: str
) -> None:
    monkeypatch.setattr(data, "cifar10_is_here", lambda: here)
    monkeypatch.setattr(data, "digits_are_real", lambda: not here)
    claim("CIFAR-10 is so", 0.5, below=1.0, needs="CIFAR-10")
    assert shown[0][0].endswith(f"Verdict: {verdict}")


def test_smoke_size_checks_nothing(shown: list, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDL_SCALE", "smoke")
    claim("It is so", 5.0, below=1.0)
    assert shown[0][0].endswith("Verdict: not checked at smoke size")


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"needs must be 'MNIST', .*, got 'ImageNet'"):
        claim("x", 1.0, below=2.0, needs="ImageNet")
    with pytest.raises(ValueError, match=r"measured 1\.0 needs a range"):
        claim("x", 1.0)


def test_card_escapes_and_links() -> None:
    text = card(Claim("a < b & c", "", "1", "true", "holds", "", True, None, None))
    assert "a &lt; b &amp; c" in text
    assert 'id="claim-a-b-c-3c-26"' in text


def test_addresses_differ_in_any_alphabet() -> None:
    statements = ["x < 1", "x > 1", "Größer ist besser", "Глубже", "Depth helps, too", "深い"]
    cards = [Claim(s, "", "1", "true", "holds", "", True, None, None) for s in statements]
    assert len({c.anchor for c in cards}) == len(statements)
    assert cards[4].anchor == "claim-depth-helps-too"


def test_a_control_must_lie_outside(shown: list, monkeypatch: pytest.MonkeyPatch) -> None:
    claim("It is so", 2.0, above=1.5, control=1.1, control_name="the same net, idle")
    text, rich = shown[0]
    assert "Control, not accepted: the same net, idle\nVerdict: holds" in text
    assert rich[CLAIM_MIME]["control"] == 1.1
    with pytest.raises(ClaimError, match=r"so is the control, the same net, idle: 1\.6"):
        claim("It is so", 2.0, above=1.5, control=1.6, control_name="the same net, idle")
    assert shown[1][0].endswith("Verdict: fails")
    with pytest.raises(ClaimError, match=r"measured 1\.2"):
        claim("It is so", 1.2, above=1.5, control=1.1, control_name="the same net, idle")
    with pytest.raises(ValueError, match="must stand together"):
        claim("It is so", 2.0, above=1.5, control=1.0)


def test_say_keeps_numbers_out_of_the_stored_text(shown: list) -> None:
    say("The loss is 0.14.")
    assert "0.14" not in shown[0][0]
    assert shown[0][1] == {"text/markdown": "The loss is 0.14."}


def test_a_measure_is_named(shown: list) -> None:
    claim("It is so", 0.1, measure="largest gap", below=0.2)
    text, rich = shown[0]
    assert "Accepted: largest gap below 0.2" in text
    assert "largest gap</dt>" in rich["text/html"]


def test_values_read_well() -> None:
    for value, shown in (
        (True, "true"),
        (12345, "12,345"),
        (0.123456, "0.1235"),
        ((1, 2), "(1, 2)"),
        ([(1, 2000), 0.25], "[(1, 2000), 0.25]"),
        ((12345, 330), "(12,345; 330)"),
    ):
        assert show_value(value) == shown


def test_outside_a_notebook_the_text_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    claim("One is one", 1, equals=1)
    assert "Claim: One is one" in capsys.readouterr().out
