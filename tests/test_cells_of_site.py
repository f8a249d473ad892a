"""Cards and folded code as the site shows them."""

import html
import json

import pytest
from docutils import nodes

from ddl.claims import Claim
from ddl.support.cards import card
from tools import sphinx_cells


def claim(statement: str, value: float | bool = 2.0, **about: object) -> Claim:
    known = {"lower": 1.0, "upper": None, "verdict": "holds", **about}
    return Claim(statement, "", str(value), "above 1", source="", value=value, **known)  # pyright: ignore[reportArgumentType]


def test_a_card_has_its_range_and_names_no_verdict_that_holds() -> None:
    text = card(claim("It is so"), [1.5, 2.5])
    assert text.count('class="run"') == 2
    assert 'aria-label="measured 2.0, accepted above 1, 2 other runs between 1.5 and 2.5"' in text
    assert "verdict" not in text
    assert "verdict" in card(claim("It is so", verdict="fails"))
    assert "ddl-axis" not in card(claim("It is so", True))


def test_a_guess_has_its_question_and_axis() -> None:
    text = card(claim("It is so", ask=("How much?", 0.5, 8.0), log=True))
    asked = json.loads(html.unescape(text.partition('data-ask="')[2].partition('"')[0]))
    assert asked == {"question": "How much?", "least": 0.5, "most": 8.0, "log": True, "value": 2.0}
    assert "data-ask" not in card(claim("It is so"))


def test_a_control_is_named_and_crossed() -> None:
    text = card(claim("It is so", control=0.5, control_name="the same net, idle"))
    assert text.count('class="control"') == 1
    assert "control, the same net, idle" in text
    assert ">0.5</dd>" in text


@pytest.mark.parametrize(
    ("found", "exact"),
    [
        (claim("x"), False),
        (claim("x", True), True),
        (claim("x", 3.0, lower=3.0, upper=3.0), True),
        (claim("x", 1e-7, lower=None, upper=1e-5), True),
        (claim("x", 0.1, lower=None, upper=0.4), False),
        (claim("x", 1e-7, lower=None, upper=1e-5, log=True), False),  # it has vanished
        (claim("x", -0.1, lower=None, upper=0.0), False),  # it falls
        (claim("x", False, verdict="fails"), False),
        (claim("x", True, verdict="not checked: needs MNIST"), False),
        (claim("x", 3.0, lower=3.0, upper=3.0, control=1.0, control_name="idle"), False),
    ],
)
def test_what_is_checked_exactly_goes_into_the_quiet_line(found: Claim, exact: bool) -> None:
    assert sphinx_cells.is_exact(found) is exact


def test_cards_in_a_row_are_one_group() -> None:
    found = [claim("First"), claim("Second", True), claim("Third")]
    output = nodes.container()
    output += [nodes.raw("", card(c), format="html") for c in found]
    output += nodes.paragraph(text="between")
    output += nodes.raw("", card(claim("Last")), format="html")
    known = {c.anchor: c for c in [*found, claim("Last")]}
    record = {"First": {"values": [1.5, 2.5], "sd": 0.5}, "Last": {"values": [2.0], "sd": 0.0}}
    sphinx_cells.group_cards(output, known, record)
    first, between, last = (node.astext() for node in output.children)
    assert between == "between"
    assert first.index("First") < first.index("Third") < first.index("1 check holds")
    assert first.count('class="run"') == 2
    assert first.count('class="ddl-claim ') == 3
    assert 'href="#claim-first"' in first
    assert last.count("ddl-claim ") == 1
    assert 'class="run"' not in last


def test_folded_code_stands_below_what_it_shows() -> None:
    cell = nodes.container(nb_element="cell_code")
    cell += nodes.container("", nodes.literal_block(text="plot"), nb_element="cell_code_source")
    cell += nodes.container("", nodes.image(uri="x.png"), nb_element="cell_code_output")
    sphinx_cells.fold(cell, "plot")
    shown, code = cell.children
    assert isinstance(shown, nodes.Element)
    assert isinstance(code, nodes.Element)
    assert shown["nb_element"] == "cell_code_output"
    assert code["summary"] == "Show the plot"
    assert code.astext() == "plot"
