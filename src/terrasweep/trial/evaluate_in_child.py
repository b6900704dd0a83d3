"""What runs in a child once a search is over: a trial's kept weights are evaluated on the test split."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from terrasweep.config.knobs.offload import OffloadConfig
from terrasweep.config.schema import TrialConfig
from terrasweep.data.open.folders import open_test
from terrasweep.data.open.split_data import OpenData
from terrasweep.machine.arithmetic import set_arithmetic
from terrasweep.machine.device import device_name, select_device
from terrasweep.measure.accuracy import TEST_PREFIX, read_accuracy
from terrasweep.models.assemble import BuiltModel
from terrasweep.models.trained_weights import restore
from terrasweep.process.child import Report
from terrasweep.training.tasks import build_task
from terrasweep.training.trainer import build_trainer, evaluate


def evaluate_test(report: Report, config: TrialConfig, trial: Path) -> None:
    """Evaluate a trial's weights on the test split, in the trial's precision, as its validation split was.

    Reports ``precision``, ``device``, ``samples``, ``accuracy``, and the other ``metrics`` by names that say test.

    Args:
        report: Takes them.
        config: The trial's configuration.
        trial: The folder with its weights.

    Raises:
        TerrasweepError: Data or weights are not what they were, or no label counts.
    """
    pl.seed_everything(config.train.seed, verbose=False)
    device = evaluation_device(config)
    evaluated = as_evaluated(config, device)
    data = open_test(config)
    set_arithmetic(evaluated.precision.matmul)  # After all imports, a datamodule of the user's included.
    model = restore(trial, evaluated, device)
    task = build_task(evaluated, model, data)
    report(device=device_name(device), precision=evaluated.precision.name, samples=data.module.evaluated_samples)
    accuracy, metrics = evaluated_accuracy(evaluated, model, task, data, device, TEST_PREFIX)
    report(accuracy=accuracy, metrics=metrics)


def evaluation_device(config: TrialConfig) -> torch.device:
    """Where a trial's whole model fits: on the host, where its parameters were offloaded."""
    return select_device("cpu" if config.offload.name in ("parameters", "nvme") else config.train.device)


def as_evaluated(config: TrialConfig, device: torch.device) -> TrialConfig:
    """A trial's configuration for an evaluation by itself: no training, no offload, and no fp16 on a CPU."""
    # How many steps an epoch has, only a training split would tell.
    untrained = replace(config.train, max_steps=1, epochs=None, validate_every=None)
    config = replace(config, offload=OffloadConfig(name="none"), train=untrained)
    if device.type == "cpu" and config.precision.name == "fp16":
        return replace(config, precision=replace(config.precision, name="fp32", lightning="32-true"))
    return config


def evaluated_accuracy(
    config: TrialConfig, model: BuiltModel, task: Any, data: OpenData, device: torch.device, prefix: str
) -> tuple[float, dict[str, float]]:
    """The accuracy of a model on what its data give as the split to evaluate, and the other metrics.

    Args:
        config: From :func:`as_evaluated`.
        model: What is evaluated.
        task: TerraTorch's task around it.
        data: What it is evaluated on.
        device: Where the model is.
        prefix: Of the metrics' names: which split it is.

    Raises:
        Crashed: The metric is undefined on these data.
    """
    logged = evaluate(build_trainer(config, device, [], model, data, Path()), task, data)
    return read_accuracy(logged, config.task.accuracy, config.task.name, prefix)
