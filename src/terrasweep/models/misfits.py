"""What only a built model tells, looked for before anything is trained: on paper, and its weights where they lie."""

from __future__ import annotations

import contextlib
import copy
import functools
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from terrasweep.config.schema import TrialConfig
from terrasweep.machine import startup
from terrasweep.process.child import Report
from terrasweep.results.errors import InvalidConfig

Look = tuple[TrialConfig, tuple[str, ...]]
"""A configuration, and the knobs of it to look at: ``tuning``, ``quantization``, ``checkpointing``."""


def find_misfits(report: Report, models: list[list[Look]]) -> None:
    """What runs in a child: report as ``misfits`` one line per thing that does not go together.

    Args:
        report: Takes the lines.
        models: Configurations by the model that they start from: what is done to it differs within each list.
    """
    startup.hide_gpus()
    from terrasweep.models.backbones.hub_files import asking_the_hub_once

    from_hub = any(looks[0][0].backbone.pretrained or looks[0][0].backbone.source for looks in models)
    found: dict[str, str] = {}
    with asking_the_hub_once() if from_hub else contextlib.nullcontext():
        for looks in models:
            config = looks[0][0]
            for line in _of_model(looks):
                found.setdefault(line, f" (with backbone={config.backbone.name}, decoder={config.decoder.name})")
    report(misfits=[line + (model if len(models) > 1 else "") for line, model in found.items()])


def _of_model(looks: list[Look]) -> Iterator[str]:
    from terrasweep.models.assemble import build_untransformed, planned_classes, without_weights
    from terrasweep.models.backbones.registry import on_paper
    from terrasweep.models.batch_statistics import check_batch_of_one
    from terrasweep.models.encoder import build_encoder, check_checkpoint

    config, models = looks[0][0], []

    def build() -> None:
        models.append(on_paper(lambda: build_untransformed(without_weights(config), planned_classes(config))))

    yield from _refused(build)
    for model in models:
        yield from _refused(functools.partial(check_checkpoint, config, model.encoder))
        if config.train.smallest_part == 1:
            yield from _refused(functools.partial(check_batch_of_one, config, model))
        for variant, knobs in looks:
            yield from _of_knobs(variant, knobs, model.encoder)
    if config.backbone.pretrained:
        yield from _refused(lambda: build_encoder(config))


def _of_knobs(config: TrialConfig, knobs: tuple[str, ...], encoder: Any) -> Iterator[str]:
    """What terrasweep's own knobs can't do to a backbone, each by itself; the backbone stays as it is."""
    from terrasweep.models.transforms.adapters import apply_tuning, split_fused
    from terrasweep.models.transforms.checkpointing import apply_checkpointing

    if "quantization" in knobs and config.quantization.name != "none":
        targets = (config.tuning.targets, *(() if "tuning" in knobs else ("qv",)))
        # Without its values a tuning may unfreeze as little as it likes.
        known = config if "tuning" in knobs else replace(config, tuning=replace(config.tuning, unfreeze_last=0))
        refusals = [list(_refused(functools.partial(_quantize, known, encoder, names))) for names in targets]
        yield from min(refusals, key=len)  # What tuning splits may differ from trial to trial.
    if "tuning" in knobs:
        changed = copy.deepcopy(encoder)
        yield from _refused(lambda: split_fused(changed, config.tuning.targets))
        yield from _refused(lambda: apply_tuning(changed, config.tuning))
    if "checkpointing" in knobs and config.checkpointing.name != "none":
        yield from _refused(lambda: apply_checkpointing(copy.deepcopy(encoder), config.checkpointing.every or 1))


def _quantize(config: TrialConfig, encoder: Any, targets: Any) -> None:
    """Choose what would be quantized, where tuning's targets have split what they split."""
    from terrasweep.models.transforms.adapters import split_fused
    from terrasweep.models.transforms.quantize import layers_to_keep, quantizable
    from terrasweep.models.transforms.unfrozen import unfrozen_blocks

    split = copy.deepcopy(encoder)
    split_fused(split, targets)
    layers = quantizable(split, config.quantization, unfrozen_blocks(split, config.tuning))
    if config.quantization.skip == "auto":
        layers_to_keep(config.quantization, len(layers))


def _refused(do: Callable[[], Any]) -> Iterator[str]:
    """The lines of a refusal. What else is raised may be for want of values, and is left to the trial."""
    try:
        do()
    except InvalidConfig as error:
        yield from str(error).splitlines()
    except Exception:  # noqa: BLE001 - it stands in the log
        traceback.print_exc()
