"""PEFT's DoRA on low-bit weights that have shapes and no values: it unpacks them to take the norms of their rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bitsandbytes as bnb
from peft.tuners.lora import dora
from torch import Tensor, nn

_UNPACKS = "dequantize_module_weight"
"""How PEFT's module calls what it unpacks weights with."""


@contextmanager
def unpacked_by_shape() -> Iterator[None]:
    """Within it DoRA unpacks low-bit weights on paper, which are not packed there, and fake ones by what they are.

    PEFT goes by the class of the weight, which no fake tensor can have.
    """
    names: dict[str, Any] = vars(dora)
    own = names[_UNPACKS]
    names[_UNPACKS] = _unpacked
    try:
        yield
    finally:
        names[_UNPACKS] = own


def _unpacked(layer: nn.Module) -> Tensor:
    weight: Any = layer.weight
    unpacked: Tensor = weight
    # The first forward pass moves int8's scales from the parameter to the layer's state.
    scales = getattr(weight, "SCB", None)
    scales = getattr(getattr(layer, "state", None), "SCB", None) if scales is None else scales
    if weight.is_meta:
        unpacked = weight.data
    elif (state := getattr(weight, "quant_state", None)) is not None:
        unpacked = bnb.functional.dequantize_4bit(weight.data, state)
    elif scales is not None:
        unpacked = bnb.functional.int8_vectorwise_dequant(weight.data, scales)
    return unpacked
