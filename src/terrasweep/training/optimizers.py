"""The optimizer of a trial."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import bitsandbytes as bnb
import torch
from torch import nn

from terrasweep.config.knobs.optimizer import OptimizerConfig
from terrasweep.config.train import TrainConfig
from terrasweep.models.transforms.checkpointing import transformer_blocks
from terrasweep.results.errors import InvalidConfig

_BACKBONE = "model.encoder."
_ADAPTER = "lora_"
"""In the names that PEFT gives to what it adds."""
EIGHT_BIT = {"adamw8bit": bnb.optim.AdamW8bit, "paged_adamw8bit": bnb.optim.PagedAdamW8bit}


def parameter_groups(module: nn.Module, optimizer: OptimizerConfig, train: TrainConfig) -> list[dict[str, Any]]:
    """What learns, by its learning rate and its weight decay.

    Norms, biases and other parameters of one dimension do not decay, unless ``optimizer.decay_all`` (the usual recipe
    of vision transformers, for example Touvron et al. 2021). The backbone's own weights learn with
    ``train.backbone_lr_ratio`` of the learning rate; adapters in it are as new as the decoder. With
    ``train.layer_decay``, each of its blocks has that part of the rate of the block after it, and what comes before the
    first block that of the block before (Clark et al. 2020; Bao et al. 2022).

    Args:
        module: With the backbone as ``model.encoder``, as TerraTorch's tasks have it.
        optimizer: Its settings.
        train: Learning rate, ratio and decay.

    Raises:
        InvalidConfig: ``train.layer_decay`` is asked for, and the backbone has no stack of blocks.
    """
    rates = _backbone_rates(module, train)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        pretrained = name.startswith(_BACKBONE) and _ADAPTER not in name
        # ZeRO-3 keeps parts of its own shape.
        dimensions = len(getattr(parameter, "ds_shape", parameter.shape))
        decay = optimizer.weight_decay if optimizer.decay_all or dimensions > 1 else 0.0
        key = (rates(name) if pretrained else train.lr, decay)
        groups.setdefault(key, []).append(parameter)
    return [{"params": chosen, "lr": lr, "weight_decay": decay} for (lr, decay), chosen in groups.items()]


def describe_idle_decay(model: nn.Module, train: TrainConfig) -> str | None:
    """One line where ``train.layer_decay`` changes nothing, since no weight of the backbone's own learns.

    Nothing is refused: one ``train.layer_decay`` may stand for a whole study that searches the tuning.

    Args:
        model: With the backbone as ``encoder``, as it is trained.
        train: Has the decay.
    """
    if train.layer_decay == 1.0:
        return None
    own = (p for name, p in model.get_submodule("encoder").named_parameters() if _ADAPTER not in name)
    if any(parameter.requires_grad for parameter in own):
        return None
    return (
        f"train.layer_decay={train.layer_decay}: it changes nothing here, since no weight of the backbone's own "
        "learns; it is for tuning=full and tuning.unfreeze_last"
    )


def _backbone_rates(module: nn.Module, train: TrainConfig) -> Callable[[str], float]:
    """The learning rate of a parameter of the backbone by its name."""
    top = train.lr * train.backbone_lr_ratio
    if train.layer_decay == 1.0:
        return lambda name: top
    blocks = list(transformer_blocks(module.get_submodule(_BACKBONE[:-1])))
    if not blocks:
        raise InvalidConfig(f"train.layer_decay={train.layer_decay}: the backbone has no stack of blocks; use 1")
    depths = _depths([name for name, _ in module.named_parameters()], [f"{_BACKBONE}{block}." for block in blocks])
    return lambda name: top * train.layer_decay ** (len(blocks) - 1 - depths[name])


def _depths(names: list[str], blocks: list[str]) -> dict[str, int]:
    """Each parameter's block by its number; what stands between blocks belongs to the one before, at first to -1."""
    depths, depth = {}, -1
    for name in names:
        depth = next((index for index, prefix in enumerate(blocks) if name.startswith(prefix)), depth)
        depths[name] = depth
    return depths


def build_optimizer(
    parameters: Iterable[nn.Parameter] | list[dict[str, Any]], optimizer: OptimizerConfig, lr: float
) -> torch.optim.Optimizer:
    """AdamW over the parameters that learn, given one by one or in groups with settings of their own.

    By torch in the implementation that is asked for, or by bitsandbytes with block-wise 8-bit state (Dettmers et al.
    2022); pages of the latter go to the host when the GPU's memory is short, and mean nothing on a CPU.
    """
    first, second = optimizer.betas
    learning: Any = [entry for entry in parameters if isinstance(entry, dict) or entry.requires_grad]
    common: dict[str, Any] = {"lr": lr, "betas": (first, second), "weight_decay": optimizer.weight_decay}
    if optimizer.name in EIGHT_BIT:
        built: torch.optim.Optimizer = EIGHT_BIT[optimizer.name](
            learning, **common, min_8bit_size=optimizer.min_8bit_size
        )
        return built
    # Exactly one of the two may be true; torch would choose by itself, and otherwise on another device.
    chosen: dict[str, Any] = {name: optimizer.implementation == name for name in ("fused", "foreach")}
    return torch.optim.AdamW(learning, **common, **chosen)
