"""Floating-point operations of one training step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode


def count_flops(step: Callable[[], torch.Tensor]) -> float:
    """Forward and backward of one step, counted operator by operator (torch's FlopCounterMode).

    Matrix products, convolutions and attention count; element-wise work does not. bitsandbytes' int8 product is an
    operator of its own and is counted as the product it is.
    """
    counter = FlopCounterMode(display=False, custom_mapping=_bitsandbytes_formulas())
    with counter:
        step().backward()
    return float(counter.get_total_flops())


def _bitsandbytes_formulas() -> dict[Any, Any]:
    product = getattr(torch.ops.bitsandbytes, "int8_linear_matmul", None)
    return {} if product is None else {product: _int8_product}


def _int8_product(a_shape: tuple[int, ...], b_shape: tuple[int, ...], *_: Any, **__: Any) -> int:
    """A (..., K) times B transposed, (N, K): two operations for each of the products."""
    rows = 1
    for size in a_shape[:-1]:
        rows *= size
    return 2 * rows * a_shape[-1] * b_shape[0]
