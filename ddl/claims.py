"""How a page keeps its promise: every claim is measured, shown and checked.

A claim is a statement, a measured value and the range in which it holds.
`claim` shows the three as a card and raises where the value is outside. The
text that is stored and compared names statement, range and verdict only:
digits that vary between machines stay in the card and in the book's ledger.
``DDL_CLAIMS=show`` shows a claim that does not hold without raising.
Sentences with numbers of this run (`say`) come from the run, too.
"""

import json
import math
import numbers
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ddl.support.cards import card
from ddl.support.inputs import checked, finite
from ddl.support.settings import scale

CLAIM_MIME = "application/vnd.ddl.claim+json"


class ClaimError(AssertionError):
    """A claim that does not hold in this run."""


@checked
@dataclass(frozen=True)
class Claim:
    """A claim as the page shows it and the ledger lists it.

    ``value`` is what was measured, as a number where it is one, and whether it holds elsewhere;
    None where it is infinite or NaN. It lies between ``lower`` and ``upper``; None is no bound.
    With ``log``, distances to them are those of logarithms. ``control`` is the same measure with
    the idea switched off, ``ask`` a question to guess the value first, and its axis.
    """

    statement: str
    measure: str
    measured: str
    accepted: str
    verdict: str
    source: str
    value: float | bool | None
    lower: float | None
    upper: float | None
    log: bool = False
    control: float | None = None
    control_name: str = ""
    ask: tuple[str, float, float] | None = None

    @property
    def anchor(self) -> str:
        """The fragment under which the page's card can be linked to."""
        words = re.sub(r"\W+", "-", self.statement.lower()).strip("-")
        signs = re.sub(r"[\w\s.,:;'()-]", "", self.statement)  # which tell x < 1 from x > 1
        return f"claim-{words}" + "".join(f"-{ord(sign):x}" for sign in signs)

    def __str__(self) -> str:
        measure = f"{self.measure} " if self.measure else ""
        lines = [f"Claim: {self.statement}", f"Accepted: {measure}{self.accepted}"]
        if self.control is not None:
            lines.append(f"Control, not accepted: {self.control_name}")
        if self.source:
            lines.append(f"Source: {self.source}")
        return "\n".join([*lines, f"Verdict: {self.verdict}"])

    @property
    def state(self) -> str:
        """The verdict as a class of CSS: ``holds``, ``fails``, ``not-checked``."""
        return self.verdict.split(":")[0].replace(" ", "-")

    @property
    def shown_control(self) -> str:
        """What the control measured, as a card shows it."""
        return "" if self.control is None else show_value(self.control)


def _accepted(above: Any, below: Any, equals: Any, within: float) -> str:
    """Word the accepted range."""
    if equals is not None:
        exact = show_value(equals)
        return f"{exact} ± {within:g}" if within else f"exactly {exact}"
    if above is not None and below is not None:
        return f"between {above:g} and {below:g}"
    if above is not None:
        return f"above {above:g}"
    return f"below {below:g}" if below is not None else "true"


def _check_range(above: Any, below: Any, equals: Any, within: float) -> None:
    """Refuse a range in which nothing can lie, or of which a part would be ignored."""
    finite(above=above, below=below, within=within)
    if above is not None and below is not None and not above < below:
        raise ValueError(f"above must be less than below, got {above} and {below}")
    if equals is not None and (above is not None or below is not None):
        raise ValueError(f"equals must stand without above and below, got {equals!r} beside one")
    if within < 0 or (within and equals is None):
        raise ValueError(f"within must be at least 0, and 0 without equals, got {within}")


def _holds(measured: Any, above: Any, below: Any, equals: Any, within: float) -> bool:
    """Compare; NaN is inside no range."""
    if equals is not None and not within:
        try:
            return bool(measured == equals)
        except (RuntimeError, ValueError) as error:  # arrays answer number by number
            raise ValueError(f"measured and equals cannot be compared: {error}") from error
    if isinstance(measured, bool) and above is None and below is None and equals is None:
        return measured
    for name, value in (("measured", measured), ("equals", 0.0 if equals is None else equals)):
        if not isinstance(value, numbers.Real) or isinstance(value, bool):
            raise ValueError(f"{name} must be a number, got {value!r}")
    if equals is not None:
        return bool(abs(measured - equals) <= within)
    return bool((above is None or measured > above) and (below is None or measured < below))


def _range(above: Any, below: Any, equals: Any, within: float) -> tuple[Any, Any]:
    """Return the least and the largest number that is accepted; None is no bound."""
    if equals is None:
        return above, below
    if isinstance(equals, numbers.Real) and not isinstance(equals, bool):
        return float(equals) - within, float(equals) + within
    return None, None


def _value(measured: Any, holds: bool) -> float | bool | None:
    """Return what was measured as JSON can hold it."""
    if isinstance(measured, numbers.Real) and not isinstance(measured, bool):
        return float(measured) if math.isfinite(measured) else None
    return holds


def _number(value: Any) -> Any:
    """Return what a tensor or an array without axes holds, and all else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


@checked
def show_value(value: Any) -> str:
    """Return a value as a card shows it: four significant digits, thousands separated."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return f"[{_parts(value)}]"
    if isinstance(value, tuple):
        return f"({_parts(value)})"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _parts(values: Sequence[Any]) -> str:
    """Return values in a row. Few need thousands separated, and then commas do not part them."""
    if any(isinstance(value, int) and abs(value) >= 10_000 for value in values):
        return "; ".join(map(show_value, values))
    return ", ".join(str(v) if type(v) is int else show_value(v) for v in values)


@checked
def claim(
    statement: str,
    measured: Any,
    *,
    measure: str = "",
    above: float | None = None,
    below: float | None = None,
    equals: Any = None,
    within: float = 0.0,
    log: bool = False,
    control: float | None = None,
    control_name: str = "",
    ask: tuple[str, float, float] | None = None,
    source: str = "",
    needs: str = "",
) -> None:
    """Show a claim as a card and raise where it does not hold.

    Args:
        statement: What the page says, one sentence without a full stop.
        measured: What this run measured: a number; a bool for a yes-or-no
            claim; with ``equals``, anything that compares.
        measure: What the number is, where the statement does not say it:
            ``"largest gap"``, ``"ratio of losses"``.
        above: The claim holds for values above this.
        below: The claim holds for values below this.
        equals: The claim holds for this value.
        within: Tolerance of ``equals``.
        log: How far the value is from its bounds counts in factors, not in differences: for a
            ratio of two like quantities, or a size compared with one of another order of
            magnitude. A share of a whole, a difference and a count are linear.
        control: The same measure with the idea switched off. It must lie outside the accepted
            range: else the claim would hold without what it is about.
        control_name: What was done for the control: ``"the same net without the skip"``.
        ask: A question that readers of the site answer by a guess before they see the value,
            and the least and the largest number on the axis where they guess.
        source: Who gives what value: the lecture's figure, or a paper.
        needs: ``"MNIST"`` or ``"CIFAR-10"`` for a claim about real digits or
            about photographs, which is shown but not checked where they are
            not at hand and the page runs on others.

    Raises:
        ClaimError: If the value is outside the accepted range, or the control inside.
        ValueError: If there is no range for a number, nothing can lie in it, what was
            measured is no number, a control has no name, or there is no such ``needs``.

    Example:
        >>> claim("Skips help", without / with_skips, measure="ratio", above=1.05, log=True)
    """
    if not statement.strip():
        raise ValueError(f"statement must say something, got {statement!r}")
    measured, equals = _number(measured), _number(equals)
    _check_range(above, below, equals, within)
    if needs not in ("", "MNIST", "CIFAR-10"):
        raise ValueError(f"needs must be 'MNIST', 'CIFAR-10' or empty, got {needs!r}")
    if above is None and below is None and equals is None and not isinstance(measured, bool):
        raise ValueError(f"measured {measured!r} needs a range: above, below or equals")
    holds = _holds(measured, above, below, equals, within)
    control = _number(control)
    if (control is None) != (not control_name):
        raise ValueError(f"control and control_name must stand together, got {control_name!r}")
    idle = control is not None and _holds(control, above, below, equals, within)
    if scale() == "smoke":
        verdict = "not checked at smoke size"
    elif needs and not _is_here(needs):
        verdict = f"not checked: needs {needs}"
    else:
        verdict = "holds" if holds and not idle else "fails"
    accepted = _accepted(above, below, equals, within)
    lower, upper = _range(above, below, equals, within)
    result = Claim(
        statement,
        measure,
        show_value(measured),
        accepted,
        verdict,
        source,
        value=_value(measured, holds),
        lower=lower,
        upper=upper,
        log=log,
        control=None if control is None else float(control),
        control_name=control_name,
        ask=ask,
    )
    show(
        str(result),
        {"text/html": card(result), CLAIM_MIME: asdict(result) | {"anchor": result.anchor}},
    )
    if verdict == "fails" and os.environ.get("DDL_CLAIMS") != "show":
        told = f"{statement}: measured {result.measured}, accepted {accepted}"
        if holds:
            told += f"; so is the control, {control_name}: {result.shown_control}"
        raise ClaimError(told)


@checked
def say(markdown: str) -> None:
    """Show a sentence whose numbers this run computed.

    The stored text does not hold them: it would differ between machines.

    Args:
        markdown: The sentence, an f-string as a rule.
    """
    show("A sentence with numbers of this run.", {"text/markdown": markdown})


def _is_here(needs: str) -> bool:
    # Imported late: a page without data need not load the loaders.
    from ddl import data

    return data.digits_are_real() if needs == "MNIST" else data.cifar10_is_here()


@checked
def show(text: str, rich: dict[str, Any]) -> None:
    """Display in a notebook; print the text elsewhere.

    Args:
        text: What is stored and compared.
        rich: What readers see instead, by MIME type.
    """
    try:
        from IPython.core.getipython import get_ipython
        from IPython.display import display
    except ImportError:
        print(text)
        return
    if get_ipython() is None:
        print(text)
        return
    json.dumps(rich)  # fail here, not in the kernel's message thread
    display({"text/plain": text, **rich}, raw=True)
