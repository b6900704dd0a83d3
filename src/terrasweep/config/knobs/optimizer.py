"""The optimizer of the trainable parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from omegaconf import MISSING

from terrasweep.config.exclusions import SET, UNSET, Exclusion
from terrasweep.config.knobs.knob import COST, EVERYTHING, QUALITY, Knob
from terrasweep.config.knobs.offload import ZERO
from terrasweep.results.wording import nearest

EIGHT_BIT_OPTIMIZERS = ("adamw8bit", "paged_adamw8bit")
IMPLEMENTATIONS = ("fused", "foreach", "loop")


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """The optimizer of the trainable parameters."""

    name: str = MISSING
    """``adamw`` (Loshchilov and Hutter 2019), ``adamw8bit`` or ``paged_adamw8bit`` (Dettmers et al. 2022)."""
    weight_decay: float = 0.01
    """Of matrices and kernels; norms and biases do not decay, unless ``decay_all``."""
    decay_all: bool = False
    """Whether norms and biases decay, too."""
    betas: list[float] = field(default_factory=lambda: [0.9, 0.999])
    implementation: str | None = None
    """Of ``adamw``: ``fused`` (one kernel, no temporary memory), ``foreach`` (all tensors in one call, at one more copy
    of the trainable parameters) or ``loop`` (one tensor after the other)."""
    min_8bit_size: int | None = None
    """Of the 8-bit ones: tensors with fewer elements keep a 32-bit state."""


def find_bad_values(optimizer: OptimizerConfig) -> Iterator[str]:
    """One line per value that is wrong whatever the other knobs are."""
    chosen = optimizer.implementation
    if not optimizer.weight_decay >= 0:
        yield f"optimizer.weight_decay={optimizer.weight_decay}: it can't be negative; use 0 or more"
    if len(optimizer.betas) != 2 or not all(0 <= beta < 1 for beta in optimizer.betas):
        yield f"optimizer.betas={optimizer.betas}: two decay rates in [0, 1) are needed; use for example [0.9, 0.999]"
    if optimizer.min_8bit_size is not None and optimizer.min_8bit_size < 0:
        yield f"optimizer.min_8bit_size={optimizer.min_8bit_size}: it can't be negative; use 0 or more"
    if chosen is not None and chosen not in IMPLEMENTATIONS:
        yield f"optimizer.implementation={chosen}: unknown; {nearest(chosen, IMPLEMENTATIONS)}"


KNOB = Knob(
    group="optimizer",
    settings=OptimizerConfig,
    find_bad_values=find_bad_values,
    exclusions=(
        Exclusion(
            *("optimizer.name", EIGHT_BIT_OPTIMIZERS, "offload.name", ZERO),
            "ZeRO keeps the optimizer's state in 32 bits on the host",
            "use optimizer=adamw, or another offload",
        ),
        Exclusion(
            *("optimizer.implementation", SET, "optimizer.name", EIGHT_BIT_OPTIMIZERS),
            "bitsandbytes has one implementation",
            "drop optimizer.implementation or use optimizer=adamw",
        ),
        Exclusion(
            *("optimizer.min_8bit_size", SET, "optimizer.name", ("adamw",)),
            "its state has 32 bits",
            "drop optimizer.min_8bit_size or use optimizer=adamw8bit",
        ),
        Exclusion(
            *("optimizer.implementation", UNSET, "optimizer.name", ("adamw",)),
            "torch would choose one by itself",
            "use optimizer.implementation=fused, foreach or loop",
        ),
        Exclusion(
            *("optimizer.min_8bit_size", UNSET, "optimizer.name", EIGHT_BIT_OPTIMIZERS),
            "the size from which on states have 8 bits is missing",
            "use for example optimizer.min_8bit_size=4096",
        ),
    ),
    bears_on={
        "name": EVERYTHING,
        "weight_decay": {QUALITY},
        "decay_all": {QUALITY},
        "betas": {QUALITY},
        "implementation": COST,
        "min_8bit_size": EVERYTHING,
    },
    why={
        **dict.fromkeys(("weight_decay", "betas"), "a factor of the same update, whatever its value"),
        "decay_all": "the same update, with another factor for some parameters",
        "implementation": "the same update in other kernels",
    },
    rounding={"implementation": lambda implementation: implementation},
)
"""training/optimizers.py builds it: no transformation of the model."""
