"""Whether a model can train on batches of one sample: batch normalization wants more than one value per channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from terrasweep.config.schema import TrialConfig
from terrasweep.models.backbones.feature_layout import zero_images
from terrasweep.results.errors import InvalidConfig

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def check_batch_of_one(config: TrialConfig, model: Any) -> None:
    """See whether a model on paper can train on one sample, with one step forward where it has batch normalization.

    Args:
        config: What it was built for.
        model: TerraTorch's; it stays in training mode.

    Raises:
        InvalidConfig: A layer of batch normalization would get one value per channel.
    """
    norms = {name: module for name, module in model.named_modules() if isinstance(module, _NORMS)}
    if not norms:
        return
    hooks = [norm.register_forward_pre_hook(_refusing(config, name)) for name, norm in norms.items()]
    try:
        model.train()
        model(zero_images(config, next(model.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()


def _refusing(config: TrialConfig, name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    part = f"backbone={config.backbone.name}" if name.startswith("encoder.") else f"decoder={config.decoder.name}"

    def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        shape = inputs[0].shape
        if inputs[0].numel() <= shape[1]:
            raise InvalidConfig(
                f"train.batch_size=1 with {part}: {name} is batch normalization, which can't train on a single value "
                "per channel; use train.batch_size=2 or more, larger tiles, or another model"
            )

    return look
