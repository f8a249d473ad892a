"""Formulas are spaced as TeX spaces them."""

import re

import pytest
from docutils import nodes
from docutils.core import publish_doctree

from tools.sphinx_mathml import Tie, mathml


def signs(latex: str) -> list[tuple[str, str]]:
    """Return the text and the form of each operator of a formula."""
    found = re.findall(r"<mo([^>]*)>([^<]*)</mo>", mathml(latex, display="inline"))
    forms = [re.search(r'form="(\w+)"', attributes) for attributes, _ in found]
    return [(text, form[1] if form else "") for form, (_, text) in zip(forms, found, strict=True)]


def words(latex: str) -> str:
    """Return a formula's text, a space where one is set."""
    spaced = re.sub(r"<mspace[^>]*>", " ", mathml(latex, display="inline"))
    return re.sub(r"<[^>]*>", "", spaced)


@pytest.mark.parametrize(
    ("latex", "forms"),
    [
        (r"|x_1| < d", [("|", "prefix"), ("|", "postfix"), ("&lt;", "")]),
        (
            r"|a - b|^2 + |c|^2",
            [
                ("|", "prefix"),
                ("−", ""),
                ("|", "postfix"),
                ("+", ""),
                ("|", "prefix"),
                ("|", "postfix"),
            ],
        ),
        (r"\big\| x \big\|^2", [("‖", "prefix"), ("‖", "postfix")]),
        (r"q \,\|\, p", [("‖", "")]),
        (r"z / |z|", [("/", ""), ("|", "prefix"), ("|", "postfix")]),
    ],
)
def test_a_bar_opens_or_closes(latex: str, forms: list[tuple[str, str]]) -> None:
    assert signs(latex) == forms


@pytest.mark.parametrize(
    ("latex", "form"),
    [
        ("-x", "prefix"),
        ("a - x", ""),
        ("(-x)", "prefix"),
        ("a = -x", "prefix"),
        (r"\sqrt{-x}", "prefix"),
        ("f(a) - x", ""),
        (r"|a| - x", ""),
        ("x^2 - 1", ""),
    ],
)
def test_a_minus_is_a_sign_or_a_difference(latex: str, form: str) -> None:
    assert [found for text, found in signs(latex) if text == "−"] == [form]


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"-\log p", "−log p"),
        (r"\log_2 k", "log2 k"),
        (r"2\tanh z", "2 tanh z"),
        (r"\max(0, z)", "max(0,z)"),
        (r"2\,\operatorname{relu}(h)", "2 relu(h)"),
        (r"a\, - \log\; x", "a −log x"),
        (r"\log |x|", "log |x|"),
        (r"\text{if } x", "if\u00a0x"),
        (r"\sin x, \cos x", "sin x,cos x"),
    ],
)
def test_a_function_keeps_a_distance(latex: str, text: str) -> None:
    assert words(latex) == text


def test_infinity_is_no_operator() -> None:
    assert signs(r"w \to \infty") == [("→", "")]
    assert "<mi>∞</mi>" in mathml(r"w \to \infty", display="inline")


def test_brackets_that_round_are_brackets() -> None:
    assert signs(r"\lceil x \rceil - 1") == [("⌈", ""), ("⌉", ""), ("−", "")]


@pytest.mark.parametrize(
    ("before", "after", "tied"),
    [
        ("with ", ". Then", "x."),
        ("ReLU (", ") here", "(x)"),
        ("the ", "-th place", "x-th"),
        ("so ", " is", ""),
        ("so ", "", ""),
    ],
)
def test_a_formula_and_its_full_stop_stay_on_one_line(before: str, after: str, tied: str) -> None:
    document = publish_doctree("")
    paragraph = nodes.paragraph("", "", nodes.Text(before), nodes.math("x", "x"))
    paragraph += nodes.Text(after) if after else []
    document += paragraph
    Tie(document).run()
    wrapped = list(document.findall(nodes.inline))
    assert [node.astext() for node in wrapped] == ([tied] if tied else [])
    assert paragraph.astext() == before + "x" + after


def test_what_is_tied_is_found_by_its_place_not_by_its_words() -> None:
    document = publish_doctree("")
    paragraph = nodes.paragraph("", "", nodes.Text("("), nodes.emphasis("", "a"), nodes.Text("."))
    paragraph += [nodes.Text("("), nodes.math("x", "x"), nodes.Text(".")]
    document += paragraph
    Tie(document).run()
    assert paragraph.astext() == "(a.(x."


def test_a_bracket_grows_only_where_it_is_asked_to() -> None:
    small, big = (mathml(latex, display="block") for latex in ("(x)", r"\Big(x\Big)"))
    assert small.count('stretchy="false"') == 2
    assert big.count('stretchy="true"') == big.count("minsize=") == 2


def test_a_slash_has_no_space_around() -> None:
    assert '<mo lspace="0" rspace="0">/</mo>' in mathml("z / 10", display="inline")


@pytest.mark.parametrize(("display", "tag"), [("block", "munder"), ("inline", "msub")])
def test_a_limit_stands_below_its_operator_where_there_is_room(display: str, tag: str) -> None:
    assert f"<{tag}><mi>argmin</mi><mi>w</mi>" in mathml(
        r"\operatorname*{argmin}_w x", display=display
    )


def test_a_prime_stands_beside_its_letter() -> None:
    prime = '<mrow><mi>x</mi><mo form="postfix" lspace="0" rspace="0">′</mo></mrow>'
    assert prime in mathml("f(x')", display="inline")
    assert "msup" in mathml("x^2", display="inline")
