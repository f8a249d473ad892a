"""What proves a check of an exercise: it tells right from wrong, and one wrong from another."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ddl.exercises import Verdict

Check = Callable[[Any], Verdict]
STUBS = [None, ..., lambda *arguments: None, lambda *arguments: ...]


def both_ways(
    right: Sequence[tuple[Check, Any]], wrong: Sequence[tuple[Check, Any, str]]
) -> tuple[Callable[..., None], Callable[..., None], Callable[..., None]]:
    """Make the tests of right answers, of stubs and of wrong answers with the messages they get.

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

    return is_correct, is_not_yet, hears_what_is_wrong
