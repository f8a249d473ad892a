import pytest

from ddl import listings
from ddl.claims import Claim
from ddl.listings import show_code


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    """What a page would show: text and rich outputs."""
    cells: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(listings, "show", lambda text, rich: cells.append((text, rich)))
    return cells


def doubled(x: int, *, times: int = 1) -> int:
    """Return a number, doubled and doubled again."""
    _check_positive(x)
    if times < 1:
        raise ValueError("never")
    for _ in range(times):
        x = 2 * x
    return x


def _check_positive(x: int) -> None:
    assert x > 0


def test_code_is_shown_without_docstring_annotations_and_checks(shown: list) -> None:
    show_code(doubled)
    head = "# test_listings.doubled\ndef doubled(x, *, times=1):\n"
    loop = "    for _ in range(times):\n        x = 2 * x\n    return x"
    assert shown[0] == (head + loop, {"text/markdown": f"```python\n{head}{loop}\n```"})


def test_code_is_shown_from_a_line_on(shown: list) -> None:
    show_code(doubled, since="return")
    text = "# test_listings.doubled\ndef doubled(x, *, times=1):\n    ...\n    return x"
    assert shown[0][0] == text


def test_code_of_several_functions_stands_in_one_block(shown: list) -> None:
    show_code(Claim.card, _check_positive)
    names = [line for line in shown[0][0].splitlines() if line.startswith("#")]
    assert names == ["# ddl.claims.Claim.card", "# test_listings._check_positive"]


def test_code_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match="since must begin a line of doubled, got 'no such line'"):
        show_code(doubled, since="no such line")
