"""Arithmetic of training and evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from omegaconf import MISSING

from terrasweep.config.exclusions import Exclusion
from terrasweep.config.knobs.knob import EVERYTHING, Knob
from terrasweep.config.knobs.offload import ZERO
from terrasweep.results.wording import nearest

MATMUL_PRECISIONS = ("highest", "high", "medium")


@dataclass(frozen=True, kw_only=True)
class PrecisionConfig:
    """Arithmetic of training and evaluation."""

    name: str = MISSING
    """``fp32``, ``bf16`` or ``fp16`` (both mixed: parameters and optimizer state stay fp32)."""
    lightning: str = MISSING
    """Lightning's name for it."""
    matmul: str = "highest"
    """What is computed in 32 bits: products and convolutions, ``highest`` (all of them), ``high`` (TF32 or its like) or
    ``medium`` (bfloat16, or TF32 in its place), each where the device has such arithmetic."""


def find_bad_values(precision: PrecisionConfig) -> Iterator[str]:
    """One line per value that is not one of those allowed."""
    if precision.matmul not in MATMUL_PRECISIONS:
        yield f"precision.matmul={precision.matmul}: unknown; {nearest(precision.matmul, MATMUL_PRECISIONS)}"


KNOB = Knob(
    group="precision",
    settings=PrecisionConfig,
    find_bad_values=find_bad_values,
    exclusions=(
        Exclusion(
            *("precision.name", ("fp16",), "device", ("cpu",)),
            "Lightning would silently train in bf16 on a CPU",
            "use precision=bf16, or a CUDA device",
        ),
        Exclusion(
            *("precision.name", ("fp16",), "offload.name", ZERO),
            "DeepSpeed would cast the parameters themselves to fp16",
            "use precision=bf16, or offload=activations",
        ),
    ),
    bears_on={"name": EVERYTHING, "lightning": EVERYTHING, "matmul": EVERYTHING},
)
"""Lightning's trainer does it: no transformation of the model (training/trainer.py)."""
