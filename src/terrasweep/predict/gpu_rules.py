"""What differs on a GPU, for fake tensors that are those of a CPU and stand for a GPU's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bitsandbytes.autograd._functions as low_bit_products
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from terrasweep.models.offload.apply import SAVED
from terrasweep.predict.storage_watch import StorageWatch

_IN_32_BITS = {
    *(functional.layer_norm, torch.layer_norm, functional.group_norm, torch.group_norm),
    *(functional.softmax, torch.softmax, Tensor.softmax, functional.log_softmax, torch.log_softmax),
    *(torch.exp, Tensor.exp, torch.log, Tensor.log, torch.pow, Tensor.pow, torch.rsqrt, Tensor.rsqrt),
    *(torch.sum, Tensor.sum, torch.cumsum, Tensor.cumsum, torch.norm, Tensor.norm, torch.cdist),
    *(functional.softplus, functional.cosine_similarity, torch.cosine_similarity),
}
"""What CUDA's autocast computes in 32 bits, and a CPU's does not
(https://docs.pytorch.org/docs/stable/amp.html#autocast-op-reference)."""


@contextmanager
def as_on_gpu(watch: StorageWatch) -> Iterator[None]:
    """Within it operators are a GPU's: autocast's, int8's, and copies of what is kept on the host."""
    on_cpu = low_bit_products.MatMul8bitFp
    # On a CPU bitsandbytes unpacks the weights, on a GPU it multiplies in 8 bits.
    low_bit_products.MatMul8bitFp = low_bit_products.MatMul8bitLt  # type: ignore[misc,assignment]
    kept = SAVED.set(lambda _: _kept_on_host(watch))
    try:
        with _Functions():
            yield
    finally:
        SAVED.reset(kept)
        low_bit_products.MatMul8bitFp = on_cpu  # type: ignore[misc]


def _kept_on_host(watch: StorageWatch) -> saved_tensors_hooks:
    """As torch's ``save_on_cpu``, whose copies between devices would be none here."""

    def pack(tensor: Tensor) -> Tensor:
        with watch.on_host():
            return tensor.clone()

    return saved_tensors_hooks(pack, torch.clone)


class _Functions(TorchFunctionMode):
    """CUDA's list of what is computed in 32 bits, and its dropout, which keeps a byte an element."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if function in _IN_32_BITS and torch.is_autocast_enabled("cpu"):
            args = tuple(_widened(value) for value in args)
            kwargs = {key: _widened(value) for key, value in (kwargs or {}).items()}
        if function is functional.dropout:
            function = _fused_dropout
        return function(*args, **(kwargs or {}))


def _fused_dropout(values: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """As ``is_fused_kernel_acceptable`` in torch's ``aten/src/ATen/native/Dropout.cpp`` has it."""
    if not training or inplace or not 0 < p < 1:
        return functional.dropout(values, p, training, inplace)
    kept: Tensor = torch.native_dropout(values, p, train=True)[0]
    return kept


def _widened(value: Any) -> Any:
    is_short = isinstance(value, Tensor) and value.dtype in (torch.bfloat16, torch.float16)
    return value.float() if is_short else value
