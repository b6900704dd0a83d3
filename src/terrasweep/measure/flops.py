"""Floating-point operations of one training step, and the share of the device's peak that they come to."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from terrasweep.measure.measurement import Measurement

if TYPE_CHECKING:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

FLOPS_PER_STEP = Measurement(
    name="flops_per_step",
    label="flops per step",
    unit="count",
    definition="Floating-point operations of one training step, forward and backward, by torch's FlopCounterMode; what "
    "checkpointing computes again is among them.",
)
MODEL_FLOPS_PER_SAMPLE = Measurement(
    name="model_flops_per_sample",
    label="model flops per sample",
    unit="count",
    definition="Floating-point operations that the model needs for a sample of a training step, forward and backward: "
    "those of the step without what checkpointing computes again, over its samples; absent where the operations are "
    "counted while a step is trained, as on a CPU.",
)
MFU = Measurement(
    name="mfu",
    label="model flops utilization",
    unit="1",
    definition="Model FLOPs utilization (Chowdhery et al. 2022, PaLM, appendix B): model_flops_per_sample times "
    "throughput_samples_per_s over the device's dense peak in the trial's arithmetic, in [0, 1]; with checkpointing it "
    "counts no operation twice, so that it is no hardware utilization. CUDA; absent for a device that is not in the "
    "table of peaks.",
)


@dataclass(frozen=True)
class StepFlops:
    """Floating-point operations of a training step."""

    total: float = 0.0
    """All that are computed."""
    recomputed: float = 0.0
    """Of these what a backward pass computes a second time, since checkpointing did not keep it."""

    def __add__(self, other: StepFlops) -> StepFlops:
        return StepFlops(self.total + other.total, self.recomputed + other.recomputed)

    @property
    def of_model(self) -> float:
        """What is left without what is computed again."""
        return self.total - self.recomputed


def model_flops_utilization(
    flops_per_sample: float | None, samples_per_s: float | None, peak_flops_per_s: float | None
) -> float | None:
    """Share of a device's peak that a training comes to; None where one of the numbers is not known.

    Args:
        flops_per_sample: Of the model, forward and backward.
        samples_per_s: Throughput of the training.
        peak_flops_per_s: Of the device, in the arithmetic of the training.
    """
    if flops_per_sample is None or samples_per_s is None or not peak_flops_per_s:
        return None
    return flops_per_sample * samples_per_s / peak_flops_per_s


def count_flops(step: Callable[[], torch.Tensor]) -> float:
    """Forward and backward of one step: all of :func:`count_step_flops`."""
    return count_step_flops(step).total


def count_step_flops(step: Callable[[], torch.Tensor]) -> StepFlops:
    """Forward and backward of one step, counted operator by operator (torch's FlopCounterMode).

    Matrix products, convolutions and attention count; element-wise work does not. The products of bitsandbytes are
    operators of its own, and are counted as the products they are. What a backward pass computes with gradients in
    mind is a part of the forward pass once more.
    """
    import torch

    counter, backward, recomputed = _counter(), False, 0.0

    def noting(formula: Callable[..., int]) -> Callable[..., int]:
        def count(*args: Any, **kwargs: Any) -> int:
            nonlocal recomputed
            found = formula(*args, **kwargs)
            if backward and torch.is_grad_enabled():
                recomputed += found
            return found

        return count

    counter.flop_registry = {operator: noting(formula) for operator, formula in counter.flop_registry.items()}
    with counter:
        loss = step()
        backward = True
        loss.backward()
    return StepFlops(float(counter.get_total_flops()), float(recomputed))


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
