"""Adapters that start by looking along the principal components of what comes in: EVA (Paischer et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from peft import EvaConfig, LoraConfig, get_eva_state_dict
from torch import nn

from terrasweep.models.transforms.sensitivity import Images, moved
from terrasweep.models.transforms.unfinished_model import UnfinishedModel
from terrasweep.results.errors import InvalidConfig

MOST_PASSES = 100
"""Of the batch through the model until the components stand still; a handful is usual."""
_BELOW = "encoder."


def principal_inputs(unfinished: UnfinishedModel, names: list[str]) -> dict[str, torch.Tensor]:
    """EVA by PEFT: the principal components of what comes into each layer to adapt, found on a training batch.

    Ranks are not redistributed (EVA's rho is 1), so that a configuration costs what its plan says.

    Args:
        unfinished: Without adapters yet; its model is on the device afterwards, and otherwise as it was.
        names: Of the layers to adapt, below the backbone.

    Returns:
        Name of the layer below the backbone to the rows of ``lora_A``: orthonormal, (rank, in).

    Raises:
        InvalidConfig: The batch has fewer directions than the rank asks for.
    """
    assert unfinished.images is not None
    model, rank = unfinished.model.to(unfinished.device), unfinished.config.tuning.rank
    assert rank is not None
    images = moved(unfinished.images, unfinished.device)
    _check_inputs(unfinished, names, images)
    targets = [f"{_BELOW}{name}" for name in names]
    found = get_eva_state_dict(
        model,
        _Passes(images, unfinished),
        LoraConfig(r=rank, target_modules=targets, init_lora_weights="eva", eva_config=EvaConfig(rho=1.0)),
        forward_fn=lambda module, batch: module(batch),
        prepare_model_inputs_fn=lambda batch, config: None,
        prepare_layer_inputs_fn=lambda inputs, batch, name: _rows(inputs),
        gather_distributed_inputs=False,
        show_progress_bar=False,
    )
    return {name.removeprefix(_BELOW): rows for name, rows in found.items()}


def start_along(encoder: nn.Module, directions: dict[str, torch.Tensor]) -> None:
    """Let each adapter look along its directions. Its second matrix stays zero, and the outputs as they were."""
    for name, rows in directions.items():
        layer: Any = encoder.get_submodule(name)
        layer.lora_A["default"].weight.data.copy_(rows)


class _Passes:
    """One batch again and again, and an end where PEFT would go on for ever: components of noise never stand still."""

    def __init__(self, images: Images, unfinished: UnfinishedModel) -> None:
        self._images, self._unfinished = images, unfinished

    def __len__(self) -> int:
        return MOST_PASSES

    def __iter__(self) -> Iterator[Images]:
        for _ in range(MOST_PASSES):
            yield self._images
        raise InvalidConfig(_too_few(self._unfinished, "no more than noise in some directions of a layer's inputs"))


@torch.no_grad()
def _check_inputs(unfinished: UnfinishedModel, names: list[str], images: Images) -> None:
    """PEFT would wait for ever for a layer that gets fewer vectors than components are asked for."""
    counts = dict.fromkeys(names, 0)

    def count(name: str, inputs: Any) -> None:
        counts[name] = _rows(inputs).shape[0]

    modules = {name: unfinished.model.encoder.get_submodule(name) for name in names}
    hooks = [
        module.register_forward_pre_hook(lambda _, inputs, name=name: count(name, inputs))
        for name, module in modules.items()
    ]
    training = unfinished.model.training
    try:
        unfinished.model.eval()(images)
    finally:
        unfinished.model.train(training)
        for hook in hooks:
            hook.remove()
    name = min(counts, key=lambda key: counts[key])
    if counts[name] < (unfinished.config.tuning.rank or 1):
        raise InvalidConfig(_too_few(unfinished, f"{counts[name]} vectors for the layer {name}"))


def _too_few(unfinished: UnfinishedModel, found: str) -> str:
    return (
        f"tuning.initialisation=eva with tuning.rank={unfinished.config.tuning.rank}: a training batch has {found}; "
        "use a smaller rank or a larger train.batch_size"
    )


def _rows(inputs: Any) -> torch.Tensor:
    """What comes into a linear layer as vectors, (N, in)."""
    first: torch.Tensor = inputs[0] if isinstance(inputs, tuple) else inputs
    return first.reshape(-1, first.shape[-1])
