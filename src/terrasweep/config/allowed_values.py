"""Values that are wrong whatever the other knobs are. Imports no torch."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator

from terrasweep.config.knobs import (
    COMPUTE_DTYPES,
    IMPLEMENTATIONS,
    KEPT_WEIGHTS,
    MATMUL_PRECISIONS,
    TARGET_PRESETS,
    OptimizerConfig,
)
from terrasweep.config.losses import LOSSES
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.paths import SINGLE_TRIALS, absolute
from terrasweep.results.measurements import NUMERIC_MEASUREMENTS
from terrasweep.results.wording import nearest


def find_bad_values(config: TrialConfig, *, files: bool = True) -> Iterator[str]:
    """One line per value that is wrong on its own; also what names a file that is not there, unless ``files=False``."""
    yield from _study(config)
    yield from _ranges(config)
    yield from _choices(config)
    yield from _targets(config.tuning.targets)
    yield from _skip(config.quantization.skip)
    yield from _task(config)
    if files:
        yield from _files(config)


def _study(config: TrialConfig) -> Iterator[str]:
    study = config.study
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", study.name) or study.name == SINGLE_TRIALS:
        yield (
            f"study.name={study.name!r}: it names a folder below results/; use letters, digits, '.', '_' and '-', "
            f"starting with a letter or digit (and not {SINGLE_TRIALS!r})"
        )
    if study.n_trials < 1:
        yield f"study.n_trials={study.n_trials}: a study has at least one trial; use 1 or more"
    if not study.objectives:
        yield "study.objectives=[]: a study needs something to optimize; name at least one {name, direction}"
    names = [objective.name for objective in study.objectives]
    for objective in study.objectives:
        if objective.name not in NUMERIC_MEASUREMENTS:
            hint = nearest(objective.name, NUMERIC_MEASUREMENTS)
            yield f"study.objectives: unknown objective {objective.name!r}; {hint}"
        if objective.direction not in ("maximize", "minimize"):
            yield (f"study.objectives: direction {objective.direction!r} of {objective.name}; use maximize or minimize")
    if len(set(names)) < len(names):
        yield f"study.objectives={names}: an objective is named twice; name each once"


def _ranges(config: TrialConfig) -> Iterator[str]:
    train, budget, tuning, data = config.train, config.budget, config.tuning, config.data
    at_least_one = {
        "train.batch_size": train.batch_size,
        "train.max_steps": train.max_steps,
        "tuning.rank": tuning.rank,
        "quantization.skip_count": config.quantization.skip_count,
        "checkpointing.every": config.checkpointing.every,
        "data.num_classes": data.num_classes,
        "data.tile_px": data.tile_px,
        "data.resize_px": data.resize_px,
        "data.check_tiles": data.check_tiles,
        "data.split.block_tiles": data.split.block_tiles,
        "data.synthetic.train": data.synthetic.train,
        "data.synthetic.val": data.synthetic.val,
    }
    for key, value in at_least_one.items():
        if value is not None and value < 1:
            yield f"{key}={value}: it must be at least 1"
    above_zero = {
        "train.lr": train.lr,
        "tuning.alpha_ratio": tuning.alpha_ratio,
        "budget.memory_gib": budget.memory_gib,
        "budget.timeout_s": budget.timeout_s,
        "budget.host_memory_gib": budget.host_memory_gib,
    }
    for key, limit in above_zero.items():
        if limit is not None and not limit > 0:
            yield f"{key}={limit}: it must be above 0" + ("; null means no limit" if key.startswith("budget") else "")
    for key, count in {"train.warmup_steps": train.warmup_steps, "data.workers": data.workers}.items():
        if count < 0:
            yield f"{key}={count}: it can't be negative; use 0 or more"
    yield from _optimizer(config.optimizer)
    if not 0.0 <= tuning.dropout < 1.0:
        yield f"tuning.dropout={tuning.dropout}: it is a probability; use a value in [0, 1)"
    if train.device not in ("auto", "cpu", "cuda"):
        yield f"train.device={train.device!r}: unknown device; use auto, cpu or cuda"


def _optimizer(optimizer: OptimizerConfig) -> Iterator[str]:
    if not optimizer.weight_decay >= 0:
        yield f"optimizer.weight_decay={optimizer.weight_decay}: it can't be negative; use 0 or more"
    if len(optimizer.betas) != 2 or not all(0 <= beta < 1 for beta in optimizer.betas):
        yield f"optimizer.betas={optimizer.betas}: two decay rates in [0, 1) are needed; use for example [0.9, 0.999]"
    if optimizer.min_8bit_size is not None and optimizer.min_8bit_size < 0:
        yield f"optimizer.min_8bit_size={optimizer.min_8bit_size}: it can't be negative; use 0 or more"


def _choices(config: TrialConfig) -> Iterator[str]:
    allowed = {
        "quantization.compute_dtype": (config.quantization.compute_dtype, COMPUTE_DTYPES),
        "precision.matmul": (config.precision.matmul, MATMUL_PRECISIONS),
        "optimizer.implementation": (config.optimizer.implementation, IMPLEMENTATIONS),
        "study.keep_weights": (config.study.keep_weights, KEPT_WEIGHTS),
    }
    for key, (value, values) in allowed.items():
        if value is not None and value not in values:
            yield f"{key}={value}: unknown; {nearest(value, values)}"


def _skip(skip: object) -> Iterator[str]:
    named = isinstance(skip, list) and all(isinstance(name, str) for name in skip)
    if skip != "auto" and not named:
        yield f"quantization.skip={skip}: it names no layers; use auto, or a list of names like [blocks.0]"


def _task(config: TrialConfig) -> Iterator[str]:
    task, data = config.task, config.data
    if task.name not in LOSSES:
        yield f"task.name={task.name}: unknown task; {nearest(task.name, LOSSES)}"
        return
    losses = LOSSES[task.name]
    if task.loss not in losses:
        yield f"task.loss={task.loss}: task={task.name} has no such loss; use {', '.join(losses)}"
        return
    loss, weights = losses[task.loss], task.class_weights
    if task.ignore_index is not None and not loss.ignores:
        able = [name for name, other in losses.items() if other.ignores]
        yield (
            f"task.ignore_index={task.ignore_index} with task.loss={task.loss}: it counts every label; set "
            f"task.ignore_index=null, or use {', '.join(able)}"
        )
    classes = data.num_classes or len(data.class_names or ())
    if classes == 1 and task.name != "regression":
        yield f"data.num_classes=1 with task={task.name}: there is nothing to tell apart; count the background, too"
    if weights is None:
        return
    if not loss.weighs:
        able = [name for name, other in losses.items() if other.weighs]
        way_out = f"task.loss={able[0]}, or " if able else ""
        yield f"task.class_weights with task={task.name} and task.loss={task.loss}: it takes none; use {way_out}null"
        return
    if not all(0 < weight < math.inf for weight in weights):
        yield f"task.class_weights={weights}: a weight must be above 0 and finite"
    if classes and len(weights) != classes:
        yield f"task.class_weights has {len(weights)} values for {classes} classes; give one weight per class, or null"


def _targets(targets: object) -> Iterator[str]:
    if targets is None:
        return
    if isinstance(targets, str):
        if targets not in TARGET_PRESETS:
            yield (
                f"tuning.targets={targets}: unknown preset; {nearest(targets, TARGET_PRESETS)} "
                "(a list, like [attn.qkv], names layers)"
            )
    elif not isinstance(targets, list) or not targets or not all(isinstance(name, str) for name in targets):
        yield f"tuning.targets={targets}: it names no layer; use {', '.join(TARGET_PRESETS)}, or a list of layer names"


def _files(config: TrialConfig) -> Iterator[str]:
    data, backbone, nvme = config.data, config.backbone, config.offload.nvme_path
    if nvme is not None and not (absolute(nvme).is_dir() and os.access(absolute(nvme), os.W_OK)):
        yield f"offload.nvme_path={nvme}: there is no such folder that can be written; give an existing one"
    if backbone.checkpoint == "synthetic":
        if data.name != "synthetic":
            yield (
                f"backbone.checkpoint=synthetic with data={data.name}: it is pretrained on synthetic tiles; "
                "give a file, or set backbone.pretrained=true"
            )
    elif backbone.checkpoint is not None and not absolute(backbone.checkpoint).is_file():
        yield f"backbone.checkpoint={backbone.checkpoint}: there is no such file; give an existing one or null"
    if backbone.checkpoint is not None and backbone.pretrained:
        yield "backbone.pretrained=true with backbone.checkpoint: weights come from one place; set one of them"
