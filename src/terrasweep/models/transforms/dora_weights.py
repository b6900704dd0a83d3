"""PEFT's DoRA on low-bit weights that have shapes and no values: it unpacks them to take the norms of their rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bitsandbytes as bnb
from peft.tuners.lora import dora
from torch import Tensor, nn


@contextmanager
def unpacked_by_shape() -> Iterator[None]:
    """Within it DoRA unpacks low-bit weights on paper, which are not packed there, and fake ones by what they are.

    PEFT goes by the class of the weight, which no fake tensor can have.
    """
    own = dora.dequantize_module_weight
    dora.dequantize_module_weight = _unpacked  # type: ignore[assignment]
    try:
        yield
    finally:
        dora.dequantize_module_weight = own


def _unpacked(layer: nn.Module) -> Tensor:
    weight: Any = layer.weight
    if weight.is_meta:
        return weight.data  # type: ignore[no-any-return]
    if (state := getattr(weight, "quant_state", None)) is not None:
        return bnb.functional.dequantize_4bit(weight.data, state)
    scales = getattr(weight, "SCB", None)
    if scales is None:
        scales = getattr(getattr(layer, "state", None), "SCB", None)  # The first forward pass moves them there.
    return weight if scales is None else bnb.functional.int8_vectorwise_dequant(weight.data, scales)
