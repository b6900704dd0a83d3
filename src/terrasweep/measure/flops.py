"""Floating-point operations of one training step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from terrasweep.measure.measurement import Measurement

if TYPE_CHECKING:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

FLOPS_PER_STEP = Measurement(
    name="flops_per_step",
    label="flops per step",
    unit="count",
    definition="Floating-point operations of one training step, forward and backward, by torch's FlopCounterMode.",
)


def count_flops(step: Callable[[], torch.Tensor]) -> float:
    """Forward and backward of one step, counted operator by operator (torch's FlopCounterMode).

    Matrix products, convolutions and attention count; element-wise work does not. The products of bitsandbytes are
    operators of its own, and are counted as the products they are.
    """
    counter = _counter()
    with counter:
        step().backward()
    return float(counter.get_total_flops())


def operator_formulas() -> dict[Any, Callable[..., int]]:
    """Operations by operator, each a function of its arguments and of its result as ``out_val``."""
    formulas: dict[Any, Callable[..., int]] = _counter().flop_registry
    return formulas


def _counter() -> FlopCounterMode:
    from torch.utils.flop_counter import FlopCounterMode

    return FlopCounterMode(display=False, custom_mapping=_bitsandbytes_formulas())


def _bitsandbytes_formulas() -> dict[Any, Any]:
    import torch

    formulas = {
        "int8_linear_matmul": _int8_product,
        "int8_scaled_mm": _int8_product,
        "gemm_4bit": _four_bit_product,
        "gemv_4bit": _four_bit_product,
    }
    return {
        getattr(torch.ops.bitsandbytes, name): formula
        for name, formula in formulas.items()
        if hasattr(torch.ops.bitsandbytes, name)
    }


def _int8_product(a_shape: tuple[int, ...], b_shape: tuple[int, ...], *_: Any, **__: Any) -> int:
    """A (..., K) times B transposed, (N, K)."""
    return _product(a_shape, b_shape[0])


def _four_bit_product(a_shape: tuple[int, ...], _packed: Any, b_shape: tuple[int, ...], *_: Any, **__: Any) -> int:
    """A (..., K) times packed B transposed, of which (N, K) is given apart."""
    return _product(a_shape, b_shape[0])


def _product(a_shape: tuple[int, ...], columns: int) -> int:
    """A multiplication and an addition for each pair."""
    return 2 * math.prod(a_shape) * columns
