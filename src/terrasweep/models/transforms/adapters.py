"""Which parameters of the backbone learn: all, none, or low-rank adapters by PEFT."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from terratorch.models.peft_utils import QKVSep, replace_qkv
from torch import nn

from terrasweep.config.knobs.tuning import CHANGE_WHAT_IS_FROZEN, TARGET_PRESETS, TuningConfig
from terrasweep.models.transforms.checkpointing import transformer_blocks
from terrasweep.models.transforms.linear_layers import no_match
from terrasweep.models.transforms.principal_inputs import principal_inputs, start_along
from terrasweep.models.transforms.starting_points import divide_weights
from terrasweep.models.transforms.unfinished_model import Touched, UnfinishedModel
from terrasweep.models.transforms.unfrozen import unfrozen_blocks
from terrasweep.results.errors import InvalidConfig

FUSED = ("qkv", "to_qkv")
"""Names of a linear layer that computes queries, keys and values at once: Prithvi, timm and TerraMind; Clay."""

PRESETS = {
    # A bare `proj` would hit patch embeddings. HF's ViT and DINOv2 say attention.output.dense, others o_proj.
    "qv": r"(^|\.)((qkv|to_qkv)\.(q|v)_linear|attn\.(q|v)|(q|v)_proj|query|value)$",
    "attention": r"(^|\.)(attn\.(qkv|q|k|v|proj)|to_qkv|to_out(\.0)?|(q|k|v|o|out)_proj|projection_layer|"
    r"query|key|value|attention\.output\.dense)$",
    "mlp": r"(^|\.)(mlp\.(fc1|fc2|fc3|w1|w2|w3|up_proj|down_proj|gate_proj|weights_in|weights_out)|1\.net\.\d+|fc1|fc2|"
    r"intermediate\.dense|layers?\.\d+\.output\.dense)$",
}


def split_targets(tuning: TuningConfig, unfinished: UnfinishedModel) -> Touched:
    """The knob ``tuning`` before layers are quantized: :func:`split_fused`, and weights that a start needs are kept."""
    encoder = unfinished.model.encoder
    split = split_fused(encoder, tuning.targets)
    if tuning.initialisation in CHANGE_WHAT_IS_FROZEN:
        names = layers_to_adapt(encoder, tuning)
        unfinished.full_precision = {name: encoder.get_submodule(name).weight.data for name in names}
    return {"split": split}


def tune(tuning: TuningConfig, unfinished: UnfinishedModel) -> Touched:
    """The knob ``tuning``: :func:`apply_tuning` to the backbone, and a start for its adapters."""
    encoder = unfinished.model.encoder
    if tuning.initialisation == "eva" and unfinished.taken_out is None:
        directions = principal_inputs(unfinished, layers_to_adapt(encoder, tuning))
        touched = apply_tuning(encoder, tuning)
        start_along(encoder, directions)
        return touched
    touched = apply_tuning(encoder, tuning)
    if tuning.initialisation in CHANGE_WHAT_IS_FROZEN:
        unfinished.taken_out = divide_weights(unfinished, lora_config(tuning, touched["adapted"]))
    return touched


def split_fused(encoder: nn.Module, targets: str | list[str] | None) -> list[str]:
    """Replace each fused projection by one of queries, keys and values, where the targets name q, k or v alone.

    The layers keep their weights, and the model its outputs. By TerraTorch's ``replace_qkv``.

    Returns:
        Dotted names of the layers that were split.

    Raises:
        InvalidConfig: A fused layer is not three layers of one width.
    """
    named = [] if targets is None or isinstance(targets, str) else targets
    if targets != "qv" and not any(name.rsplit(".", 1)[-1] in ("q_linear", "k_linear", "v_linear") for name in named):
        return []
    fused = [
        name
        for name, module in encoder.named_modules()
        if isinstance(module, nn.Linear) and name.rsplit(".", 1)[-1] in FUSED
    ]
    try:
        for ending in {name.rsplit(".", 1)[-1] for name in fused}:
            replace_qkv(encoder, ending)
    except ValueError as error:
        raise InvalidConfig(f"tuning.targets={targets}: {fused[0]} can't be split: {error}; use attention") from error
    return fused


def fuse(split: QKVSep) -> nn.Linear:
    """One linear layer of the three that :func:`split_fused` made."""
    from torch import cat

    parts = (split.q_linear, split.k_linear, split.v_linear)
    fused = nn.Linear(split.in_features, split.out_features, bias=parts[0].bias is not None)
    fused.weight.data = cat([part.weight.data for part in parts])
    if parts[0].bias is not None:
        fused.bias.data = cat([part.bias.data for part in parts])
    return fused


def apply_tuning(encoder: nn.Module, tuning: TuningConfig) -> dict[str, list[str]]:
    """Freeze or adapt the backbone, but for its last blocks where they shall learn.

    Returns:
        The dotted names of the layers that are ``adapted``, for LoRA, and of the blocks that are ``unfrozen``.

    Raises:
        InvalidConfig: The targets name no linear layer, or there are not so many blocks.
    """
    if tuning.name == "full":
        return {}
    blocks = unfrozen_blocks(encoder, tuning)
    learning = [parameter for block in blocks.values() for parameter in block.parameters() if parameter.requires_grad]
    encoder.requires_grad_(False)
    adapted = _adapt(encoder, tuning) if tuning.name == "lora" else []
    for parameter in learning:  # PEFT freezes whatever is no adapter.
        parameter.requires_grad_(True)
    return {"adapted": adapted, "unfrozen": list(blocks)}


def _adapt(encoder: nn.Module, tuning: TuningConfig) -> list[str]:
    names = layers_to_adapt(encoder, tuning)
    inject_adapter_in_model(lora_config(tuning, names), encoder)
    adapted = [name for name, module in encoder.named_modules() if isinstance(module, LoraLayer)]
    if sorted(adapted) != sorted(names):
        raise InvalidConfig(
            f"tuning.targets={tuning.targets}: PEFT adapted {len(adapted)} of {len(names)} layers; name others"
        )
    for parameter in encoder.parameters():
        if parameter.requires_grad:  # Beside a 4-bit layer PEFT takes the type that this computes in.
            parameter.data = parameter.data.float()
    return adapted


def layers_to_adapt(encoder: nn.Module, tuning: TuningConfig) -> list[str]:
    """Dotted names of the linear layers that get an adapter.

    Raises:
        InvalidConfig: The targets name none, or one with fewer components than adapters shall start at: PEFT would make
            its adapter narrower.
    """
    names = target_layers(encoder, tuning.targets, list(unfrozen_blocks(encoder, tuning)))
    for name in names if tuning.initialisation != "default" else []:
        layer: Any = encoder.get_submodule(name)
        most = min(layer.in_features, layer.out_features)
        if (tuning.rank or 0) > most:
            raise InvalidConfig(
                f"tuning.rank={tuning.rank} with tuning.initialisation={tuning.initialisation}: the layer {name} has "
                f"{most} components; use tuning.rank={most} or less, or tuning.initialisation=default"
            )
    return names


def lora_config(tuning: TuningConfig, names: list[str]) -> LoraConfig:
    """PEFT's settings for adapters on the named layers."""
    assert tuning.rank is not None
    return LoraConfig(
        r=tuning.rank,
        lora_alpha=tuning.alpha_ratio * tuning.rank,  # type: ignore[arg-type]  # PEFT scales by whatever it is.
        lora_dropout=tuning.dropout,
        target_modules=names,
        use_dora=tuning.use_dora,
        use_rslora=tuning.use_rslora,
    )


def target_layers(encoder: nn.Module, targets: str | list[str], unfrozen: Collection[str] = ()) -> list[str]:
    """Dotted names of the linear layers that a preset, or a list of name endings, stands for.

    A preset means the transformer blocks alone: not a pooling head, not what generates patch embeddings.

    Args:
        encoder: The backbone.
        targets: The preset, or the names.
        unfrozen: Names of blocks that learn as a whole, and need no adapters.

    Raises:
        InvalidConfig: A preset or a name matches no linear layer, or only some of blocks that learn.
    """
    linears = [name for name, module in encoder.named_modules() if isinstance(module, nn.Linear)]
    if isinstance(targets, str):
        patterns = {part: PRESETS[part] for part in targets.split("_")}
        blocks = tuple(f"{name}." for name in transformer_blocks(encoder))
        linears = [name for name in linears if name.startswith(blocks)] if blocks else linears
    else:
        patterns = {name: rf"(^|\.){re.escape(name)}$" for name in targets}
    found: list[str] = []
    for label, pattern in patterns.items():
        matching = [name for name in linears if re.search(pattern, name)]
        if not matching:
            raise InvalidConfig(_matches_nothing(label, targets, linears))
        learning = tuple(f"{block}." for block in unfrozen)
        frozen = [name for name in matching if not (learning and name.startswith(learning))]
        if not frozen:
            raise InvalidConfig(
                f"tuning.targets={label} with tuning.unfreeze_last={len(unfrozen)}: all of its layers lie in blocks "
                "that learn as a whole; unfreeze fewer, or use tuning=frozen"
            )
        found += [name for name in frozen if name not in found]
    return found


def _matches_nothing(label: str, targets: str | list[str], linears: list[str]) -> str:
    """One line for a preset's part or a name of a list."""
    if isinstance(targets, str):
        return f"tuning.targets={label}: {no_match(linears)}"
    if label in TARGET_PRESETS and linears:
        return (
            f"tuning.targets=[{label}]: a list names layers, and none is called so; without the brackets, "
            f"tuning.targets={label}, it is a preset"
        )
    return f"tuning.targets={label}: {no_match(linears, label)}"
