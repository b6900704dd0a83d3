"""Arithmetic of training and evaluation."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import MISSING

from terrasweep.config.exclusions import Exclusion
from terrasweep.config.knobs.knob import EVERYTHING, Knob
from terrasweep.config.knobs.offload import ZERO


@dataclass(frozen=True, kw_only=True)
class PrecisionConfig:
    """Arithmetic of training and evaluation."""

    name: str = MISSING
    """``fp32``, ``bf16`` or ``fp16`` (both mixed: parameters and optimizer state stay fp32)."""
    lightning: str = MISSING
    """Lightning's name for it."""


KNOB = Knob(
    group="precision",
    settings=PrecisionConfig,
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
    bears_on={"name": EVERYTHING, "lightning": EVERYTHING},
)
"""Lightning's trainer does it: no transformation of the model (training/trainer.py)."""
