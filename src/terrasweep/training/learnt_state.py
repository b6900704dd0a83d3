"""What a model has learnt, kept in the host's memory while the training goes on."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from terrasweep.models.offload.zero import assign, whole

State = dict[str, Tensor]


def learnt_state(model: nn.Module) -> State:
    """Copies on the host of all that training changes: parameters that learn, and buffers such as batch statistics."""
    learning = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    changing = {**learning, **dict(model.named_buffers())}
    return {name: whole(tensor).detach().to("cpu", copy=True) for name, tensor in changing.items()}


@torch.no_grad()
def restore_state(model: nn.Module, state: State) -> None:
    """Put back what :func:`learnt_state` took."""
    present = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    for name, tensor in state.items():
        assign(present[name], tensor)
