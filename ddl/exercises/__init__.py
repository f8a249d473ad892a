"""How an exercise checks itself and says what is wrong.

Each chapter has a module of checks here. A check takes the reader's solution
and returns a `Verdict`, which a notebook shows as the cell's result:

    >>> from ddl.exercises import gating as check
    >>> check.highway_by_hand(my_highway)
    Not yet: expected a (4, 3) output, got (3, 4).
"""

import functools
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec

import torch
from torch import Tensor

from ddl.support.inputs import checked

Parameters = ParamSpec("Parameters")


class NotYet(Exception):  # noqa: N818 - a message to the reader, not an error of the program
    """What a check says of a solution that is not right yet."""


class _Raised(Exception):  # noqa: N818 - carries what the reader's code raised
    """An exception of the reader's own code, its ``__cause__``."""


@checked
@dataclass(frozen=True)
class Verdict:
    """The answer of a check, shown as the result of its cell."""

    passed: bool
    message: str

    def __repr__(self) -> str:
        return f"{'Correct' if self.passed else 'Not yet'}: {self.message}"


@checked
def check(
    body: Callable[Concatenate[Any, Parameters], str],
) -> Callable[Concatenate[Any, Parameters], Verdict]:
    """Turn a function that raises `NotYet` or returns praise into a check.

    An exception of the reader's own code is part of the answer, not a crash. One of the check
    itself, which met an answer that it does not know, is not told as the reader's.
    """

    @functools.wraps(body)
    def checked(solution: Any, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Verdict:
        if solution is None or solution is ...:
            return Verdict(False, "there is no answer here. Replace the dots.")

        def watched(*given: Any, **named: Any) -> Any:
            try:
                return solution(*given, **named)
            except Exception as error:
                raise _Raised from error

        try:
            return Verdict(True, body(watched, *args, **kwargs))
        except NotYet as reason:
            return Verdict(False, str(reason))
        except _Raised as raised:
            error = raised.__cause__
            return Verdict(False, f"your code raised {type(error).__name__}: {error}")
        except Exception as error:
            return Verdict(
                False,
                f"the check itself failed, {type(error).__name__}: {error}. It does not know such "
                "an answer: look at what your code returns.",
            )

    return checked


@checked
def expect(condition: Any, message: str) -> None:
    """Raise `NotYet` with a message for the reader unless the condition holds.

    The condition is anything that Python takes for true or false: what comes of a
    reader's number may be NumPy's.
    """
    if not condition:
        raise NotYet(message)


@checked
def alike(answer: Tensor, other: Tensor, *, atol: float = 1e-8) -> bool:
    """Return whether an answer has the values of another tensor, whatever kind of numbers.

    An answer in float64 is as right as one in float32.
    """
    wide = torch.complex128  # holds all kinds
    ours = answer.detach().to(other.device, wide)
    return torch.allclose(ours, other.to(wide), atol=atol)


@checked
def expect_tensor(answer: Any, expected: Tensor, *, hint: str = "", atol: float = 1e-5) -> None:
    """Compare a reader's tensor with the expected one: type, shape, then values.

    Raises:
        NotYet: With what was expected, what came, and the hint where only the
            values differ.
    """
    if answer is None or answer is ...:
        raise NotYet("there is no answer here. Replace the dots.")
    expect(
        isinstance(answer, Tensor),
        f"expected a tensor, got {type(answer).__name__}.",
    )
    shape, wanted = tuple(answer.shape), tuple(expected.shape)
    expect(shape == wanted, f"expected a {wanted} output, got {shape}.")
    real = expected.is_complex() or not answer.is_complex()
    expect(real, f"expected real numbers, got {answer.dtype}.")
    # Widely: an answer's fractions count, whatever the kind of the expected numbers.
    wide = torch.complex128 if expected.is_complex() else torch.float64
    ours, theirs = answer.detach().to(expected.device, wide), expected.to(wide)
    gap = (ours - theirs).abs().max().item() if answer.numel() else 0.0
    close = torch.allclose(ours, theirs, atol=atol, rtol=1e-4)
    expect(close, f"the shape is right, the values are not: off by up to {gap:.2g}. {hint}".strip())


@checked
def expect_number(answer: Any, expected: float, *, hint: str = "", tolerance: float = 0.0) -> None:
    """Compare a reader's number with the expected one.

    Raises:
        NotYet: With the hint; the right number is not given away.
    """
    if answer is None or answer is ...:
        raise NotYet("there is no answer here. Replace the dots.")
    if isinstance(answer, Tensor) and answer.numel() == 1:
        answer = answer.item()
    expect(
        isinstance(answer, numbers.Real) and not isinstance(answer, bool),
        f"expected a number, got {type(answer).__name__}.",
    )
    close = abs(float(answer) - float(expected)) <= tolerance
    expect(close, f"{float(answer):g} is not it. {hint}".strip())
