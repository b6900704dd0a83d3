"""A backbone with its weights: from the Hub, from a file, or shared out to the dates of a stack."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn

from terrasweep.config.data import MEAN
from terrasweep.config.input_bands import input_modalities
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.paths import absolute
from terrasweep.models.backbones.families import dates_per_input, known_bands
from terrasweep.models.backbones.feature_layout import Layout, find_layout
from terrasweep.models.backbones.registry import build_backbone, check_known, complete_arguments, refusals
from terrasweep.models.pretrained.checkpoint import fit_checkpoint, load_checkpoint
from terrasweep.models.pretrained.input_layers import copy_per_date
from terrasweep.models.pretrained.synthetic import pretrained_file
from terrasweep.results.errors import InvalidConfig

_FILES_OF_WEIGHTS = {"ckpt_path", "ckpt_data", "checkpoint_path"}
"""Arguments of builders that name a file of weights, which some load whether or not weights are asked for."""


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


def check_checkpoint(config: TrialConfig, encoder: nn.Module) -> None:
    """See by names and shapes alone that ``backbone.checkpoint`` fits a backbone, which may be on paper.

    Raises:
        InvalidConfig: As :func:`terrasweep.models.pretrained.checkpoint.load_checkpoint`.
    """
    backbone = config.backbone
    if backbone.checkpoint not in (None, "synthetic"):
        file = absolute(str(backbone.checkpoint))
        fit_checkpoint(encoder, file, **_input_of(config), shapes_alone=True)


def load_configured_checkpoint(config: TrialConfig, encoder: nn.Module) -> dict[str, list[str]]:
    """Load ``backbone.checkpoint``, where there is one; returns what became of its parameters by kind.

    Raises:
        InvalidConfig: As :func:`terrasweep.models.pretrained.checkpoint.load_checkpoint`.
    """
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
