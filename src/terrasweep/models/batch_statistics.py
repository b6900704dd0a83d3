"""Layers whose output depends on the other samples of a batch: they need more than one, and see parts of it as such."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from terrasweep.config.schema import TrialConfig
from terrasweep.models.backbones.feature_layout import zero_images
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.wording import listed

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def check_batch_of_one(config: TrialConfig, model: Any) -> None:
    """See whether a model on paper can train on one sample at a time, by one step forward if it has such layers.

    Args:
        config: What it was built for.
        model: TerraTorch's; it stays in training mode.

    Raises:
        InvalidConfig: A layer of batch normalization would get one value per channel.
    """
    norms = _norms(model)
    if not norms:
        return
    hooks = [norm.register_forward_pre_hook(_refusing(config, name)) for name, norm in norms.items()]
    try:
        model.train()
        model(zero_images(config, next(model.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()


def takes_batch_statistics(model: nn.Module) -> bool:
    """Whether a layer's output depends on the other samples of its batch."""
    return bool(_norms(model))


def describe_parts(config: TrialConfig, model: nn.Module) -> str | None:
    """One line where ``train.accumulate`` changes the mathematics, since statistics are those of a part of a batch."""
    norms = list(_norms(model))
    if config.train.accumulate == 1 or not norms:
        return None
    return (
        f"train.accumulate={config.train.accumulate}: batch normalization ({listed(norms)}) takes the statistics of a "
        "part of the batch, so that this is not the training of whole batches"
    )


def _norms(model: nn.Module) -> dict[str, nn.Module]:
    return {name: module for name, module in model.named_modules() if isinstance(module, _NORMS)}


def _refusing(config: TrialConfig, name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    parts = "" if config.train.accumulate == 1 else f" with train.accumulate={config.train.accumulate}"
    part = f"backbone={config.backbone.name}" if name.startswith("encoder.") else f"decoder={config.decoder.name}"

    def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        shape = inputs[0].shape
        if inputs[0].numel() <= shape[1]:
            raise InvalidConfig(
                f"train.batch_size={config.train.batch_size}{parts} with {part}: {name} is batch normalization, which "
                "can't train on a single value per channel; use "
                f"train.batch_size={2 * config.train.accumulate} or more, larger tiles, or another model"
            )

    return look
