"""What runs in the child: prepare what trials share, and measure one trial from its data to its accuracy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from terrasweep.config.knobs.offload import ZERO
from terrasweep.config.schema import TrialConfig
from terrasweep.data import stored
from terrasweep.data.open.folders import OpenData, open_data
from terrasweep.data.prepare import make_survey, prepare_data
from terrasweep.machine.arithmetic import float32_settings, set_float32_precision
from terrasweep.machine.device import device_name, select_device
from terrasweep.machine.files import write_atomically
from terrasweep.measure.accuracy import read_accuracy
from terrasweep.measure.memory import DeviceMemoryMeter, HostMemoryMeter, exact_steps, settle
from terrasweep.measure.meter import Meter, metered, readings
from terrasweep.measure.throughput import ThroughputMeter
from terrasweep.models.assemble import BuiltModel, build_model
from terrasweep.models.offload.extensions import are_compiled
from terrasweep.models.offload.zero import compile_extensions, import_deepspeed
from terrasweep.models.pretrained import synthetic
from terrasweep.predict.count_states import count_built, state_bytes
from terrasweep.process.child import Report
from terrasweep.results.errors import InvalidConfig
from terrasweep.training.tasks import build_task
from terrasweep.training.trainer import StepClock, build_trainer, evaluate, fit
from terrasweep.trial.after_measuring import report_flops, report_plan, save
from terrasweep.trial.budget import check_budget, limit_device_memory


def measure(report: Report, config: TrialConfig, folder: Path) -> None:
    """Open the data, build, train, evaluate and count, and report each measurement as soon as there is one.

    Args:
        report: Takes what is known.
        config: The trial.
        folder: Takes the files that a trial leaves: DeepSpeed's settings, the trained weights.

    Raises:
        TerrasweepError: The trial ended early, for the reason it carries.
    """
    device = select_device(config.train.device)
    if device.type == "cpu" and config.precision.name == "fp16":
        raise InvalidConfig("precision=fp16: torch sees no CUDA device, and a CPU would train in bf16; use bf16")
    report(device=device_name(device))
    pl.seed_everything(config.train.seed, workers=True, verbose=False)
    _limit_memory(device, config)
    with _timed(report, "open_data_seconds"):
        data = open_data(config)
    if config.offload.name in ZERO:
        import_deepspeed(device)
    # After all imports, a datamodule of the user's included.
    report(arithmetic=set_float32_precision(config.precision.matmul))
    baseline = settle()
    model = _build(report, config, data, device, baseline)
    counts = count_built(model.module)
    report(measurements=state_bytes(counts, config.optimizer))
    task = build_task(config, model, data)
    try:
        _train(report, config, Setting(task, model, data, device, baseline, folder))
        if _weights_are_wanted(config):
            save(folder, model, data)
    finally:
        report_plan(report, counts, device)
    if config.train.count_flops:
        report_flops(report, task, data, device)


@dataclass(frozen=True)
class Setting:
    """What is trained, with what, where, and from which resident set its memory is counted."""

    task: Any
    model: BuiltModel
    data: OpenData
    device: torch.device
    baseline_mib: float
    folder: Path


def _train(report: Report, config: TrialConfig, setting: Setting) -> None:
    """Train and evaluate, metered."""
    device, warmup = setting.device, config.train.warmup_steps
    peak = "peak_memory_mib"
    training = [*_memory_meters(peak, device, setting.baseline_mib, exact_steps(warmup)), ThroughputMeter(warmup)]
    evaluation = _memory_meters(peak, device, setting.baseline_mib)
    board = _board_meters(device)
    meters = [*training, *evaluation, *board]
    clock = StepClock(training, device)
    trainer = build_trainer(config, device, [clock], setting.model, setting.folder)
    try:
        with metered(board):
            with metered(training), _timed(report, "fit_seconds"):
                fit(trainer, setting.task, setting.data, clock)
            with metered(evaluation), _timed(report, "evaluate_seconds"):
                logged = evaluate(trainer, setting.task, setting.data)
    finally:
        # Also for a trial that ends here: what it measured so far is knowledge.
        report(measurements=readings(meters), curves={"train_loss": clock.losses}, arithmetic=float32_settings())
        if clock.losses:
            report(measurements={"train_loss": clock.losses[-1][1]})
    accuracy, metrics = read_accuracy(logged, config.task.accuracy, config.task.name)
    report(measurements={"accuracy": accuracy, "accuracy_name": config.task.accuracy_name}, metrics=metrics)
    peaks = readings(meters)
    check_budget({n: peaks.get(n) for n in (peak, "peak_process_vram_mib")}, config.budget)
    report(measured=True)  # What follows is an extra, and can't undo a measured trial.


def prepare(report: Report, config: TrialConfig) -> None:
    """Make what :func:`terrasweep.trial.made_once.missing` named."""
    prepare_data(config)
    if config.offload.name == "nvme":
        device = select_device(config.train.device)
        if not are_compiled(device.type):
            compile_extensions(device)
    if config.backbone.checkpoint == "synthetic" and not synthetic.pretrained_file(config).is_file():
        from terrasweep.trial.pretrain_synthetic import pretrain

        pretrain(config)


def survey(report: Report, config: TrialConfig) -> None:
    """Look at data that a trial would take as it is."""
    write_atomically(stored.survey_file(config), make_survey(config).to_json())


def _build(
    report: Report, config: TrialConfig, data: OpenData, device: torch.device, baseline_mib: float
) -> BuiltModel:
    meters = [*_memory_meters("peak_build_mib", device, baseline_mib), *_board_meters(device)]
    with metered(meters), _timed(report, "build_seconds"):
        model = build_model(config, data.num_classes, device, _calibration_images(config, data, device))
    peak = readings(meters).get("peak_build_mib")
    sizes = {
        "trainable_parameters": model.trainable_parameters,
        "total_parameters": model.total_parameters,
        "weight_bytes": model.weight_bytes,
    }
    report(measurements={"peak_build_mib": peak, **sizes}, touched=model.touched, sensitivity=model.sensitivity)
    check_budget(
        {"peak_build_mib": peak, "peak_process_vram_mib": readings(meters).get("peak_process_vram_mib")}, config.budget
    )
    return model


def _memory_meters(name: str, device: torch.device, baseline_mib: float, exact: int | None = None) -> list[Meter]:
    if device.type == "cpu":
        return [HostMemoryMeter(name, baseline_mib, exact)]
    return [DeviceMemoryMeter(name, device), HostMemoryMeter(None, baseline_mib, 0)]


def _board_meters(device: torch.device) -> list[Meter]:
    if device.type == "cpu":
        return []
    from terrasweep.measure.board import BoardMeter

    return [BoardMeter(device)]


def _limit_memory(device: torch.device, config: TrialConfig) -> None:
    if device.type == "cuda":
        from terrasweep.measure.board import context_mib

        limit_device_memory(device, config.budget, context_mib(device))


def _calibration_images(
    config: TrialConfig, data: OpenData, device: torch.device
) -> torch.Tensor | dict[str, torch.Tensor] | None:
    if config.quantization.skip != "auto":
        return None
    images: torch.Tensor | dict[str, torch.Tensor] = data.training_batch(device)["image"]
    return images


@contextmanager
def _timed(report: Report, name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    report(measurements={name: time.perf_counter() - started})


def _weights_are_wanted(config: TrialConfig) -> bool:
    """Whether a trial writes its weights: not where the study would remove them in any case."""
    return config.train.save_weights and config.study.keep_weights != "none"
