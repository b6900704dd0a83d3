"""The optimizer of a trial."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import bitsandbytes as bnb
import torch
from torch import nn

from terrasweep.config.knobs.optimizer import OptimizerConfig

EIGHT_BIT = {"adamw8bit": bnb.optim.AdamW8bit, "paged_adamw8bit": bnb.optim.PagedAdamW8bit}


def build_optimizer(parameters: Iterable[nn.Parameter], optimizer: OptimizerConfig, lr: float) -> torch.optim.Optimizer:
    """AdamW over the parameters that learn.

    By torch in the implementation that is asked for, or by bitsandbytes with block-wise 8-bit state (Dettmers et al.
    2022); pages of the latter go to the host when the GPU's memory is short, and mean nothing on a CPU.
    """
    first, second = optimizer.betas
    learning = [parameter for parameter in parameters if parameter.requires_grad]
    common: dict[str, Any] = {"lr": lr, "betas": (first, second), "weight_decay": optimizer.weight_decay}
    if optimizer.name in EIGHT_BIT:
        built: torch.optim.Optimizer = EIGHT_BIT[optimizer.name](
            learning, **common, min_8bit_size=optimizer.min_8bit_size
        )
        return built
    # Exactly one of the two may be true; torch would choose by itself, and otherwise on another device.
    chosen: dict[str, Any] = {name: optimizer.implementation == name for name in ("fused", "foreach")}
    return torch.optim.AdamW(learning, **common, **chosen)
