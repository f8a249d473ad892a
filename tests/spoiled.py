"""Calls spoiled one argument at a time: a ValueError that names an argument, or an answer."""

import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from types import ModuleType
from typing import Any

import jaxtyping
import torch
from hypothesis import Phase, settings
from hypothesis import strategies as st
from torch import Tensor, nn

Case = Callable[[], tuple[Callable[..., Any], dict[str, Any]]]
# The same few faults each time: what fails once fails again.
few = settings(
    max_examples=8, derandomize=True, deadline=None, database=None, phases=[Phase.generate]
)


def draw(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def case(function: Callable[..., Any], **arguments: Any) -> Case:
    return lambda: (function, arguments)


def public_callables(*modules: ModuleType) -> Iterator[str]:
    """Yield the public functions, classes that are built, and methods of the modules."""
    for module in modules:
        slug = module.__name__.split(".")[-1]
        for name, value in vars(module).items():
            if name.startswith("_") or getattr(value, "__module__", "") != module.__name__:
                continue
            if inspect.isfunction(value):
                yield f"{slug}.{name}"
            if inspect.isclass(value):
                if "__init__" in vars(value) and not getattr(value, "_is_protocol", False):
                    yield f"{slug}.{name}"
                yield from (
                    f"{slug}.{name}.{key}"
                    for key, method in vars(value).items()
                    if not key.startswith("_") and isinstance(method, type(draw) | classmethod)
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
REFUSED = ("complex", "list", "other kind", "text")  # no such tensor has a right answer


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


def numbers_in(answer: Any) -> Iterator[Tensor]:
    """Yield the floating tensors of an answer."""
    if isinstance(answer, float):
        yield torch.tensor(answer)
    elif isinstance(answer, Tensor) and answer.is_floating_point() and not answer.is_meta:
        yield answer.detach()
    elif isinstance(answer, nn.Module):
        yield from numbers_in([*answer.parameters(), *answer.buffers()])
    elif isinstance(answer, list | tuple):
        for part in answer:
            yield from numbers_in(part)
    elif is_dataclass(answer):
        yield from numbers_in([getattr(answer, field.name) for field in fields(answer)])


def has_nan(value: Any) -> bool:
    return any(bool(part.isnan().any()) for part in numbers_in(value))


@dataclass(frozen=True)
class Answer:
    """What a spoiled call gave, if it was not refused in words."""

    wrong: str
    fault: str
    value: Any
    result: Any
    refused: bool = False


def spoil(
    case: Case, choice: st.DataObject, *, without: str = "", says: tuple[type[Exception], ...] = ()
) -> Answer | None:
    """Call with one argument spoiled; a ValueError has to name an argument.

    Args:
        case: The right call.
        choice: Hypothesis chooses the argument and its fault.
        without: A fault that is left out.
        says: Exceptions that are an answer.
    """
    function, arguments = case()
    if not arguments:
        return None
    wrong = choice.draw(st.sampled_from(sorted(arguments)))
    kinds = [each for each in faults(arguments[wrong]) if each[0] != without]
    fault, value = choice.draw(st.sampled_from(kinds))
    call = function.forward if isinstance(function, nn.Module) else function
    words = "|".join(map(re.escape, inspect.signature(call).parameters))
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        return Answer(wrong, fault, value, function(**(arguments | {wrong: value})))
    except says as said:
        return Answer(wrong, fault, value, said)
    except ValueError as said:
        assert re.search(rf"\b({words})\b", str(said)), f"{wrong}: {fault}: {said}"  # noqa: PT017
        return Answer(wrong, fault, value, said, refused=True)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
