"""Watches the memory of tensors while a model is built and trained on fake ones: nothing is computed or allocated.

Under torch's FakeTensorMode tensors have shapes, types and devices, and no values. A dispatch mode above it sees every
operator that a real run would call, and the storages that it makes; a storage ends when the last tensor on it does.
What asks for values gets an answer that is never too small: a mask chooses everything, and a count is not 0.
"""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import bitsandbytes  # noqa: F401 - its operators are there once it is imported
import torch
from torch import Tensor

from terrasweep.models.torch_internals import (
    NUMBER_OF,
    UNIQUE,
    TorchDispatchMode,
    consists_of_others,
    in_backward_pass,
    storage_address,
)
from terrasweep.predict.cuda_allocator import Event
from terrasweep.predict.trace import Block, Kind, Phase, Trace, Work

aten = torch.ops.aten
low_bit = torch.ops.bitsandbytes
_SOME = 2
"""As many as any count: metrics want at least two samples."""
_COLLECTED_EVERY = 64
"""Operators from one look for tensors that hold each other in a circle to the next; Python's own looks are chance."""
_NOT_SO = "is_not_so"
"""Marks what is taken to be false: that a count is short, that anything is wrong with an evaluated batch."""


class StorageWatch(TorchDispatchMode):
    """Records each storage that an operator makes, and its end."""

    def __init__(self, formulas: dict[Any, Callable[..., int]], *, for_gpu: bool = False) -> None:
        """Watch from now on, in a ``with`` statement.

        Args:
            formulas: Floating-point operations by operator, as torch's flop counter has them.
            for_gpu: Whether tensors stand for those of a GPU, but for what is made :meth:`on_host`.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self._formulas, self._for_gpu, self._makes_on_host = formulas, for_gpu, not for_gpu
        self._events: list[Event] = []
        self._sizes: list[int] = []
        self._on_host: list[bool] = []
        self._kinds: list[Kind] = []
        self._begins: list[tuple[Phase, int]] = []
        self._live: dict[int, tuple[int, weakref.ref[torch.UntypedStorage]]] = {}
        """By a storage's address in torch: its name, and what tells its end."""
        self._threads_with_workspace: set[bool] = set()
        """Of the forward pass (False) and of the backward pass (True)."""
        self._operators = 0
        self._flops, self._moved, self._kernels = 0.0, 0, 0
        self._steps: dict[Phase, Work] = {}

    def begin(self, phase: Phase) -> None:
        """From here on a phase lasts, until the next one begins."""
        self._close()
        self._begins.append((phase, len(self._events)))

    @contextmanager
    def on_host(self) -> Iterator[None]:
        """Within it new tensors are on the host, whatever the others stand for."""
        before, self._makes_on_host = self._makes_on_host, True
        try:
            yield
        finally:
            self._makes_on_host = before

    def name(self, tensors: Iterable[Tensor], kind: Kind) -> None:
        """Say what tensors are for that were made before it could be known."""
        for tensor in tensors:
            known = self._live.get(storage_address(tensor.untyped_storage()))
            if known is not None:
                self._kinds[known[0]] = kind

    def trace(self) -> Trace:
        """What was recorded so far."""
        self._close()
        blocks = [Block(*found) for found in zip(self._sizes, self._on_host, self._kinds, strict=True)]
        step = self._steps.get(Phase.STEADY_STEP, Work())
        return Trace(events=self._ordered(), blocks=blocks, begins=list(self._begins), step=step)

    def _ordered(self) -> list[Event]:
        """The events; of tensors that end at the same moment in the order in which they began: torch's is chance."""
        cuts = {place for _, place in self._begins}
        ordered: list[Event] = []
        ending: list[Event] = []
        for place, event in enumerate(self._events):
            if event[1] >= 0 or place in cuts:
                ordered += sorted(ending)
                ending = []
            if event[1] < 0:
                ending.append(event)
            else:
                ordered.append(event)
        return ordered + sorted(ending)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operator on fake tensors, and record what it made."""
        kwargs = kwargs or {}
        if func is torch.ops.prim.device.default:
            return func(*args, **kwargs)  # A fake tensor is asked where it is.
        if func not in _ANSWERS and consists_of_others(func):
            with self:
                return func.decompose(*args, **kwargs)
        self._operators += 1
        if self._operators % _COLLECTED_EVERY == 0:
            gc.collect(1)
        made = _ANSWERS.get(func, func)(*args, **kwargs)
        if func in _SHORTAGES or (func is aten.any.default and self._begins[-1][0] is Phase.EVALUATION):
            setattr(made, _NOT_SO, True)
        for tensor in _tensors(made):
            self._record(tensor)
        if self._for_gpu and not self._makes_on_host:
            self._record_inner(func, args, made)
        if not func.is_view and func is not aten.detach.default:
            self._count(func, args, kwargs, made)
        return made

    def _record(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        address = storage_address(storage)
        if address in self._live:
            return
        name, size = len(self._sizes), storage.nbytes()
        self._sizes.append(size)
        self._on_host.append(self._makes_on_host)
        self._kinds.append(self._kind())
        self._events.append((name, size))
        self._live[address] = (name, weakref.ref(storage, lambda _: self._end(address)))

    def _record_inner(self, func: Any, args: Any, made: Any) -> None:
        """What an operator takes on a GPU beside its results."""
        thread = in_backward_pass()
        if func in _PRODUCTS and thread not in self._threads_with_workspace:
            self._threads_with_workspace.add(thread)
            self._take(_PRODUCT_WORKSPACE)  # It is kept.
        if (size_of := _INNER.get(func)) is not None:
            name = self._take(size_of(args, made))
            self._events.append((name, -1))

    def _take(self, size: int) -> int:
        """Record a block on the device that is no tensor's; returns its name."""
        name = len(self._sizes)
        self._events.append((name, size))
        self._sizes.append(size)
        self._on_host.append(False)
        self._kinds.append(Kind.WORKSPACES)
        return name

    def _kind(self) -> Kind:
        """What a new storage is for: what a forward pass makes is made with gradients in mind."""
        phase = self._begins[-1][0]
        if phase is Phase.BUILD:
            return Kind.WEIGHTS
        is_kept = self._for_gpu and self._makes_on_host
        return Kind.ACTIVATIONS if phase is Phase.EVALUATION or is_kept or torch.is_grad_enabled() else Kind.WORKSPACES

    def _end(self, address: int) -> None:
        self._events.append((self._live.pop(address)[0], -1))

    def _count(self, func: Any, args: Any, kwargs: Any, made: Any) -> None:
        formula = self._formulas.get(func.overloadpacket)
        if formula is not None:
            self._flops += formula(*args, **kwargs, out_val=made)
        self._kernels += 1
        self._moved += sum(t.numel() * t.element_size() for t in (*_tensors(args), *_tensors(kwargs), *_tensors(made)))

    def _close(self) -> None:
        """Keep what the phase that ends has computed."""
        if self._begins:
            self._steps[self._begins[-1][0]] = Work(flops=self._flops, moved_bytes=self._moved, kernels=self._kernels)
        self._flops, self._moved, self._kernels = 0.0, 0, 0


def _tensors(values: Any) -> Iterator[Tensor]:
    """The tensors among an operator's arguments or results, which it takes one by one or in lists."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _tensors(value)
    elif isinstance(values, dict):
        yield from _tensors(list(values.values()))


def _number(tensor: Tensor) -> bool | int | float:
    """The number of a tensor with one element: there are some of whatever is counted."""
    if tensor.dtype is torch.bool:
        return not getattr(tensor, _NOT_SO, False)
    return 1.0 if tensor.dtype.is_floating_point else _SOME


def _bins(values: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """``bincount`` of values below ``minlength``."""
    return values.new_empty(max(minlength, 1), dtype=torch.int64 if weights is None else weights.dtype)


def _all_places(mask: Tensor) -> Tensor:
    """``nonzero`` of a mask that chooses everything."""
    return mask.new_empty((mask.numel(), mask.ndim), dtype=torch.int64)


def _all_chosen(tensor: Tensor, mask: Tensor) -> Tensor:
    """``masked_select`` with such a mask."""
    return tensor.new_empty(torch.broadcast_shapes(tensor.shape, mask.shape).numel())


def _indexed(tensor: Tensor, indices: list[Tensor | None]) -> Tensor:
    """Indexing in which masks choose everything."""
    places: list[Tensor | None] = []
    for index in indices:
        if index is not None and index.dtype in (torch.bool, torch.uint8):
            places += [index.new_empty(index.numel(), dtype=torch.int64) for _ in range(index.ndim)]
        else:
            places.append(index)
    result: Tensor = aten.index.Tensor(tensor, places)
    return result


def _all_alike(tensor: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor, Tensor]:
    """``unique`` of values that are all the same, as metrics like their labels to be few."""
    return (
        tensor.new_empty(1),
        tensor.new_empty(tensor.shape, dtype=torch.int64),
        tensor.new_empty(1, dtype=torch.int64),
    )


_GEMM_4BIT, _SCALED_INT8 = (
    getattr(getattr(low_bit, name, None), "default", None) for name in ("gemm_4bit", "int8_scaled_mm")
)
_PRODUCTS = {aten.mm.default, aten.addmm.default, aten.bmm.default, aten.baddbmm.default, _GEMM_4BIT}
"""Operators that cuBLAS computes; on few rows of 4-bit weights a kernel of bitsandbytes' own may."""
_PRODUCT_WORKSPACE = 32 * 2**20
"""Bytes of torch's allocator that cuBLAS works in, one piece for each thread and stream, on Hopper and Blackwell; on
others it is a quarter (``getChosenWorkspaceSize`` in torch's ``aten/src/ATen/cuda/CublasHandlePool.cpp``)."""
_INNER: dict[Any, Callable[[Any, Any], int]] = {
    _GEMM_4BIT: lambda args, _: math.prod(args[2]) * args[0].element_size(),
    _SCALED_INT8: lambda _, made: made.numel() * (4 + 2),
}
"""Bytes within operators of bitsandbytes that are one here and several on a GPU (its ``backends/cuda/ops.py``):
unpacked weights, and a product as integers of 32 bits that become numbers of 16 bits first."""
_SHORTAGES = {
    *(aten.eq.Scalar, aten.eq.Tensor, aten.lt.Scalar, aten.lt.Tensor, aten.le.Scalar, aten.le.Tensor),
}
"""Operators that say whether a number is another one, or less: of counts it never is."""
_ANSWERS: dict[Any, Callable[..., Any]] = {
    aten.item.default: _number,
    NUMBER_OF: _number,
    aten.bincount.default: _bins,
    aten.nonzero.default: _all_places,
    aten.masked_select.default: _all_chosen,
    aten.index.Tensor: _indexed,
    UNIQUE: _all_alike,
    aten.allclose.default: lambda *_, **__: False,  # torchmetrics merges metrics whose states are alike.
    aten.equal.default: lambda *_: False,
}
"""What operators give whose results depend on values."""
