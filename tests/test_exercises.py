"""The mechanics of checks; each chapter's own checks have a test file of their own."""

import pytest
import torch

from ddl.exercises import NotYet, Verdict, check, expect, expect_number, expect_tensor


@check
def doubles(solution) -> str:
    """A check for these tests."""
    expect_tensor(solution(torch.ones(4, 3)), torch.full((4, 3), 2.0), hint="Add it to itself.")
    return "that is twice the input."


@pytest.mark.parametrize(
    ("solution", "message"),
    [
        (lambda x: 2 * x, "Correct: that is twice the input."),
        (lambda x: None, "Not yet: there is no answer here. Replace the dots."),
        (lambda x: ..., "Not yet: there is no answer here. Replace the dots."),
        (None, "Not yet: there is no answer here. Replace the dots."),
        (lambda x: (2 * x).T, "Not yet: expected a (4, 3) output, got (3, 4)."),
        (lambda x: 2, "Not yet: expected a tensor, got int."),
        (
            lambda x: 3 * x,
            "Not yet: the shape is right, the values are not: off by up to 1. Add it to itself.",
        ),
        (lambda x: x / 0, "off by up to inf"),
        (lambda x: x * float("nan"), "the values are not"),
        (lambda x: 1 / 0, "Not yet: your code raised ZeroDivisionError: division by zero"),
    ],
)
def test_a_check_says_what_is_wrong(solution, message: str) -> None:
    assert message in repr(doubles(solution))


@check
def first_is_one(solution) -> str:
    """A check that looks at an answer before it knows that it is a tensor."""
    expect(solution()[0].item() == 1, "the first number is not 1.")
    return "it starts with 1."


@pytest.mark.parametrize(
    ("solution", "message"),
    [
        (lambda: torch.ones(2), "Correct: it starts with 1."),
        (lambda: torch.zeros(2), "Not yet: the first number is not 1."),
        (lambda: [1], "Not yet: the check itself failed, AttributeError: 'int' object has no"),
        (lambda: torch.ones(0), "Not yet: the check itself failed, IndexError: "),
        (lambda: [][0], "Not yet: your code raised IndexError: list index out of range"),
        (lambda: expect(False, "no"), "Not yet: your code raised NotYet: no"),
        (lambda x: x, "Not yet: your code raised TypeError: "),
        (3, "Not yet: your code raised TypeError: 'int' object is not callable"),
    ],
)
def test_a_failure_of_the_check_is_not_the_readers(solution, message: str) -> None:
    assert repr(first_is_one(solution)).startswith(message)


def test_numbers() -> None:
    expect_number(3, 3)
    expect_number(torch.tensor(3.01), 3, tolerance=0.02)
    for wrong, message in (
        (4, "4 is not it. Count again."),
        ("3", "expected a number, got str"),
        (True, "expected a number, got bool"),
        (..., "Replace the dots"),
        (float("nan"), "nan is not it"),
    ):
        with pytest.raises(NotYet, match=message):
            expect_number(wrong, 3, hint="Count again.")


def test_verdict_reads_as_an_answer() -> None:
    assert repr(Verdict(True, "yes.")) == "Correct: yes."
    with pytest.raises(NotYet, match="no"):
        expect(False, "no")
