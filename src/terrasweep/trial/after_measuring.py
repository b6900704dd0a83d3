"""What a trial's process does once everything is measured; a failure here costs what it makes, and never the trial."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch

from terrasweep.data.open.split_data import OpenData
from terrasweep.measure.flops import FLOPS_PER_STEP, MODEL_FLOPS_PER_SAMPLE, StepFlops, count_step_flops
from terrasweep.models.assemble import BuiltModel
from terrasweep.models.trained_weights import save_weights
from terrasweep.predict.memory_needs import ModelCounts
from terrasweep.predict.zero_estimates import plan_metrics
from terrasweep.process.child import Report
from terrasweep.results.errors import first_line
from terrasweep.training.batch_entries import batch_size


def save(report: Report, folder: Path, model: BuiltModel, data: OpenData) -> None:
    """Keep what was trained; a failure, on a full disk for example, costs the weights alone, and is told."""
    try:
        save_weights(folder, model, data.num_classes)
    except Exception as error:  # noqa: BLE001 - what was measured stays
        print(f"the weights are not saved: {type(error).__name__}: {error}")
        report(remarks={"weights": f"its weights are not saved: {type(error).__name__}: {first_line(error)}"})


def report_plan(report: Report, counts: ModelCounts, device: torch.device) -> None:
    """What DeepSpeed's estimators say, also of a trial that ran out of memory.

    After the training: importing them takes a second, and would disturb a measurement.
    """
    try:
        report(plan=plan_metrics(counts, device))
    except Exception as error:  # noqa: BLE001 - what was measured stays
        print(f"the ZeRO estimates are absent: {type(error).__name__}: {error}")


def report_flops(report: Report, task: Any, data: OpenData, device: torch.device) -> None:
    """One more step; everything is measured by then, so a failure costs these numbers alone."""
    try:
        report(measurements=_flops(task, data, device))
    except Exception as error:  # noqa: BLE001 - what was measured stays
        print(f"{FLOPS_PER_STEP.name} is absent: {type(error).__name__}: {error}")


def _flops(task: Any, data: OpenData, device: torch.device) -> dict[str, float]:
    batch = data.training_batch(device)
    task.to(device)  # The trainer has sent it to the CPU.
    task.train()
    task.log = lambda *_, **__: None  # There is no trainer behind this step.
    step = sum((count_step_flops(partial(task.part_loss, part)) for part, _ in task.parts(batch)), StepFlops())
    return {FLOPS_PER_STEP.name: step.total, MODEL_FLOPS_PER_SAMPLE.name: step.of_model / batch_size(batch)}
