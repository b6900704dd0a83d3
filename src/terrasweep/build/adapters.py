"""Which parameters of the backbone learn: all, none, or low-rank adapters by PEFT."""

from __future__ import annotations

import re

from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import nn

from terrasweep.errors import InvalidConfig
from terrasweep.knobs import TuningConfig

PRESETS = {
    # Prithvi and timm; TerraMind; Clay; transformers' vision models. A bare `proj` would hit patch embeddings.
    "attention": r"(^|\.)(attn\.(qkv|q|k|v|proj)|to_qkv|to_out(\.0)?|(q|k|v)_proj|projection_layer|query|key|value)$",
    "mlp": r"(^|\.)(mlp\.(fc1|fc2)|1\.net\.\d+|fc1|fc2)$",
}


def apply_tuning(encoder: nn.Module, tuning: TuningConfig) -> dict[str, list[str]]:
    """Freeze or adapt the backbone.

    Returns:
        ``{"adapted": names}`` with the dotted names of the adapted layers for LoRA, else nothing.

    Raises:
        InvalidConfig: The targets name no linear layer.
    """
    if tuning.name == "full":
        return {}
    encoder.requires_grad_(False)
    if tuning.name == "frozen":
        return {}
    names = target_layers(encoder, tuning.targets)
    assert tuning.rank is not None
    inject_adapter_in_model(
        LoraConfig(
            r=tuning.rank,
            lora_alpha=tuning.alpha_ratio * tuning.rank,
            lora_dropout=tuning.dropout,
            target_modules=names,
        ),
        encoder,
    )
    adapted = [name for name, module in encoder.named_modules() if isinstance(module, LoraLayer)]
    if sorted(adapted) != sorted(names):
        raise InvalidConfig(
            f"tuning.targets={tuning.targets}: PEFT adapted {len(adapted)} of {len(names)} layers; name others"
        )
    return {"adapted": adapted}


def target_layers(encoder: nn.Module, targets: str | list[str]) -> list[str]:
    """Dotted names of the linear layers that a preset, or a list of name endings, stands for.

    Raises:
        InvalidConfig: A preset or a name matches no linear layer.
    """
    linears = [name for name, module in encoder.named_modules() if isinstance(module, nn.Linear)]
    if isinstance(targets, str):
        patterns = {part: PRESETS[part] for part in targets.split("_")}
    else:
        patterns = {name: rf"(^|\.){re.escape(name)}$" for name in targets}
    found: list[str] = []
    for label, pattern in patterns.items():
        matching = [name for name in linears if re.search(pattern, name)]
        if not matching:
            examples = ", ".join(linears[:4]) or "it has none"
            raise InvalidConfig(
                f"tuning.targets={label}: no linear layer of the backbone matches (it has {examples} ...)"
            )
        found += [name for name in matching if name not in found]
    return found
