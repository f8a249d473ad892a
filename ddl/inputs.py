"""What a function answers to arguments that do not fit: a `ValueError` that names one of them.

Kinds and axes of arguments stand in the signatures. `guard` compares them there, so that a
function keeps to its subject. Where a function says itself what is wrong, its words are kept:
one that only computes runs first, and is corrected afterwards. One that acts (trains, draws,
shows, writes) must not begin with what does not fit, so ``guard(globals(), acts=True)``
compares before it runs.
"""

import functools
import inspect
import math
import numbers
import re
import reprlib
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin

import torch
from jaxtyping import jaxtyped
from torch import Tensor

WORDS = {
    int: "an integer",
    float: "a number",
    str: "a text",
    bool: "True or False",
    Any: "anything",
}
# How torch refuses. A subclass, such as that for memory running out, says something else.
REFUSALS = (
    *(RuntimeError, TypeError, ValueError, IndexError, ZeroDivisionError, NotImplementedError),
    torch.linalg.LinAlgError,  # pyright: ignore[reportPrivateImportUsage]
)


def at_least_1(**sizes: int) -> None:
    """Raise a ValueError that names the size that is below 1."""
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}")


def finite(**values: float | None) -> None:
    """Raise a ValueError that names the value that is infinite or NaN; None is no value."""
    for name, value in values.items():
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value}")


def positive(**values: float) -> None:
    """Raise a ValueError that names the value that is not positive, or not finite."""
    for name, value in values.items():
        if not 0 < value < math.inf:
            wanted = "finite" if value == math.inf else "positive"
            raise ValueError(f"{name} must be {wanted}, got {value}")


def same_length(*tensors: Tensor) -> int:
    """Return the number of rows of tensors that have equally many.

    Raises:
        ValueError: If there are no tensors or no rows, or the numbers of rows differ.
    """
    lengths = [len(tensor) if tensor.ndim else None for tensor in tensors]
    if len(set(lengths)) != 1 or lengths[0] is None:
        raise ValueError(f"tensors must be one or more of the same length, got {lengths}")
    if not lengths[0]:
        raise ValueError("tensors must have at least one row, got none")
    return lengths[0]


def guard(module: dict[str, Any], *, acts: bool = False) -> None:
    """Guard the public functions, methods and constructors of a module.

    Args:
        module: Its ``globals()``.
        acts: Whether arguments are compared before a function runs, not after.
    """
    for name, value in list(module.items()):
        if name.startswith("_") or getattr(value, "__module__", "") != module["__name__"]:
            continue
        if inspect.isfunction(value):
            module[name] = guarded(value, acts)
        for key, method in list(vars(value).items()) if inspect.isclass(value) else ():
            if key.startswith("_") and key != "__init__":
                continue
            if inspect.isfunction(method) and method.__module__ != "typing":  # a Protocol's
                setattr(value, key, guarded(method, acts))
            elif isinstance(method, classmethod):
                setattr(value, key, classmethod(guarded(method.__func__, acts)))


def guarded(function: Callable[..., Any], acts: bool = False) -> Callable[..., Any]:
    """Return the function, which now compares its arguments with its signature."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():
            return function(*args, **kwargs)
        try:
            given = list(_arguments(signature, signature.bind(*args, **kwargs).arguments))
        except TypeError:  # too few or too many: Python's own words are best
            return function(*args, **kwargs)
        misfit = _misfit(given)
        if misfit and acts:
            raise ValueError(misfit)
        try:
            result = function(*args, **kwargs)
        except Exception as error:
            named = isinstance(error, ValueError) and _first_word(error) in signature.parameters
            if misfit and not named:
                raise ValueError(misfit) from error
            shown = ", ".join(filter(None, (_tensors(given), _numbers(given))))
            if named or not shown or not str(error) or type(error) not in REFUSALS:
                raise
            cause = error.__cause__ or error
            unusable = f"{shown} cannot be used by {function.__qualname__}: {cause}"
            raise ValueError(unusable) from cause
        if misfit:
            raise ValueError(misfit)
        return result

    return call


def _first_word(error: Exception) -> str:
    return (re.findall(r"\w+", str(error)) or [""])[0]


def _arguments(
    signature: inspect.Signature, given: dict[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, value and annotation, first of a dataclass's own fields: they share axes."""
    for name, field in getattr(given.get("self"), "__dataclass_fields__", {}).items():
        if hasattr(given["self"], name):  # not yet in __init__
            yield f"self.{name}", getattr(given["self"], name), field.type
    for name, value in given.items():
        parameter = signature.parameters[name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            yield from ((f"{name}[{k}]", v, parameter.annotation) for k, v in enumerate(value))
        elif parameter.kind is not parameter.VAR_KEYWORD:
            yield name, value, parameter.annotation


def _misfit(given: list[tuple[str, Any, Any]]) -> str:
    """Return which argument is of another kind, or disagrees with those before it, if one does."""
    with jaxtyped("context"):  # in which an axis has one size
        for name, value, kind in given:
            if not _fits(value, kind):
                beside = _tensors([each for each in given if each[0] != name])
                misfit = f"{name} must be {_words(kind)}, got {_described(value)}"
                return f"{misfit} beside {beside}" if beside else misfit
    return ""


def _fits(value: Any, kind: Any) -> bool:
    origin, inner = get_origin(kind), get_args(kind)
    if choices := _choices(kind):
        return any(_fits(value, choice) for choice in choices)
    if origin is Literal:
        return value in inner
    if origin in (Sequence, list, tuple) and ... not in inner:
        if not isinstance(value, Sequence) or isinstance(value, str):
            return False
        each = inner if origin is tuple else inner * len(value)
        return len(value) == len(each) and all(map(_fits, value, each))
    if origin in (Mapping, dict):
        if not isinstance(value, origin):
            return False
        return all(all(map(_fits, pair, inner)) for pair in value.items())
    if kind is int:
        return isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if kind is float:
        plain = isinstance(value, numbers.Real) and not isinstance(value, bool)
        return plain or (isinstance(value, Tensor) and value.ndim == 0)
    known = origin or kind
    anything = known in (Any, inspect.Parameter.empty) or not isinstance(known, type)
    return anything or isinstance(value, known)  # pyright: ignore[reportArgumentType]


def _choices(kind: Any) -> tuple[Any, ...]:
    """Return the kinds between which a union or a type variable leaves the choice."""
    if get_origin(kind) in (Union, types.UnionType):
        return get_args(kind)
    return getattr(kind, "__constraints__", ())


def _words(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if hasattr(kind, "dim_str"):  # jaxtyping's
        dtype = kind.__name__.split("[")[0].lower()
        return f"{dtype} with the axes ({kind.dim_str.strip()})"
    if choices := _choices(kind):
        return " or ".join(map(_words, choices))
    if origin is Literal:
        return f"one of {', '.join(map(repr, inner))}"
    if origin is tuple and ... not in inner:
        each = list(dict.fromkeys(map(_words, inner)))
        return f"{len(inner)} values, each {each[0]}" if len(each) == 1 else " and ".join(each)
    if origin in (Mapping, dict):
        return f"a mapping of {_words(inner[0])} to {_words(inner[1])}"
    if origin in (Sequence, list):
        return f"a sequence, each {_words(inner[0])}"
    return WORDS.get(kind) or (origin or kind).__name__.removesuffix("Type")


def _described(value: Any) -> str:
    if not isinstance(value, Tensor):
        return reprlib.repr(value)
    place = "" if value.device.type == "cpu" else f" on {value.device}"
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}{place}"


def _tensors(given: list[tuple[str, Any, Any]]) -> str:
    """Return names, dtypes and sizes of the tensors."""
    return ", ".join(f"{n} {_described(v)}" for n, v, _ in given if isinstance(v, Tensor))


def _numbers(given: list[tuple[str, Any, Any]]) -> str:
    """Return names and values of the numbers, unless an error may come of a caller's own code."""
    others = [each for each in given if each[0] != "self"]
    if any(callable(value) for _, value, _ in others):
        return ""
    return ", ".join(
        f"{n} {v!r}" for n, v, _ in others if isinstance(v, numbers.Real | list | tuple)
    )
