"""The knob ``quantization``: which layers of the backbone become low-bit ones. What such a layer is: quantize.py."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from terrasweep.config.knobs.quantization import QuantizationConfig
from terrasweep.config.schema import TrialConfig
from terrasweep.models.transforms.quantize import layers_to_keep, quantizable, quantize_linears
from terrasweep.models.transforms.sensitivity import rank_layers
from terrasweep.models.transforms.unfinished_model import Touched, UnfinishedModel
from terrasweep.models.transforms.unfrozen import unfrozen_blocks

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def apply_quantization(quantization: QuantizationConfig, unfinished: UnfinishedModel) -> Touched:
    """Quantize the backbone's linear layers but those to skip; where a measurement chooses them, keep its ranking.

    Raises:
        InvalidConfig: No layer is left to quantize, or a name to skip matches none.
    """
    encoder, device, known = unfinished.model.encoder, unfinished.device, unfinished.quantized
    dtype = compute_dtype(unfinished.config)
    unfrozen = unfrozen_blocks(encoder, unfinished.config.tuning)
    names = quantizable(encoder, quantization, unfrozen) if known is None else known
    if quantization.skip == "auto" and known is None:
        if device.type == "meta":  # On paper nothing can be measured; with these the weights need no less.
            names = all_but_largest(encoder, quantization, names)
        else:
            names = _least_sensitive(quantization, unfinished, names, dtype)
    quantize_linears(encoder, names, quantization, dtype, device)
    return {"quantized": names}


def compute_dtype(config: TrialConfig) -> torch.dtype:
    """What a 4-bit weight is unpacked to for a product."""
    chosen = config.quantization.compute_dtype
    return DTYPES[config.precision.name if chosen == "auto" else chosen]


def all_but_largest(encoder: nn.Module, quantization: QuantizationConfig, names: list[str]) -> list[str]:
    """All but the ``skip_count`` largest layers: of all choices that ``auto`` may make, the one that needs most."""
    layers: dict[str, Any] = {name: encoder.get_submodule(name) for name in names}
    sizes = {name: layer.weight.numel() for name, layer in layers.items()}
    kept = sorted(names, key=lambda name: -sizes[name])[: layers_to_keep(quantization, len(names))]
    return [name for name in names if name not in kept]


def _least_sensitive(
    quantization: QuantizationConfig, unfinished: UnfinishedModel, names: list[str], dtype: torch.dtype
) -> list[str]:
    """All but the ``skip_count`` layers whose quantization changes the model's output most."""
    assert unfinished.images is not None
    count = layers_to_keep(quantization, len(names))
    unfinished.sensitivity = rank_layers(
        unfinished.model, names, quantization.name, dtype, unfinished.device, unfinished.images
    )
    kept = list(unfinished.sensitivity)[:count]
    return [name for name in names if name not in kept]
