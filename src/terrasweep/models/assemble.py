"""The seam between build and train: a TerraTorch model with every requested transformation, verified."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from terratorch.models import EncoderDecoderFactory
from torch import nn

from terrasweep.config.data import MEAN
from terrasweep.config.input_bands import input_modalities
from terrasweep.config.schema import TrialConfig
from terrasweep.data.synthetic import SyntheticScenes
from terrasweep.machine.paths import absolute
from terrasweep.models.backbones.families import UNKNOWN_CLASSES, dates_per_input, known_bands
from terrasweep.models.backbones.feature_layout import Layout, find_layout
from terrasweep.models.backbones.registry import (
    build_backbone,
    check_known,
    complete_arguments,
    on_paper,
    refusals,
    shapes_alone,
)
from terrasweep.models.pretrained.checkpoint import fit_checkpoint, load_checkpoint
from terrasweep.models.pretrained.input_layers import copy_per_date
from terrasweep.models.pretrained.synthetic import pretrained_file
from terrasweep.models.transforms.dora_weights import unpacked_by_shape
from terrasweep.models.transforms.quantize import logical_parameters, stored_bytes
from terrasweep.models.transforms.sensitivity import Images
from terrasweep.models.transforms.unfinished_model import UnfinishedModel, transform
from terrasweep.results.errors import InvalidConfig

FACTORY_TASKS = {name: name for name in ("segmentation", "regression", "classification")} | {
    "multilabel": "classification"
}
"""How TerraTorch's factory calls a task."""
_FILES_OF_WEIGHTS = {"ckpt_path", "ckpt_data", "checkpoint_path"}
"""Arguments of builders that name a file of weights, which some load whether or not weights are asked for."""


@dataclass(frozen=True)
class BuiltModel:
    """A model that is ready to train, and what was done to it."""

    module: nn.Module
    """Takes float32 (B, C, H, W), of several dates (B, C, T, H, W), or a dict of them by modality, and returns
    TerraTorch's ModelOutput."""
    layout: Layout
    """Of the backbone's features; an export needs it."""
    trainable_parameters: int
    total_parameters: int
    weight_bytes: int
    touched: dict[str, list[str]] = field(default_factory=dict)
    """Module names per transformation: ``split``, ``quantized``, ``adapted``, ``checkpointed``, ``offloaded``, and
    what knobs from outside say. Of a checkpoint the parameters by what became of them: ``checkpoint_missing``,
    ``checkpoint_resized`` and so on."""
    sensitivity: dict[str, float] = field(default_factory=dict)
    """For ``quantization.skip=auto``: per linear layer how much its quantization changes the output, falling."""
    taken_out: dict[str, torch.Tensor] | None = None
    """For ``tuning.initialisation=pissa|loftq``: the low-rank parts that left the backbone's frozen weights."""


def build_model(
    config: TrialConfig,
    num_classes: int,
    device: torch.device,
    images: Images | None = None,
    quantized: list[str] | None = None,
    taken_out: dict[str, torch.Tensor] | None = None,
) -> BuiltModel:
    """Build a model, and do to it what each knob asks for, in the order of their stages.

    Decoder and head stay trainable and in full precision.

    Args:
        config: What to build.
        num_classes: Of the task.
        device: Where it will train. What ZeRO offloads stays on the host until then.
        images: Normalized float32 (B, C, H, W), or a dict of them by modality: what ``quantization.skip=auto`` and
            ``tuning.initialisation=eva`` measure with.
        quantized: Names of the layers to quantize where they are known, as for a trial that is built again.
        taken_out: What adapters' starts took out of frozen weights, likewise; the adapters then need no start.

    Raises:
        InvalidConfig: A name is not in TerraTorch's registry, or a transformation touched nothing.
    """
    model, layout, touched = _build_untransformed(config, num_classes)
    unfinished = UnfinishedModel(
        model=model, config=config, device=device, images=images, quantized=quantized, taken_out=taken_out
    )
    return _finished(unfinished, layout, touched)


def build_on_paper(config: TrialConfig) -> BuiltModel:
    """The same model from shapes alone, on torch's ``meta`` device: nothing is loaded, quantized or read.

    Every knob does its work but for what needs values: weights to quantize stay as they are, in layers that are low-bit
    ones, ``quantization.skip=auto`` keeps the largest layers, and adapters start anywhere (``tuning.initialisation``).

    Raises:
        InvalidConfig: As for :func:`build_model`.
    """
    meta = torch.device("meta")
    model, layout, _ = on_paper(lambda: _build_untransformed(without_weights(config), planned_classes(config)))
    model.to(meta)
    started = replace(config, tuning=replace(config.tuning, initialisation="default"))
    with shapes_alone(), unpacked_by_shape():
        return _finished(UnfinishedModel(model=model, config=started, device=meta), layout, {})


def _finished(unfinished: UnfinishedModel, layout: Layout, touched: dict[str, list[str]]) -> BuiltModel:
    """Do what the knobs ask for, and move the model to its device."""
    model, config = unfinished.model, unfinished.config
    touched |= transform(unfinished)
    if config.offload.name not in ("parameters", "nvme"):
        model.to(unfinished.device)
    return BuiltModel(
        module=model,
        layout=layout,
        trainable_parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        total_parameters=logical_parameters(model),
        weight_bytes=stored_bytes(model),
        touched=touched,
        sensitivity=unfinished.sensitivity,
        taken_out=unfinished.taken_out,
    )


def build_untransformed(config: TrialConfig, num_classes: int) -> Any:
    """The TerraTorch model in full precision, with its weights loaded, on the CPU.

    Raises:
        InvalidConfig: TerraTorch knows no such backbone or decoder, or refuses its arguments.
    """
    return _build_untransformed(config, num_classes)[0]


def without_weights(config: TrialConfig) -> TrialConfig:
    """The configuration of the same model, which loads nothing."""
    return replace(config, backbone=replace(config.backbone, pretrained=False, checkpoint=None))


def planned_classes(config: TrialConfig) -> int:
    """How many classes a model on paper is for, also where nobody has counted them yet."""
    known = len(SyntheticScenes.CLASSES) if config.data.name == "synthetic" else UNKNOWN_CLASSES
    return config.data.num_classes or known


def check_checkpoint(config: TrialConfig, encoder: nn.Module) -> None:
    """See by names and shapes alone that ``backbone.checkpoint`` fits a backbone, which may be on paper.

    Raises:
        InvalidConfig: As :func:`terrasweep.models.pretrained.checkpoint.load_checkpoint`.
    """
    backbone = config.backbone
    if backbone.checkpoint not in (None, "synthetic"):
        file = absolute(str(backbone.checkpoint))
        fit_checkpoint(encoder, file, **_input_of(config), shapes_alone=True)


def build_encoder(config: TrialConfig) -> tuple[Any, Layout]:
    """The backbone alone, with its weights loaded from the Hub where they shall be, and what its features are.

    Raises:
        InvalidConfig: The registry has no such backbone, or refuses its arguments; its features are of no use.
    """
    backbone = config.backbone
    check_known(backbone.name)
    arguments = complete_arguments(config)
    with refusals(config):
        if dates_per_input(config) and (backbone.pretrained or _FILES_OF_WEIGHTS & arguments.keys()):
            encoder = _build_per_date(config, arguments)
        else:
            encoder = build_backbone(backbone.name, backbone.pretrained, arguments)
    return encoder, find_layout(config, encoder, arguments)


def assemble(config: TrialConfig, num_classes: int, encoder: nn.Module, layout: Layout) -> Any:
    """Neck, decoder and head behind a backbone.

    Raises:
        InvalidConfig: TerraTorch knows no such decoder, or it does not go with these features.
    """
    arguments = model_arguments(config, num_classes, layout) | {"backbone": encoder}
    # The encoder is wrapped where each date is seen by itself; the factory would wrap it a second time.
    arguments.pop("backbone_use_temporal", None)
    with refusals(config):
        return EncoderDecoderFactory().build_model(task=FACTORY_TASKS[config.task.name], **arguments)


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


def _build_untransformed(config: TrialConfig, num_classes: int) -> tuple[Any, Layout, dict[str, list[str]]]:
    """The model, its backbone's layout, and what became of a checkpoint's parameters."""
    encoder, layout = build_encoder(config)
    model = assemble(config, num_classes, encoder, layout)
    return model, layout, _load(config, encoder)


def _build_per_date(config: TrialConfig, arguments: dict[str, Any]) -> nn.Module:
    """The backbone for a stack of dates with the weights that its builder loads for one date, per date.

    Builders give a band that comes once per date its whole weight each time, or adapt channels in ways of their own.

    Raises:
        InvalidConfig: It has no weights per band.
    """
    backbone = config.backbone
    single = replace(config, data=replace(config.data, frames_for_one_date=MEAN))
    one = build_backbone(backbone.name, backbone.pretrained, complete_arguments(single))
    own = {key: value for key, value in arguments.items() if key not in _FILES_OF_WEIGHTS}
    stacked = build_backbone(backbone.name, False, own)
    try:
        copy_per_date(one, stacked)
    except ValueError as error:
        raise InvalidConfig(
            f"data.frames_for_one_date=stack with backbone={backbone.name}: {error}, so that its weights can't be "
            "given to each date; use data.frames_for_one_date=mean"
        ) from error
    return stacked


def _load(config: TrialConfig, encoder: nn.Module) -> dict[str, list[str]]:
    backbone = config.backbone
    if backbone.checkpoint is None:
        return {}
    file = pretrained_file(config) if backbone.checkpoint == "synthetic" else absolute(backbone.checkpoint)
    found = load_checkpoint(encoder, file, **_input_of(config))
    return {f"checkpoint_{kind}": names for kind, names in found.items() if names and kind != "loaded"}


def _input_of(config: TrialConfig) -> dict[str, Any]:
    """What the input layers see, and what those of the checkpoint saw."""
    bands = [band for names in input_modalities(config).values() for band in names] or known_bands(config)
    return {
        "bands": bands,
        "checkpoint_bands": config.backbone.checkpoint_bands,
        "dates": dates_per_input(config),
    }
