import inspect
import re

import pytest
from torch import Tensor, nn

from ddl.claims import show_value
from ddl.support import listings
from ddl.support.inputs import checked
from ddl.support.listings import show_code


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    """What a page would show: text and rich outputs."""
    cells: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(listings, "show", lambda text, rich: cells.append((text, rich)))
    return cells


@checked
def doubled(x: int, *, times: int = 1) -> int:
    """Return a number, doubled and doubled again."""
    if times < 1:  # a check is part of the code
        raise ValueError("never")

    for _ in range(times):
        x = 2 * x
    return x


class Twice(nn.Module):
    """Doubles.

    Args:
        by: How much.
    """

    def __init__(self, by: float = 2.0) -> None:
        super().__init__()
        self.by = by

    @checked
    def forward(self, x: Tensor) -> Tensor:
        """Return twice the input."""
        return self.by * x


def test_a_listing_is_the_source_without_docstrings(shown: list) -> None:
    for function in (doubled, Twice):
        shown.clear()
        show_code(function)
        source = re.sub(r'\n +"""(.|\n)*?"""(\n\n(?=    def __))?', "", inspect.getsource(function))
        source = source.replace(
            "class Twice(nn.Module):    def", "class Twice(nn.Module):\n    def"
        )
        code = f"# test_listings.{function.__name__}\n{source.rstrip()}"
        assert shown[0] == (code, {"text/markdown": f"```python\n{code}\n```"})
        assert '"""' not in code
    assert "class Twice(nn.Module):\n    def __init__(self, by: float = 2.0)" in shown[0][0]


def test_code_is_shown_from_a_line_on(shown: list) -> None:
    show_code(doubled, since="return")
    head = "# test_listings.doubled\n@checked\ndef doubled(x: int, *, times: int = 1) -> int:\n"
    assert shown[0][0] == head + "    ...\n    return x"
    show_code(doubled, since="if times")
    assert "..." not in shown[1][0]


def test_code_of_several_functions_stands_in_one_block(shown: list) -> None:
    show_code(show_value, Twice.forward)
    names = [line for line in shown[0][0].splitlines() if line.startswith("#")]
    assert names == ["# ddl.claims.show_value", "# test_listings.Twice.forward"]


def test_code_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match="since must begin a line of doubled, got 'no such line'"):
        show_code(doubled, since="no such line")
