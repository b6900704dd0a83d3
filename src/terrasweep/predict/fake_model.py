"""Gives a model that exists on paper fake tensors of a device, as a trial's build gives it real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import bitsandbytes as bnb
import torch
from bitsandbytes.nn import Linear4bit, Linear8bitLt
from torch import Tensor, nn

from terrasweep.models.torch_internals import tables_of_tensors
from terrasweep.predict.fake_tensors import is_fake
from terrasweep.predict.storage_watch import StorageWatch

Move = Callable[[Tensor], Tensor]
"""A tensor on the device, of one on the host: another tensor where the device is a GPU."""


def place_on_fakes(model: nn.Module, watch: StorageWatch, *, to_gpu: bool, loaded: nn.Module | None = None) -> None:
    """Replace all tensors of a model by fake ones, in the order of a build; to be called in a FakeTensorMode.

    All weights are on the host in 32 bits first, beside those of a file that is loaded; then each low-bit layer is
    quantized on the device, and the rest is rounded where it is stored in 16 bits, and moved there.

    Args:
        model: On the ``meta`` device, with low-bit layers whose weights are not quantized.
        watch: What has to know which tensors are on the host.
        to_gpu: Whether it will train on one.
        loaded: What a file gives weights for, if anything.
    """
    with watch.on_host():
        as_built = {id(tensor): _in_32_bits(tensor) for tensor in (*model.parameters(), *model.buffers())}
        if loaded is not None:
            _ = [torch.empty_like(as_built[id(parameter)]) for parameter in loaded.parameters()]
            del _
    move: Move = torch.clone if to_gpu else _unmoved
    for layer in model.modules():
        if isinstance(layer, Linear4bit):
            _place_4bit(layer, move(as_built.pop(id(layer.weight))))
        elif isinstance(layer, Linear8bitLt):
            _place_int8(layer, move(as_built.pop(id(layer.weight))))
    placed: dict[int, Tensor] = {}
    for module in model.modules():
        for name, owner, tensor in _own_tensors(module):
            if id(tensor) not in placed:
                with watch.on_host():
                    rounded = _rounded(tensor, as_built.pop(id(tensor), None))
                placed[id(tensor)] = _as_was(move(rounded), tensor)
                del rounded
            owner[name] = placed[id(tensor)]


@contextmanager
def own_code_tables() -> Iterator[None]:
    """Within it bitsandbytes has a fake code table; those that it keeps for real tensors stay as they are."""
    tables = bnb.functional.name2qmap
    kept = dict(tables)
    tables.clear()
    tables["dynamic"] = torch.empty(2**8)
    try:
        yield
    finally:
        tables.clear()
        tables.update(kept)


def _in_32_bits(tensor: Tensor) -> Tensor:
    """A fake tensor on the host, as a build makes it before anything is rounded."""
    dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=dtype)


def _own_tensors(module: nn.Module) -> Iterator[tuple[str, dict[str, Any], Tensor]]:
    """Parameters, buffers and plain tensors that are not fake yet, with where the module keeps them."""
    for owner in (*tables_of_tensors(module), module.__dict__):
        for name, tensor in list(owner.items()):
            if isinstance(tensor, Tensor) and not is_fake(tensor):
                yield name, owner, tensor


def _unmoved(tensor: Tensor) -> Tensor:
    return tensor


def _rounded(tensor: Tensor, as_built: Tensor | None) -> Tensor:
    """The fake tensor that stands for one on paper, of its own type."""
    return (_in_32_bits(tensor) if as_built is None else as_built).to(tensor.dtype)


def _as_was(fake: Tensor, tensor: Tensor) -> Tensor:
    return nn.Parameter(fake, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else fake


def _place_4bit(layer: Linear4bit, weight: Tensor) -> None:
    """As bitsandbytes' ``Params4bit`` is quantized, whose class no fake tensor can have."""
    settings: Any = layer.weight
    packed, state = bnb.functional.quantize_4bit(
        weight,
        blocksize=settings.blocksize,
        compress_statistics=settings.compress_statistics,
        quant_type=settings.quant_type,
        quant_storage=settings.quant_storage,
    )
    placed: Any = nn.Parameter(packed, requires_grad=False)
    placed.quant_state = layer.quant_state = state
    layer.weight = placed


def _place_int8(layer: Linear8bitLt, weight: Tensor) -> None:
    """As bitsandbytes' ``Int8Params`` is quantized."""
    codes, scales, _ = bnb.functional.int8_vectorwise_quant(weight.to(torch.float16))
    placed: Any = nn.Parameter(codes, requires_grad=False)
    placed.CB, placed.SCB = codes, scales
    layer.weight = placed
