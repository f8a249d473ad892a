"""What proves a check of an exercise: it tells right from wrong, and one wrong from another."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch
from spoiled import faults
from torch import Tensor

from ddl.exercises import Verdict

Check = Callable[[Any], Verdict]
STUBS = [None, ..., lambda *arguments: None, lambda *arguments: ...]


def both_ways(
    right: Sequence[tuple[Check, Any]], wrong: Sequence[tuple[Check, Any, str]]
) -> tuple[Callable[..., None], Callable[..., None], Callable[..., None], Callable[..., None]]:
    """Make the tests of right answers, of stubs, of wrong answers and of spoiled right ones.

    A message is a regular expression, found somewhere in what the check says.
    """
    checks = list(dict.fromkeys(checked for checked, _ in right))
    assert set(checks) == {checked for checked, _, _ in wrong}, "each check needs both ways"

    @pytest.mark.parametrize(("checked", "answer"), right)
    def is_correct(checked: Check, answer: Any) -> None:
        verdict = checked(answer)
        assert repr(verdict).startswith("Correct: "), verdict

    @pytest.mark.parametrize("checked", checks)
    def is_not_yet(checked: Check) -> None:
        for stub in STUBS:
            assert repr(checked(stub)).startswith("Not yet: there is no answer"), stub
        assert "raised" in checked(lambda: 0).message

    @pytest.mark.parametrize(("checked", "answer", "message"), wrong)
    def hears_what_is_wrong(checked: Check, answer: Any, message: str) -> None:
        verdict = checked(answer)
        assert not verdict.passed, verdict
        assert re.search(message, verdict.message), verdict

    @pytest.mark.parametrize(("checked", "answer"), right)
    def is_seen_when_spoiled(checked: Check, answer: Any) -> None:
        for fault, solution, same in spoiled(checked, answer):
            verdict = checked(solution)
            assert isinstance(verdict, Verdict), fault
            assert not verdict.passed or same(), fault
            if fault == "precise" and same():  # no fault at all
                assert verdict.passed, verdict

    return is_correct, is_not_yet, hears_what_is_wrong, is_seen_when_spoiled


def spoiled(checked: Check, right: Any) -> Iterator[tuple[str, Any, Callable[[], bool]]]:
    """Yield solutions that spoil what the right one returns, and whether it stayed the same."""
    returned: list[Any] = []
    checked(lambda *arguments: returned.append(right(*arguments)) or returned[-1])
    for number, (fault, _) in enumerate(faults(returned[0]) if returned else []):
        pairs: list[tuple[Any, Any]] = []

        def solution(*arguments: Any, number: int = number, pairs: list[Any] = pairs) -> Any:
            answer = right(*arguments)
            wrong = faults(answer)[number][1]
            pairs.append((answer, wrong))
            return wrong

        yield fault, solution, lambda pairs=pairs: all(alike(*pair) for pair in pairs)


def alike(right: Any, wrong: Any) -> bool:
    """Return whether what was spoiled is as right as before."""
    if isinstance(right, list | tuple):
        whole = isinstance(wrong, type(right)) and len(right) == len(wrong)
        return whole and all(map(alike, right, wrong))
    if isinstance(wrong, str) or isinstance(right, str):
        return wrong == right
    if not isinstance(right, Tensor | int | float) or not isinstance(wrong, Tensor | int | float):
        return False
    ours, theirs = torch.as_tensor(right), torch.as_tensor(wrong)
    return ours.numel() == theirs.numel() and torch.equal(
        ours.flatten() + 0j, theirs.flatten() + 0j
    )
