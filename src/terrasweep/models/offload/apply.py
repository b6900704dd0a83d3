"""What leaves the device while it is not needed. Activations by torch; the rest is ZeRO's, see :mod:`.zero`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any

from torch import nn
from torch.autograd.graph import save_on_cpu

from terrasweep.config.knobs.offload import OffloadConfig
from terrasweep.models.transforms.unfinished_model import Touched, UnfinishedModel

Hooks = Callable[[nn.Module], AbstractContextManager[object]]


def _on_host(model: nn.Module) -> AbstractContextManager[object]:
    return save_on_cpu(pin_memory=next(model.parameters()).is_cuda)


SAVED: ContextVar[Hooks] = ContextVar("SAVED", default=_on_host)
"""Within what a model's forward pass keeps what the backward pass needs; a prediction has no GPU, and puts its own."""

ZERO_OFFLOADS = {
    "optimizer": ["optimizer state"],
    "parameters": ["parameters", "optimizer state"],
    "nvme": ["parameters", "optimizer state"],
}


def offload_model(offload: OffloadConfig, unfinished: UnfinishedModel) -> Touched:
    """The knob ``offload``: :func:`apply_offload` to the whole model."""
    return {"offloaded": apply_offload(unfinished.model, offload)}


def apply_offload(model: nn.Module, offload: OffloadConfig) -> list[str]:
    """Prepare the model for its offload.

    Returns:
        What is offloaded.
    """
    if offload.name in ZERO_OFFLOADS:
        return ZERO_OFFLOADS[offload.name]  # DeepSpeed does it when the training starts.
    _offload_activations(model)
    return ["activations"]


def _offload_activations(model: nn.Module) -> None:
    """Keep what the backward pass needs on the host, in pinned memory where the model is on a GPU."""
    forward = model.forward

    def forward_with_offload(*args: Any, **kwargs: Any) -> Any:
        with SAVED.get()(model):
            return forward(*args, **kwargs)

    model.forward = forward_with_offload
