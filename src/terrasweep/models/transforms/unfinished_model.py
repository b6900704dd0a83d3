"""A model on its way from TerraTorch's factory to training: each knob does to it what its declaration names."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from terrasweep.config.knobs.knob import Knob
from terrasweep.config.outside_knobs import every_knob
from terrasweep.config.schema import TrialConfig
from terrasweep.models.transforms.sensitivity import Images
from terrasweep.results.errors import InvalidConfig

Touched = dict[str, list[str]]
"""Names of modules by what became of them, like ``quantized``."""


@dataclass(kw_only=True)
class UnfinishedModel:
    """What a transformation works on."""

    model: Any
    """The TerraTorch model, on the CPU until a transformation moves it; the backbone is ``model.encoder``."""
    config: TrialConfig
    device: torch.device
    """Where it will train."""
    images: Images | None = None
    """A batch to measure with, normalized, where a knob asks for one."""
    quantized: list[str] | None = None
    """Names of the layers to quantize where they are known."""
    sensitivity: dict[str, float] = field(default_factory=dict)
    """Of ``quantization.skip=auto``: what it found."""
    full_precision: dict[str, torch.Tensor] = field(default_factory=dict)
    """Where starts need them: weights of the layers to adapt before they were quantized, float32 (out, in)."""
    taken_out: dict[str, torch.Tensor] | None = None
    """What the starts of adapters took out of frozen weights, see :mod:`.starting_points`. Given where it is known, as
    for a trial that is built again: its adapters need no start."""


def transform(unfinished: UnfinishedModel) -> Touched:
    """Do what the knobs ask for, stage by stage; within a stage terrasweep's own knobs come first.

    Returns:
        Names of the touched modules, by what became of them.

    Raises:
        InvalidConfig: A requested transformation touched nothing, or another package's can't be used.
    """
    steps = [(stage, knob) for knob in every_knob() for stage in knob.transforms]
    touched: Touched = {}
    acted: dict[str, bool] = {}
    for stage, knob in sorted(steps, key=lambda step: step[0]):  # Stable: the knobs' order is kept within a stage.
        settings = unfinished.config.settings(knob.group)
        if settings.name != knob.off:
            found = _run(knob, knob.transforms[stage], settings, unfinished)
            acted[knob.group] = acted.get(knob.group, settings.name in knob.names_no_module) or any(found.values())
            for label, names in found.items():
                touched.setdefault(label, []).extend(names)
    if idle := [group for group, did in acted.items() if not did]:
        raise InvalidConfig("\n".join(_touched_nothing(group, unfinished.config) for group in idle))
    return {label: names for label, names in touched.items() if names}


def _run(knob: Knob, target: str, settings: Any, unfinished: UnfinishedModel) -> Touched:
    module, _, name = target.partition(":")
    try:
        function: Callable[[Any, UnfinishedModel], Touched] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InvalidConfig(
            f"{knob.group}={settings.name}: its transformation {target} can't be imported: {error}; "
            "mend the package that declares the knob"
        ) from error
    touched: object = function(settings, unfinished)
    if not isinstance(touched, dict):
        raise InvalidConfig(
            f"{knob.group}={settings.name}: {target} returned a {type(touched).__name__}, not names of modules by "
            "what became of them; mend the package that declares the knob"
        )
    return touched


def _touched_nothing(group: str, config: TrialConfig) -> str:
    """The wrong model would be measured, without a word."""
    return (
        f"{group}={config.settings(group).name}: it touched nothing of backbone={config.backbone.name} with "
        f"decoder={config.decoder.name}; leave {group} out"
    )
