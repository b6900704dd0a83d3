"""The way back: a trial's backbone without adapters, low-bit layers and split projections, computing the same."""

from __future__ import annotations

from pathlib import Path

from bitsandbytes.nn import Linear4bit, Linear8bitLt
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch import nn

from terrasweep.models.transforms.adapters import fuse
from terrasweep.models.transforms.frozen_storage import widen
from terrasweep.models.transforms.quantize import dequantized


def merge(encoder: nn.Module, adapter: Path | None, split: list[str]) -> None:
    """Make a trial's backbone plain, in place.

    Args:
        encoder: The backbone of a trial without checkpointing and offload.
        adapter: Folder of its adapter in PEFT's format, None where there is none.
        split: Names of the projections that were split; they become one layer each again.
    """
    unpack(encoder)
    if adapter is not None:
        # PEFT's low-bit layers would merge into low-bit weights, and round them again.
        PeftModel.from_pretrained(encoder, str(adapter), torch_device=str(next(encoder.parameters()).device))
        for module in encoder.modules():
            if isinstance(module, LoraLayer):
                module.merge(safe_merge=True)
        _drop_adapters(encoder)
    for name in split:
        encoder.set_submodule(name, fuse(encoder.get_submodule(name)))


def unpack(encoder: nn.Module) -> None:
    """Put a 32-bit layer in the place of each low-bit one, with the weights it stands for, and drop the adapters.

    What was stored in 16 bits has 32 again, with the same values.

    A 4-bit layer unpacks its weights for each product, so the outputs stay. An int8 layer also rounds what comes in,
    which the new one does not do.
    """
    _drop_adapters(encoder)
    widen(encoder)
    for name, module in list(encoder.named_modules()):
        if isinstance(module, Linear4bit | Linear8bitLt):
            encoder.set_submodule(name, dequantized(module))
    for mark in ("is_loaded_in_8bit", "is_loaded_in_4bit"):  # PEFT would misread them.
        if hasattr(encoder, mark):
            delattr(encoder, mark)


def _drop_adapters(encoder: nn.Module) -> None:
    for name, module in list(encoder.named_modules()):
        if isinstance(module, LoraLayer):
            encoder.set_submodule(name, module.get_base_layer())
    if hasattr(encoder, "peft_config"):
        del encoder.peft_config
