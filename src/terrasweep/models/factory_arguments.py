"""A model as the arguments of TerraTorch's factory: decoder, head, and the necks between them and the backbone."""

from __future__ import annotations

from typing import Any

from terrasweep.config.schema import TrialConfig
from terrasweep.models.backbones.feature_layout import Layout
from terrasweep.models.backbones.registry import complete_arguments
from terrasweep.results.errors import InvalidConfig

FACTORY_TASKS = {name: name for name in ("segmentation", "regression", "classification")} | {
    "multilabel": "classification"
}
"""How TerraTorch's factory calls a task."""


def model_arguments(config: TrialConfig, num_classes: int, layout: Layout) -> dict[str, Any]:
    """The keyword arguments of TerraTorch's EncoderDecoderFactory as plain values: a task's ``model_args``.

    Args:
        config: The model.
        num_classes: Of the task; a regression has one output whatever it is.
        layout: Of the backbone's features.

    Raises:
        InvalidConfig: The decoder does not go with these features.
    """
    backbone, decoder = config.backbone, config.decoder
    regression = config.task.name == "regression"
    arguments = {f"backbone_{key}": value for key, value in complete_arguments(config).items()}
    arguments |= {f"decoder_{key}": value for key, value in decoder.arguments.items()}
    if decoder.includes_head:
        arguments["decoder_num_classes"] = 1 if regression else num_classes
    if decoder.name == "LinearDecoder" and "upsampling_size" not in decoder.arguments:
        if layout.stride is None:
            raise InvalidConfig(
                "decoder.arguments.upsampling_size: the size of a patch is not known; give it, in pixels"
            )
        arguments["decoder_upsampling_size"] = layout.stride
    return {
        "backbone": backbone.name,
        "backbone_pretrained": backbone.pretrained,
        "decoder": decoder.name,
        "necks": necks(config, layout),
        "num_outputs" if regression else "num_classes": 1 if regression else num_classes,
        **arguments,
    }


def necks(config: TrialConfig, layout: Layout) -> list[dict[str, Any]]:
    """TerraTorch's necks: the given ones, or those that bring the backbone's features to what the decoder takes.

    Raises:
        InvalidConfig: The decoder wants a pyramid of four features, and there are more or fewer.
    """
    if config.neck.modules is not None:
        return [dict(neck) for neck in config.neck.modules]
    chain: list[dict[str, Any]] = []
    if layout.indices is not None:
        chain.append({"name": "SelectIndices", "indices": list(layout.indices)})
    if layout.tokens:
        reshape: dict[str, Any] = {"name": "ReshapeTokensToImage", "remove_cls_token": layout.cls_token}
        chain.append(reshape | ({"effective_time_dim": layout.steps} if layout.steps > 1 else {}))
    elif layout.channels_last:
        chain.append({"name": "PermuteDims", "new_order": [0, 3, 1, 2]})
    if config.decoder.pyramid:
        if len(layout.seen) != 4:
            raise InvalidConfig(
                f"decoder={config.decoder.name} with backbone={config.backbone.name}: it wants four features, and sees "
                f"{len(layout.seen)}; give four backbone.out_indices, or use decoder=fcn or linear"
            )
        if not layout.pyramidal:
            chain.append({"name": "LearnedInterpolateToPyramidal"})
    return chain
