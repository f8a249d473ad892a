"""A pretend GPU: what would fail on a real one fails here, on a machine that has none.

Tensors stay on the CPU, and so do their numbers. A storage that was moved to "cuda" is marked;
every operation is watched, those of the backward pass and of optimizers too. As CUDA does, it
refuses operands on two devices, ``numpy()`` of a marked tensor and a CPU generator for a draw on
the GPU, and what is computed from marked tensors is marked. It counts how often the CPU would
have to wait for the GPU. It does not see what a GPU alone has: its own random numbers, atomics,
memory, kernels for bfloat16, more GPUs. ONNX is exported outside of it.
"""

import types
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import (
    TorchFunctionMode,
    _pop_mode,
    _push_mode,
)
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

aten = torch.ops.aten
CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
COPIES = {aten.copy_.default, aten._to_copy.default}  # these may cross from one to the other
ANSWERS = {aten._local_scalar_dense.default, aten.equal.default, aten.is_nonzero.default}
# The size of the result depends on values, so the CPU waits for them.
SIZED_BY_VALUES = {
    *(aten.nonzero.default, aten.masked_select.default, aten.bincount.default),
    *(aten._unique2.default, aten.unique_dim.default, aten.repeat_interleave.Tensor),
}
INDEXED = {
    *(aten.index.Tensor, aten.index_put_.default, aten.index_put.default),
    aten._index_put_impl_.default,
}
CUDA = {  # what pages, recipes and Fabric ask torch.cuda
    "is_available": lambda: True,
    "device_count": lambda: 1,
    "current_device": lambda: 0,
    "set_device": lambda device: None,
    "synchronize": lambda device=None: None,
    "empty_cache": lambda: None,
    "get_device_name": lambda device=None: "Pretend GPU",
    "get_device_capability": lambda device=None: (7, 5),
    "get_device_properties": lambda device=None: types.SimpleNamespace(
        name="Pretend GPU", major=7, minor=5, total_memory=80 << 30
    ),
}


def tensors_in(values: Iterable[Any]) -> list[Tensor]:
    """Return the tensors of arguments, nested or not."""
    found = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += tensors_in(value)
    return found


def getter(name: str) -> Any:
    """Return the function that is called for an attribute of a tensor."""
    return vars(torch._C.TensorBase)[name].__get__


def is_gpu(place: Any) -> bool:
    """Return whether a device, as arguments name it, is the GPU."""
    return isinstance(place, int) or torch.device(place).type == "cuda"


class PretendGPU:
    """Knows which storages lie on the GPU.

    Attributes:
        waits: How often the CPU would have waited for the GPU, by what it asked.
    """

    def __init__(self) -> None:
        self.waits: Counter[str] = Counter()
        # A weak reference keeps the address from being used again, so the address is a name.
        self._marks: dict[int, StorageWeakRef] = {}
        self._limit = 10_000

    def holds(self, tensor: Tensor) -> bool:
        """Return whether a tensor lies on the GPU."""
        try:
            return tensor.untyped_storage()._cdata in self._marks
        except (NotImplementedError, RuntimeError):  # some tensors have no storage
            return False

    def mark(self, tensor: Tensor) -> Tensor:
        """Lay the storage of a tensor on the GPU."""
        if self.holds(tensor) or tensor.is_meta:
            return tensor
        try:
            storage = tensor.untyped_storage()
        except (NotImplementedError, RuntimeError):
            return tensor
        if len(self._marks) > self._limit:
            self._marks = {key: ref for key, ref in self._marks.items() if not ref.expired()}
            self._limit = max(10_000, 2 * len(self._marks))
        self._marks[storage._cdata] = StorageWeakRef(storage)
        return tensor

    def copied(self, tensor: Tensor, to_gpu: bool) -> Tensor:
        """Return a copy on the other device; a copy to the CPU is waited for."""
        if not to_gpu:
            self.waits["copy to the CPU"] += 1
        with torch._C._DisableTorchDispatch():  # pyright: ignore[reportAttributeAccessIssue]
            copy = tensor.detach().clone()
        return self.mark(copy) if to_gpu else copy

    def move(self, tensor: Tensor, to_gpu: bool) -> Tensor:
        """Return the tensor on a device; gradients travel back."""
        if self.holds(tensor) == to_gpu:
            return tensor
        if tensor.requires_grad and torch.is_grad_enabled():
            return Move.apply(tensor, self, to_gpu)  # pyright: ignore[reportReturnType]
        return self.copied(tensor, to_gpu)


class Move(torch.autograd.Function):
    """A copy from one device to the other."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, gpu: PretendGPU, to_gpu: bool) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.gpu, ctx.back = gpu, not to_gpu
        return gpu.copied(tensor, to_gpu)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return ctx.gpu.move(gradient, ctx.back), None, None


class Operations(TorchDispatchMode):
    """Watches each operation: where its operands lie, and whether it waits."""

    def __init__(self, gpu: PretendGPU) -> None:
        super().__init__()
        self.gpu = gpu

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and a guard around each operation costs time

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        tensors = tensors_in(args) + tensors_in(kwargs.values())
        there = [self.gpu.holds(tensor) for tensor in tensors]
        if any(there):
            self.check(func, args, kwargs, tensors, there)
        out = func(*args, **kwargs)
        if any(there) and func not in ANSWERS and func is not aten.copy_.default:
            for tensor in tensors_in([out]):
                self.gpu.mark(tensor)
        return out

    def check(
        self, func: Any, args: Any, kwargs: Any, tensors: list[Tensor], there: list[bool]
    ) -> None:
        """Refuse what CUDA refuses, and count what waits."""
        if func in ANSWERS or func in SIZED_BY_VALUES:
            self.gpu.waits[str(func)] += 1
        elif func in COPIES:
            self.gpu.waits["copy to the CPU"] += func is aten.copy_.default and not there[0]
        elif func in INDEXED:
            values = [v for v in tensors_in(args[2:3]) if v.ndim]
            if not there[0] or not all(map(self.gpu.holds, values)):
                raise RuntimeError(f"indices or values are on another device ({func})")
            masks = [i for i in tensors_in(args[1]) if i.dtype in (torch.bool, torch.uint8)]
            self.gpu.waits["index by a mask"] += len(masks)
        else:
            for tensor, on_gpu in zip(tensors, there, strict=True):
                if tensor.ndim and not on_gpu and not tensor.is_meta:
                    raise RuntimeError(
                        "Expected all tensors to be on the same device, but found at least two "
                        f"devices, cuda:0 and cpu! ({func}, CPU tensor {tuple(tensor.shape)})"
                    )
        if any(isinstance(value, torch.Generator) for value in (*args, *kwargs.values())):
            raise RuntimeError("Expected a 'cuda' device type for generator but found 'cpu'")


class Functions(TorchFunctionMode):
    """Answers where a tensor lies, moves it, and makes new ones on the GPU."""

    def __init__(self, gpu: PretendGPU) -> None:
        super().__init__()
        self.gpu = gpu
        self.own: dict[Any, Callable[..., Any]] = {
            getter("device"): lambda x: GPU,
            getter("is_cuda"): lambda x: True,
            getter("is_cpu"): lambda x: False,
            Tensor.get_device: lambda x: 0,
            Tensor.numpy: self.refuse_numpy,
            Tensor.__array__: self.refuse_numpy,
            Tensor.cpu: lambda x, **_: gpu.move(x, False),
            Tensor.cuda: lambda x, *_, **__: x,
            Tensor.tolist: lambda x: gpu.move(x, False).tolist(),
            Tensor.new_tensor: lambda x, *a, **k: gpu.mark(Tensor.new_tensor(x, *a, **k)),
            Tensor.__deepcopy__: lambda x, memo: gpu.mark(Tensor.__deepcopy__(x, memo)),
        }

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is Tensor.to:
            return self.to(*args, **kwargs)
        if func is Tensor.cuda:
            return self.gpu.move(args[0], True)
        if func in self.own and self.gpu.holds(args[0]):
            return self.own[func](*args, **kwargs)
        place = kwargs.get("device") if kwargs else None
        if place is None or not is_gpu(place):
            return func(*args, **kwargs)
        if kwargs.get("generator") is not None:
            raise RuntimeError("Expected a 'cuda' device type for generator but found 'cpu'")
        out = func(*args, **{**kwargs, "device": CPU})
        return self.gpu.mark(out) if isinstance(out, Tensor) else out

    def refuse_numpy(self, *_: Any, **__: Any) -> None:
        raise TypeError(
            "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the "
            "tensor to host memory first."
        )

    def to(self, tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Do what ``Tensor.to`` does, in all its forms."""
        to_gpu, rest, given = None, [], (args, dict(kwargs))
        for value in (*args, kwargs.pop("device", None), kwargs.pop("other", None)):
            if isinstance(value, Tensor):
                to_gpu = self.gpu.holds(value)
                rest.append(value.dtype)
            elif isinstance(value, str | torch.device | int) and not isinstance(value, bool):
                if not isinstance(value, int) and torch.device(value).type == "meta":
                    return Tensor.to(tensor, *given[0], **given[1])
                to_gpu = is_gpu(value)
            elif value is not None and not isinstance(value, bool):
                rest.append(value)
        kwargs.pop("non_blocking", None)
        moved = tensor if to_gpu is None else self.gpu.move(tensor, to_gpu)
        return Tensor.to(moved, *rest, **kwargs) if rest or kwargs else moved


@contextmanager
def pretend_gpu() -> Iterator[PretendGPU]:
    """Let torch believe in a GPU. Import what asks for one when it is imported before."""
    gpu, export = PretendGPU(), torch.onnx.export
    before = {name: getattr(torch.cuda, name) for name in CUDA}

    def exported(*args: Any, **kwargs: Any) -> Any:
        mode = _pop_mode()
        try:
            with _disable_current_modes(), patch.multiple(torch.cuda, **before):
                return export(*args, **kwargs)
        finally:
            _push_mode(mode)

    with ExitStack() as stack:
        stack.enter_context(patch.multiple(torch.cuda, **CUDA))
        stack.enter_context(patch.object(torch.onnx, "export", exported))
        stack.enter_context(Operations(gpu))
        stack.enter_context(Functions(gpu))
        yield gpu
