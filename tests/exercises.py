"""What proves a check of an exercise: it tells right from wrong, and one wrong from another."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
import torch
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


FAULTY_TENSORS: dict[str, Callable[[Tensor], Any]] = {
    "deeper": lambda x: x[None],
    "flat": lambda x: x.flatten() if x.ndim > 1 else x[:, None],
    "one number": lambda x: x.flatten()[0],
    "shorter": lambda x: x[:-1],
    "thinner": lambda x: x[..., :-1],
    "no rows": lambda x: x[:0],
    "no columns": lambda x: x[..., :0],
    "other kind": lambda x: x.float() if not x.is_floating_point() else x.long(),
    "precise": lambda x: x.double() if x.is_floating_point() else x,
    "bytes": lambda x: x.to(torch.uint8),
    "complex": lambda x: x.to(torch.complex64),
    # A stand-in for another device; it holds no whole numbers that could be looked up.
    "meta": lambda x: x.to("meta") if x.is_floating_point() else x.float(),
    "nan": lambda x: x * math.nan if x.is_floating_point() else x,
    "negative": lambda x: -x - 1 if x.dtype != torch.bool else x,
    "list": lambda x: x.tolist(),
    "text": lambda x: "text",
}
FAULTY_NUMBERS: tuple[Any, ...] = (0, -1, -7, True, 2.5, math.nan, "3", [1], torch.ones(2))


def faults(value: Any) -> list[tuple[str, Any]]:
    """Return values like a right one, each with a fault, and the faults."""
    if isinstance(value, Tensor):
        rows = value if value.ndim else value[None]
        return [(fault, spoilt(rows)) for fault, spoilt in FAULTY_TENSORS.items()]
    if isinstance(value, int | float):
        return [(repr(number), number) for number in FAULTY_NUMBERS]
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):  # a NamedTuple's
        return [("empty", type(value)()), ("text", "text")] + [
            (fault, type(value)([*value[:k], wrong, *value[k + 1 :]]))
            for k, part in enumerate(value)
            for fault, wrong in faults(part)
        ]
    if isinstance(value, Mapping):
        return [("empty", {}), ("text", "text"), ("list", list(value))] + [
            (fault, {**value, key: wrong})
            for key, part in value.items()
            for fault, wrong in faults(part)
        ]
    if isinstance(value, str):
        return [("other words", "text"), ("no words", ""), ("number", 3), ("list", ["text"])]
    return [("text", "text")]
