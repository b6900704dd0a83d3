"""The seam between build and train: a TerraTorch model with every requested transformation, verified."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from terratorch.models import EncoderDecoderFactory
from torch import nn

from terrasweep.config.schema import TrialConfig
from terrasweep.data.synthetic import SyntheticScenes
from terrasweep.models.backbones.families import UNKNOWN_CLASSES
from terrasweep.models.backbones.feature_layout import Layout
from terrasweep.models.backbones.registry import on_paper, refusals, shapes_alone
from terrasweep.models.encoder import build_encoder, load_configured_checkpoint
from terrasweep.models.factory_arguments import FACTORY_TASKS, model_arguments
from terrasweep.models.transforms.dora_weights import unpacked_by_shape
from terrasweep.models.transforms.quantize import logical_parameters, stored_bytes
from terrasweep.models.transforms.sensitivity import Images
from terrasweep.models.transforms.unfinished_model import UnfinishedModel, transform


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


def _build_untransformed(config: TrialConfig, num_classes: int) -> tuple[Any, Layout, dict[str, list[str]]]:
    """The model, its backbone's layout, and what became of a checkpoint's parameters."""
    encoder, layout = build_encoder(config)
    model = assemble(config, num_classes, encoder, layout)
    return model, layout, load_configured_checkpoint(config, encoder)
