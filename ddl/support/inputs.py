"""`inputs` validates arguments: what a signature says is compared before the function runs.

Types and shapes stand in the signature, once, and `checked` above it compares them. Values, a
probability for instance, are checked by the function itself; `at_least_1` and its like help.
"""

import functools
import inspect
import math
import numbers
import reprlib
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import torch
from jaxtyping import jaxtyped
from torch import Tensor
from torch.fx import Proxy

Checked = TypeVar("Checked", bound=Callable[..., Any])
SEQUENCES = (list, tuple, Sequence)
WORDS = {
    "int": "an integer",
    "float": "a number",
    "str": "a string",
    "bool": "True or False",
    "type": "a class",
    "Callable": "a function",
    "Module": "a torch.nn.Module",
    "Generator": "a torch.Generator",
    "ndarray": "a NumPy array",
    "Mapping": "a dict",
    "Sequence": "a list or tuple",
}


def checked(function: Checked) -> Checked:
    """Compare arguments with the signature before the function runs.

    It stands above a function or method, or above a dataclass, whose ``__init__`` is written
    nowhere. Shapes are jaxtyping's: axes of one name have one size in a call, those of a
    dataclass's own fields among them, and ``{self.latent}`` is a size that a module keeps.
    Nothing is compared while torch compiles or exports. What the function itself raises, and
    Python's error for a missing or unknown argument, stay as they are.

    Raises:
        ValueError: In the call, if an argument has another type or shape. The message names
            it, what was expected and what came.
    """
    if isinstance(function, type):
        function.__init__ = checked(function.__init__)
        return function  # pyright: ignore[reportReturnType]
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True  # IPython and pytest leave this frame out
        if not torch.compiler.is_compiling():
            try:
                given = signature.bind(*args, **kwargs).arguments
            except TypeError:  # a missing or unknown argument: the call below says which
                given = {}
            _compare(_annotated(given, signature), given.get("self"))
        return function(*args, **kwargs)

    return call  # pyright: ignore[reportReturnType]


def _annotated(given: Mapping[str, Any], signature: inspect.Signature) -> Iterable[Any]:
    """Yield name, value and annotation, first of a dataclass's own fields."""
    owner = given.get("self")
    for name, field in getattr(owner, "__dataclass_fields__", {}).items():
        if hasattr(owner, name):  # not yet in __init__
            yield f"self.{name}", getattr(owner, name), field.type
    for name, value in given.items():
        parameter = signature.parameters[name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            yield from ((f"{name}[{k}]", v, parameter.annotation) for k, v in enumerate(value))
        elif parameter.kind is not parameter.VAR_KEYWORD:
            yield name, value, parameter.annotation


def _compare(annotated: Iterable[tuple[str, Any, Any]], owner: Any) -> None:
    """Raise a ValueError for the first argument that does not fit, or not those before it."""
    tensors: list[str] = []
    with jaxtyped("context"):  # in which an axis has one size
        for name, value, kind in annotated:
            misfit = _misfit(name, value, kind, owner)
            if misfit and tensors and isinstance(value, Tensor):
                misfit += f" beside {', '.join(tensors)}"
            if misfit:
                raise ValueError(misfit)
            if isinstance(value, Tensor):
                tensors.append(f"{name} of shape {tuple(value.shape)}")


def _misfit(name: str, value: Any, kind: Any, owner: Any) -> str:
    """Return what is wrong with a value, or with the first wrong part of it, or nothing."""
    if "{" in getattr(kind, "dim_str", ""):
        kind = _sized(kind.dtype, kind.dim_str.format(self=owner))
    origin, inner = _parsed(kind)
    if isinstance(value, Proxy):  # stands for any value in torch.fx.symbolic_trace
        return ""
    if origin is Union:
        choices = [choice for choice in inner if choice is not types.NoneType or value is None]
        misfits = [_misfit(name, value, choice, owner) for choice in choices]
        if "" in misfits or len(misfits) == 1:
            return "" if "" in misfits else misfits[0]
    elif _fits(value, origin, inner):
        for key, part, kind_of_part in _parts(value, origin, inner):
            if misfit := _misfit(f"{name}[{key!r}]", part, kind_of_part, owner):
                return misfit
        return ""
    return f"{name} must be {_words(kind)}, got {_described(value)}"


@functools.lru_cache
def _sized(dtype: Any, axes: str) -> Any:
    return dtype[Tensor, axes]


@functools.lru_cache
def _parsed(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return what a type is, and of which types: a union, say, of its choices."""
    if choices := getattr(kind, "__constraints__", ()):  # a type variable's
        return Union, choices
    origin = get_origin(kind) or kind
    return Union if origin is types.UnionType else origin, get_args(kind)


def _fits(value: Any, origin: Any, inner: tuple[Any, ...]) -> bool:
    """Compare a value, but not the parts of a sequence or a dictionary."""
    if origin in (Any, inspect.Parameter.empty):
        return True
    if origin is Literal:
        return value in inner
    if origin is int:
        return isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if origin is float:
        number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        return number or (isinstance(value, Tensor) and value.ndim == 0)
    if origin in SEQUENCES:
        if isinstance(value, str) or not isinstance(value, Sequence):
            return False
        return origin is not tuple or ... in inner or len(value) == len(inner)
    return not isinstance(origin, type) or isinstance(value, origin)


def _parts(value: Any, origin: Any, inner: tuple[Any, ...]) -> Iterable[tuple[Any, Any, Any]]:
    """Return key, value and type of each part of a sequence or a dictionary."""
    if not inner:
        return ()
    if origin in (dict, Mapping):
        return [(key, part, inner[1]) for key, part in value.items()]
    if origin in SEQUENCES:
        each = inner if origin is tuple and ... not in inner else inner[:1] * len(value)
        return [(k, *pair) for k, pair in enumerate(zip(value, each, strict=True))]
    return ()


def _words(kind: Any) -> str:
    origin, inner = _parsed(kind)
    if hasattr(kind, "dim_str"):
        dtype = {"Float": "a float", "Int": "an integer", "Bool": "a boolean"}[kind.dtype.__name__]
        return f"{dtype} tensor of shape ({', '.join(kind.dim_str.split())})"
    if origin is Union:
        return " or ".join(_words(choice) for choice in inner)
    if origin is Literal:
        return f"one of {', '.join(map(repr, inner))}"
    if origin is tuple and ... not in inner:
        return f"a list or tuple of {len(inner)}"
    return WORDS.get(origin.__name__, f"a {origin.__name__}")


def _described(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} of shape {tuple(value.shape)}"
    if value is None or isinstance(value, str | numbers.Number):
        return reprlib.repr(value)
    name = type(value).__name__
    described = WORDS.get(name, f"a {name}")
    return f"{described} of {len(value)}" if isinstance(value, list | tuple | dict) else described


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
