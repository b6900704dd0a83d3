"""The knobs of the search: one frozen dataclass per group, with the values it allows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

FOUR_BIT = ("fp4", "nf4", "nf4_double")
LOW_BIT = ("int8", *FOUR_BIT)
ZERO = ("optimizer", "parameters", "nvme")
"""Offloads that DeepSpeed's ZeRO does; the others are torch's own."""
EIGHT_BIT_OPTIMIZERS = ("adamw8bit", "paged_adamw8bit")
TARGET_PRESETS = ("qv", "attention", "mlp", "attention_mlp")
COMPUTE_DTYPES = ("auto", "fp32", "bf16", "fp16")
MATMUL_PRECISIONS = ("highest", "high", "medium")
IMPLEMENTATIONS = ("fused", "foreach", "loop")
KEPT_WEIGHTS = ("front", "all", "none")


@dataclass(frozen=True, kw_only=True)
class QuantizationConfig:
    """Low-bit storage of the frozen backbone's linear layers, by bitsandbytes."""

    name: str = MISSING
    """``none``, ``int8`` (Dettmers et al. 2022), ``fp4``, ``nf4`` or ``nf4_double`` (Dettmers et al. 2023)."""
    compute_dtype: str = "auto"
    """What a 4-bit weight is unpacked to for a product: ``auto`` (as ``precision``), ``fp32``, ``bf16`` or ``fp16``."""
    skip: Any = field(default_factory=list)
    """Layers kept in full precision: dotted names of modules, or runs of their parts, like ``blocks.1`` or ``attn``;
    or ``auto``: those whose quantization changes the model's output most."""
    skip_count: int | None = None
    """How many layers ``skip=auto`` keeps, at least 1."""


@dataclass(frozen=True, kw_only=True)
class TuningConfig:
    """Which of the backbone's parameters learn; decoder and head always do."""

    name: str = MISSING
    """``full``, ``lora`` (Hu et al. 2021) or ``frozen``."""
    rank: int | None = None
    """Width of the update, at least 1."""
    targets: Any = None
    """``qv``, ``attention``, ``mlp``, ``attention_mlp``, or a list of layer names."""
    alpha_ratio: float = 2.0
    """LoRA's alpha over its rank: the update is scaled by it."""
    dropout: float = 0.0
    use_dora: bool = False
    """Learn magnitude and direction apart (DoRA, Liu et al. 2024)."""
    use_rslora: bool = False
    """Scale by alpha over the root of the rank (rsLoRA, Kalajdzievski 2023)."""


@dataclass(frozen=True, kw_only=True)
class CheckpointingConfig:
    """Gradient checkpointing (Chen et al. 2016)."""

    name: str = MISSING
    """``none``, ``blocks`` or ``every_n``."""
    every: int | None = None
    """``every_n``: one block of so many is checkpointed, the first of each group; at least 1."""


@dataclass(frozen=True, kw_only=True)
class OffloadConfig:
    """What leaves the device while it is not needed."""

    name: str = MISSING
    """``none``; ``activations`` (saved tensors on the host between forward and backward); ``optimizer`` (ZeRO-2, its
    state on the host); ``parameters`` (ZeRO-3, parameters too); ``nvme`` (ZeRO-3, both on a disk)."""
    nvme_path: str | None = None
    """``nvme``: a folder on the disk; the others have no use for it."""
    deepspeed_config: str | None = None
    """A DeepSpeed JSON file whose settings win over terrasweep's; of use to ZeRO's offloads alone."""


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


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """The optimizer of the trainable parameters."""

    name: str = MISSING
    """``adamw`` (Loshchilov and Hutter 2019), ``adamw8bit`` or ``paged_adamw8bit`` (Dettmers et al. 2022)."""
    weight_decay: float = 0.01
    betas: list[float] = field(default_factory=lambda: [0.9, 0.999])
    implementation: str | None = None
    """Of ``adamw``: ``fused`` (one kernel, no temporary memory), ``foreach`` (all tensors in one call, at one more copy
    of the trainable parameters) or ``loop`` (one tensor after the other)."""
    min_8bit_size: int | None = None
    """Of the 8-bit ones: tensors with fewer elements keep a 32-bit state."""
