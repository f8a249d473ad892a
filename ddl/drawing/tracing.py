r"""Which layers a network runs and who reads whom, taken down while it runs.

`trace` calls a network on an example and notes each call of torch: what it reads and what it
returns. So the graph is that of the numbers: what the code says but does not do is not in it.
"""

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from ddl.drawing.graph import Box, Network, Shape
from ddl.drawing.labels import BESIDE, NOISE, SHAPED_LIKE, of_call, of_module, operation
from ddl.support.inputs import at_least_1, checked

Whole = type[nn.Module] | Callable[..., Any]


@dataclass(eq=False)
class _Call:
    """One run of a layer, a function or an operation that is drawn as one box."""

    name: str
    text: tuple[str, ...]
    kind: str = "layer"
    learns: bool = False
    own: bool = False  # whether it is a module that torch does not have
    reads: dict["_Call", Shape] = field(default_factory=dict)
    shapes: list[Shape] = field(default_factory=list)


class _Recorder(TorchFunctionMode):
    """Notes who made which tensor. It holds all tensors, lest a new one gets an old one's id."""

    def __init__(self, network: Callable[..., Any], depth: int | None, whole: Sequence[Whole]):
        super().__init__()
        self.root, self.depth, self.whole = network, depth, tuple(whole)
        self.codes: dict[CodeType, Callable[..., Any]] = {
            inspect.unwrap(w).__code__: w for w in whole if inspect.isfunction(w)
        }
        owner = getattr(network, "__self__", network)
        owners = {"": owner} if isinstance(owner, nn.Module) else _modules_known_to(network)
        self.names = {
            id(part): f"{name}.{path}".strip(".")
            for name, module in owners.items()
            for path, part in (*module.named_modules(), *module.named_parameters())
        }
        self.calls: list[_Call] = []  # as they ran
        self.modes: dict[nn.Module, bool] = {}
        self.made_by: dict[int, _Call] = {}
        self.outside: dict[int, str] = {}  # what it is that depends on no input
        self.kept: list[Any] = []
        self.scopes: list[tuple[Any, _Call | None]] = []  # of modules, then of function frames
        self.callers: list[list[tuple[Any, _Call | None]]] = []
        self.runs: dict[int, list[_Call]] = {}  # of the same layer

    def enter(self, module: nn.Module, _: Any) -> None:
        self.callers.append(self.scopes)
        self.evaluate(module)
        if module is self.root:
            return
        self.scopes = self.current_scopes()
        of_torch = type(module).__module__.startswith("torch.nn")
        closed = of_torch and not isinstance(module, nn.Sequential)
        closed |= isinstance(module, tuple(w for w in self.whole if isinstance(w, type)))
        closed |= len(self.scopes) + 1 == self.depth
        call = None
        if closed and not isinstance(module, nn.Identity):
            name = self.names.get(id(module), type(module).__name__.lower())
            learns = any(True for _ in module.parameters())
            own = (
                not type(module).__module__.startswith("torch.nn") or type(module) is nn.Sequential
            )
            call = self.call(name, of_module(module, name), learns=learns, own=own)
            self.runs.setdefault(id(module), []).append(call)
            self.kept.append(module)
        self.scopes = [*self.scopes, (module, call)]

    def evaluate(self, module: nn.Module) -> None:
        self.modes.setdefault(module, module.training)
        module.training = False

    def leave(self, *_: Any) -> None:
        self.scopes = self.callers.pop()

    def current_scopes(self) -> list[tuple[Any, _Call | None]]:
        """Return the scopes, with functions among `whole` that were entered since."""
        frames, frame = [], sys._getframe()
        while frame := frame.f_back:
            if frame.f_code in self.codes:
                frames.append(frame)
        known = {id(owner) for owner, _ in self.scopes}
        for frame in reversed(frames):
            if id(frame) not in known:
                name = self.codes[frame.f_code].__name__
                self.scopes = [*self.scopes, (frame, self.call(name, (name.replace("_", " "),)))]
                self.kept.append(frame)
        active = set(map(id, frames))
        self.scopes = [s for s in self.scopes if isinstance(s[0], nn.Module) or id(s[0]) in active]
        return self.scopes

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        given = _tensors((args, kwargs))
        versions = [t._version for t in given]
        result = func(*args, **kwargs)
        changed = [t for t, v in zip(given, versions, strict=True) if t._version != v]
        name, made = operation(func), _tensors(result) or changed
        self.kept += [given, made]
        if name in SHAPED_LIKE:  # of these, the values of other tensors are not read
            given = given[: SHAPED_LIKE[name]]
        call = next((call for _, call in self.current_scopes() if call), None)
        read = [t for t in given if id(t) in self.made_by]
        if not made or (not read and call is None):
            source = [self.outside.get(id(t)) or self.names.get(id(t)) for t in given]
            named = "noise" if name in NOISE else next(filter(None, source), "constant")
            self.outside |= {id(t): named for t in made}
            return result
        if len(read) == len(made) == 1 and not changed and _same(name, read[0], made[0]):
            self.made_by[id(made[0])] = self.made_by[id(read[0])]
            return result
        if call is None:
            for tensor in given:
                if id(tensor) not in self.made_by:
                    self.made_by[id(tensor)] = self.source(tensor)
            call, read = self.call(name, *of_call(name, args, kwargs)), given
        else:
            for tensor in given:
                if id(tensor) in self.outside and id(tensor) not in self.made_by:
                    self.made_by[id(tensor)] = self.source(tensor, call)
            read = [t for t in given if id(t) in self.made_by]
        for tensor in read:
            maker = self.made_by[id(tensor)]
            if maker is not call:
                call.reads.setdefault(maker, tuple(tensor.shape))
        call.shapes = [tuple(t.shape) for t in made]
        self.made_by |= {id(t): call for t in made}
        return result

    def source(self, tensor: Tensor, reader: _Call | None = None) -> _Call:
        name = self.outside.get(id(tensor)) or self.names.get(id(tensor), "constant")
        learns = isinstance(tensor, nn.Parameter)
        made = self.call(name, (name,), "source", learns, shapes=[tuple(tensor.shape)])
        if reader:  # which was noted when it was entered
            self.calls.insert(self.calls.index(reader), self.calls.pop())
        return made

    def call(self, *given: Any, **known: Any) -> _Call:
        self.calls.append(_Call(*given, **known))
        return self.calls[-1]


@checked
def trace(
    network: Callable[..., Any],
    example: Any,
    *,
    depth: int | None = None,
    whole: Sequence[Whole] = (),
) -> Network:
    """Run a network once and return which layers and operations it ran.

    Dropout, which does nothing in evaluation, and what changes no number are left out, and so
    is what the outputs do not need. Random numbers are drawn apart: torch's own generator
    stays where it was. Nothing of the network is changed.

    Args:
        network: A module, a method of one or a function that runs some.
        example: What it is called with: a tensor, or a tuple of arguments.
        depth: How deep modules are opened: at 1, those that the network calls are boxes. Without,
            the layers of `torch.nn` are boxes, and all others are opened.
        whole: Classes of modules, and functions, that are not opened.

    Returns:
        The boxes by name, each after those that it reads. The name of a layer is its path, as
        in ``named_modules``, that of an operation its function's; from the second run on with
        a number, as in ``relu_2``. Inputs have their parameters' names, and the result is
        ``output``.

    Raises:
        ValueError: If ``depth`` is below 1, the example holds no tensor, or an output does not
            depend on it.
    """
    at_least_1(depth=1 if depth is None else depth)
    arguments = example if isinstance(example, tuple) else (example,)
    if not _tensors(arguments):
        raise ValueError(f"example must hold a tensor or more, got {example!r}")
    arguments = tree_map(lambda v: v.clone() if isinstance(v, Tensor) else v, arguments)
    recorder = _Recorder(network, depth, whole)
    for name, value in _inputs(network, arguments):
        shape = tuple(value.shape)
        recorder.made_by[id(value)] = recorder.call(name, (name,), "end", shapes=[shape])
    if isinstance(owner := getattr(network, "__self__", network), nn.Module):
        recorder.evaluate(owner)
    hooks = []
    try:
        hooks += [register_module_forward_pre_hook(recorder.enter)]
        hooks += [register_module_forward_hook(recorder.leave, always_call=True)]
        with torch.random.fork_rng(_gpus(arguments)), torch.no_grad(), recorder:
            result = network(*arguments)
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in recorder.modes.items():
            module.training = mode
    for runs in recorder.runs.values():
        for call in runs if len(runs) > 1 else ():
            call.text = (*call.text, "same weights")
    outputs = _tensors(result)
    if not outputs or not all(id(t) in recorder.made_by for t in outputs):
        raise ValueError("example must lead to each output, got one that does not depend on it")
    number = "" if len(outputs) == 1 else " {}"
    for k, tensor in enumerate(outputs, start=1):
        name, shape = f"output{number.format(k)}", tuple(tensor.shape)
        reads = {recorder.made_by[id(tensor)]: shape}
        recorder.call(name, (name,), "end", reads=reads, shapes=[shape])
    return _needed(recorder.calls, len(outputs))


def _gpus(arguments: tuple[Any, ...]) -> list[int]:
    """Return the GPUs on which an example lies, whose random numbers are drawn apart."""
    return sorted({t.device.index for t in _tensors(arguments) if t.is_cuda})


def _needed(calls: list[_Call], outputs: int) -> Network:
    """Return the boxes that lead to the last ones, which are the outputs."""
    needed = set(calls[-outputs:])
    for call in reversed(calls):
        if call in needed:
            needed |= set(call.reads)
    taken: Counter[str] = Counter()
    names: dict[_Call, str] = {}
    for call in filter(needed.__contains__, calls):
        taken[call.name] += 1
        number = taken[call.name]
        names[call] = call.name if number == 1 else f"{call.name}_{number}"
    return {
        name: Box(
            (*call.text, *_channels(call)),
            call.kind,
            {names[read]: shape for read, shape in call.reads.items()},
            call.shapes[0] if len(set(call.shapes)) == 1 else None,
            call.learns,
        )
        for call, name in names.items()
    }


def _channels(call: _Call) -> list[str]:
    """Return how many channels, or features, a module of our own reads and returns."""
    shapes = [*call.reads.values(), *call.shapes]
    if not call.own or len(call.reads) != 1 or len(call.shapes) != 1 or len(shapes[0]) < 2:
        return []
    return [" → ".join(str(shape[1 if len(shape) == 4 else -1]) for shape in shapes)]


def _inputs(network: Callable[..., Any], arguments: tuple[Any, ...]) -> list[tuple[str, Tensor]]:
    """Return each tensor among the arguments with a name."""
    function = network.forward if isinstance(network, nn.Module) else network
    named = []
    for name, value in inspect.signature(function).bind(*arguments).arguments.items():
        tensors = _tensors(value)
        many = len(tensors) > 1
        named += [(f"{name} {k}" if many else name, t) for k, t in enumerate(tensors, start=1)]
    return named


def _modules_known_to(function: Callable[..., Any]) -> dict[str, nn.Module]:
    """Return the modules that a function uses, by the variables that hold them."""
    if not inspect.isfunction(function):
        return {}
    found = inspect.getclosurevars(inspect.unwrap(function))
    known = {**found.globals, **found.nonlocals}
    return {name: value for name, value in known.items() if isinstance(value, nn.Module)}


def _same(name: str, read: Tensor, made: Tensor) -> bool:
    """Return whether an operation has handed on what it was given."""
    if read.shape != made.shape:
        return False
    places = [(t.untyped_storage()._cdata, t.storage_offset(), t.stride()) for t in (read, made)]
    return places[0] == places[1] or name in BESIDE  # one part beside nothing, no padding


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
