"""What leaves the device between forward and backward."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.autograd.graph import save_on_cpu


def apply_offload(model: nn.Module) -> list[str]:
    """Keep the activations that the backward pass needs on the host, in pinned memory where there is CUDA.

    Returns:
        ``["model"]``: the activations of the whole model.
    """
    forward = model.forward

    def forward_with_offload(*args: Any, **kwargs: Any) -> Any:
        with save_on_cpu(pin_memory=torch.cuda.is_available()):
            return forward(*args, **kwargs)

    model.forward = forward_with_offload
    return ["model"]
