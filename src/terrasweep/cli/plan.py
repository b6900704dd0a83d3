"""``terrasweep plan``: what a configuration needs in memory, before anything is trained. Imports no torch."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from pathlib import Path
from typing import Any

from terrasweep import process
from terrasweep.cli.check import without_weights
from terrasweep.config.bad_input import BAD_INPUT, describe_bad_input
from terrasweep.config.band_choice import are_numbers
from terrasweep.config.compose import compose
from terrasweep.config.input_bands import input_bands, input_modalities
from terrasweep.config.knobs.offload import ZERO
from terrasweep.config.knobs.optimizer import EIGHT_BIT_OPTIMIZERS
from terrasweep.config.schema import BudgetConfig, TrialConfig
from terrasweep.data import rules as data_rules
from terrasweep.models.backbones.families import UNKNOWN_CLASSES, UNKNOWN_TILE_PX
from terrasweep.predict.memory_needs import Plan, ZeroNeed
from terrasweep.predict.prediction import as_json as prediction_as_json
from terrasweep.results.errors import DataError, InvalidConfig
from terrasweep.results.wording import narrow_bytes
from terrasweep.trial import rules

_UNMEASURED = "All of this is counted and nothing measured on a GPU: leave room there for what is not counted."


def plan(overrides: list[str], start_method: str | None = "spawn") -> tuple[TrialConfig, Plan]:
    """Compose a configuration as ``python sweep.py`` does, and count what it needs in a child.

    What only the data tell comes from a look at them, as ``terrasweep check`` takes it, where they are there.

    Args:
        overrides: ``key=value`` as on the command line.
        start_method: Of the child; None: from the forkserver, which imports more than this one child needs.

    Returns:
        The configuration with what the data tell, and the plan.

    Raises:
        InvalidConfig: With one line per mistake, or why the data can't be opened.
        TerrasweepError: A child failed otherwise.
    """
    try:
        config = compose(overrides)
    except BAD_INPUT as error:
        raise InvalidConfig("\n".join(describe_bad_input(error))) from error
    _refuse(find_violations(config))
    lacking = find_lacking(config)
    if not lacking:
        return config, _count(config, start_method)
    if absent := _find_absent(config):
        return config, _count_without_data(config, lacking, absent, start_method)
    config = _with_data(config)
    _refuse(find_violations(config))
    return config, _count(config, start_method)


def completed(config: TrialConfig) -> tuple[TrialConfig, list[str]]:
    """A configuration with what its data tell, or with a sentence on what is assumed where they are not there.

    Raises:
        InvalidConfig: The data can't be opened.
    """
    lacking = find_lacking(config)
    if not lacking:
        return config, []
    if absent := _find_absent(config):
        return config, [_assumption(lacking, _reason(lacking, absent))]
    return _with_data(config), []


def find_lacking(config: TrialConfig) -> list[str]:
    """The keys that a model depends on, and that only the data tell."""
    data = config.data
    if data.name == "synthetic":
        return []
    bands = list(input_modalities(config).values()) or [input_bands(config)]
    chosen = [modality.bands for modality in data.modalities.values()] or [data.bands]
    if any(map(are_numbers, chosen)) and not config.backbone.bands:  # The files may have names for them.
        bands = [[]]
    classes = config.task.name == "regression" or data.num_classes or data.class_names
    known = {"data.bands": all(bands), "data.tile_px": data.tile_px or data.resize_px, "data.num_classes": classes}
    return [key for key, value in known.items() if not value]


def _find_absent(config: TrialConfig) -> str | None:
    """The line that a trial would be refused with where its data are not there."""
    whatever = set(data_rules.find_bad_values(config, files=False))
    return next((line for line in data_rules.find_bad_values(config) if line not in whatever), None)


def _with_data(config: TrialConfig) -> TrialConfig:
    """The configuration with what a look at its data tells."""
    from terrasweep.data import stored
    from terrasweep.trial import prepare

    located = stored.located(config)
    try:
        prepare.survey(without_weights(located))
    except DataError as error:
        raise InvalidConfig(str(error)) from error
    return stored.complete(located)


def _count_without_data(config: TrialConfig, lacking: list[str], absent: str, start_method: str | None) -> Plan:
    reason = _reason(lacking, absent)
    try:
        found = _count(config, start_method)
    except InvalidConfig as error:
        raise InvalidConfig(f"{error} ({reason})") from error
    return dataclasses.replace(found, notes=[*found.notes, _assumption(lacking, reason)])


def _reason(lacking: list[str], absent: str) -> str:
    return f"only the data tell {', '.join(lacking)}, and {absent}"


def _assumption(lacking: list[str], reason: str) -> str:
    assumed = {
        "data.tile_px": f"tiles of {UNKNOWN_TILE_PX} px",
        "data.num_classes": f"{UNKNOWN_CLASSES} classes",
    }
    return f"Assumed are {' and '.join(text for key, text in assumed.items() if key in lacking)}: {reason}."


def _refuse(lines: list[str]) -> None:
    if lines:
        raise InvalidConfig("\n".join(lines))


def find_violations(config: TrialConfig) -> list[str]:
    """Those of :func:`terrasweep.trial.rules.find_violations` that matter without data and weights, for a GPU."""
    device, offload = config.train.device, config.offload
    planned = dataclasses.replace(
        config,
        backbone=dataclasses.replace(config.backbone, checkpoint=None),
        train=dataclasses.replace(config.train, device="cuda" if device == "auto" else device),
        offload=dataclasses.replace(
            offload, nvme_path=offload.nvme_path or ("anywhere" if offload.name == "nvme" else None)
        ),
    )
    return list(rules.find_violations(planned, files=False))


def fits(need: ZeroNeed, budget: BudgetConfig) -> bool | None:
    """Whether the model states fit the limits that are given, in 32 bits; None where there are none."""
    return _within(budget, need.device_bytes, need.host_bytes)


def choices_for_one_gpu(config: TrialConfig, found: Plan) -> list[str] | None:
    """The offloads whose model states fit one GPU and its host; None where no limit is given."""
    if _within(config.budget, 0, 0) is None:
        return None
    plain = _within(config.budget, found.state_bytes, found.built_bytes)
    under_zero = [n for n in found.zero if n.gpus == 1 and n.offload in ZERO and fits(n, config.budget)]
    return [*(["none"] if plain else []), *(need.offload for need in under_zero)]


def chosen_need(config: TrialConfig, found: Plan) -> ZeroNeed | None:
    """The row of the configuration's own offload on one GPU; None where ZeRO has no part in it."""
    if config.offload.name not in ZERO:
        return None
    return next(need for need in found.zero if need.offload == config.offload.name and need.gpus == 1)


def left_out(config: TrialConfig, found: Plan) -> list[str]:
    """What the numbers do not count, a phrase each."""
    return [
        "activations (they grow with train.batch_size and the tile, and shrink with checkpointing)",
        "buffers of temporary gathers",
        *(["pinned buffers on the host between GPU and disk"] if config.offload.name == "nvme" else []),
        *([f"under ZeRO the model's buffers ({narrow_bytes(size)})"] if (size := found.counts.buffer_bytes) else []),
        "the CUDA context (some hundred MiB)",
        "fragmentation of the allocator",
    ]


def remarks(config: TrialConfig, found: Plan) -> list[str]:
    """How to read ZeRO's rows, and what was assumed; a sentence each."""
    bucket = narrow_bytes(found.zero[0].bucket_bytes)
    more = {need.offload: narrow_bytes(need.full_precision_bytes) for need in found.zero if need.gpus == 1}
    eight_bit = config.optimizer.name in EIGHT_BIT_OPTIMIZERS
    return [
        "ZeRO's rows are DeepSpeed's own estimates for the parameters that learn, which take training to be in 16 bits "
        "with Adam, and the frozen weights as they are stored.",
        f"terrasweep keeps what learns in 32 bits, which adds {more['optimizer']} per GPU with offload=optimizer and "
        f"{more['parameters']} with offload=parameters, and DeepSpeed gathers gradients in {bucket} more; "
        "what fits is judged with both.",
        "The host holds each process's model in 32 bits before it is partitioned (zero_init=False).",
        *([f"optimizer={config.optimizer.name} does not go with ZeRO, whose rows take AdamW."] if eight_bit else []),
        *([_UNMEASURED] if config.budget.memory_gib is not None else []),
        *found.notes,
    ]


def as_json(config: TrialConfig, found: Plan) -> dict[str, Any]:
    """All numbers as plain values; bytes unless the key says otherwise."""
    counts = found.counts
    groups = ("backbone", "decoder", "task", "quantization", "tuning", "offload", "precision", "optimizer")
    return {
        "settings": {group: getattr(config, group).name for group in groups}
        | {f"tuning.{key}": getattr(config.tuning, key) for key in ("rank", "frozen_dtype", "unfreeze_last")},
        "budget": {"memory_gib": config.budget.memory_gib, "host_memory_gib": config.budget.host_memory_gib},
        "parameters": {
            "trainable": counts.trainable_parameters,
            "frozen": counts.frozen_parameters,
            "quantized": counts.quantized_parameters,
            "total": counts.total_parameters,
            "largest_trainable_layer": counts.largest_trainable_layer,
        },
        "bytes": {
            "trainable_weights": counts.trainable_bytes,
            "frozen_weights": counts.frozen_bytes,
            "quantized_weights": counts.quantized_bytes,
            "quantization_constants": counts.constant_bytes,
            "buffers": counts.buffer_bytes,
            "gradients": counts.gradient_bytes,
            "optimizer": found.optimizer_bytes,
            "sum": found.state_bytes,
        },
        "predicted": None if found.prediction is None else prediction_as_json(found.prediction),
        "zero": [dataclasses.asdict(need) | {"fits": fits(need, config.budget)} for need in found.zero],
        "fits_on_one_gpu": choices_for_one_gpu(config, found),
        "left_out": left_out(config, found),
        "remarks": remarks(config, found),
    }


def _count(config: TrialConfig, start_method: str | None) -> Plan:
    descriptor, name = tempfile.mkstemp(prefix="terrasweep-plan-", suffix=".log")
    os.close(descriptor)
    log = Path(name)
    outcome = process.run(
        "terrasweep.trial.plan_in_child:plan", {"config": config}, log, process.Limits(), start_method=start_method
    )
    if outcome.error is not None and not isinstance(outcome.error, InvalidConfig):
        raise type(outcome.error)(f"{outcome.error}; see {log}") from outcome.error
    log.unlink()
    if outcome.error is not None:
        raise outcome.error
    found = outcome.reported["plan"]
    assert isinstance(found, Plan)
    return found


def _within(budget: BudgetConfig, device: int, host: int) -> bool | None:
    limits = [(device, budget.memory_gib), (host, budget.host_memory_gib)]
    given = [(size, limit) for size, limit in limits if limit is not None]
    return all(size <= limit * 2**30 for size, limit in given) if given else None
