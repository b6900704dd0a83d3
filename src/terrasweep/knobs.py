"""The knobs of the search: one frozen dataclass per group, with the values it allows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass(frozen=True, kw_only=True)
class QuantizationConfig:
    """Low-bit storage of the frozen backbone's linear layers, by bitsandbytes."""

    name: str = MISSING
    """``none``, ``int8`` (Dettmers et al. 2022), ``fp4``, ``nf4`` or ``nf4_double`` (Dettmers et al. 2023)."""
    skip: list[str] = field(default_factory=list)
    """Layers kept in full precision: dotted names of modules, or runs of their parts, like ``blocks.1`` or ``attn``."""


@dataclass(frozen=True, kw_only=True)
class TuningConfig:
    """Which of the backbone's parameters learn; decoder and head always do."""

    name: str = MISSING
    """``full``, ``lora`` (Hu et al. 2021) or ``frozen``."""
    rank: int | None = None
    """Width of the update, at least 1."""
    targets: Any = None
    """``attention``, ``mlp``, ``attention_mlp``, or a list of layer names."""
    alpha_ratio: float = 2.0
    """LoRA's alpha over its rank: the update is scaled by it."""
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class CheckpointingConfig:
    """Gradient checkpointing (Chen et al. 2016)."""

    name: str = MISSING
    """``none`` or ``blocks``."""


@dataclass(frozen=True, kw_only=True)
class OffloadConfig:
    """What leaves the device while it is not needed."""

    name: str = MISSING
    """``none`` or ``activations`` (saved tensors on the host between forward and backward)."""


@dataclass(frozen=True, kw_only=True)
class PrecisionConfig:
    """Arithmetic of training and evaluation."""

    name: str = MISSING
    """``fp32`` or ``bf16`` (mixed: parameters and optimizer state stay fp32)."""
    lightning: str = MISSING
    """Lightning's name for it."""


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """The optimizer of the trainable parameters."""

    name: str = MISSING
    """``adamw`` (Loshchilov and Hutter 2019)."""
    weight_decay: float = 0.01
    betas: list[float] = field(default_factory=lambda: [0.9, 0.999])
    foreach: bool = True
    """Update all tensors in one call: faster on CUDA, at one more copy of the trainable parameters."""
