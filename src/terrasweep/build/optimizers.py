"""The optimizer of a trial."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from terrasweep.knobs import OptimizerConfig


def build_optimizer(parameters: Iterable[nn.Parameter], optimizer: OptimizerConfig, lr: float) -> torch.optim.Optimizer:
    """AdamW over the parameters that learn."""
    first, second = optimizer.betas
    return torch.optim.AdamW(
        [parameter for parameter in parameters if parameter.requires_grad],
        lr=lr,
        betas=(first, second),
        weight_decay=optimizer.weight_decay,
        foreach=optimizer.foreach,
    )
