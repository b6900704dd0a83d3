"""What runs in the child: prepare what trials share, and measure one trial from its data to its accuracy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from terrasweep.config.knobs.offload import ZERO
from terrasweep.config.schema import TrialConfig
from terrasweep.data.open.folders import open_data
from terrasweep.data.open.split_data import OpenData
from terrasweep.data.prepare import prepare_data, write_survey
from terrasweep.machine.arithmetic import arithmetic_settings, set_arithmetic
from terrasweep.machine.device import device_name, select_device
from terrasweep.measure.accuracy import ACCURACY, ACCURACY_NAME, read_accuracy
from terrasweep.measure.catalog import budget_peaks, meters_for, of_build
from terrasweep.measure.disturbance import DISTURBED, disturbance
from terrasweep.measure.durations import BUILD_SECONDS, EVALUATE_SECONDS, FIT_SECONDS, OPEN_DATA_SECONDS
from terrasweep.measure.host_memory import trimmed_resident_mib
from terrasweep.measure.learning_curves import LEARNING_RATE
from terrasweep.measure.measurement import Measurement
from terrasweep.measure.meter import MeteredTrial, Phase, metered, readings
from terrasweep.measure.model_sizes import TOTAL_PARAMETERS, TRAINABLE_PARAMETERS, WEIGHT_BYTES
from terrasweep.measure.throughput import TRAIN_SECONDS
from terrasweep.measure.train_loss import TRAIN_LOSS
from terrasweep.measure.training_length import KEPT_EPOCHS, KEPT_SAMPLES, KEPT_SECONDS, KEPT_STEPS
from terrasweep.models.assemble import BuiltModel, build_model
from terrasweep.models.batch_statistics import describe_parts, takes_batch_statistics
from terrasweep.models.offload.extensions import are_compiled
from terrasweep.models.offload.zero import compile_extensions, import_deepspeed
from terrasweep.models.pretrained import synthetic
from terrasweep.predict.count_states import count_built, state_bytes
from terrasweep.process.child import Report
from terrasweep.results.errors import InvalidConfig
from terrasweep.training.confusion import named_confusion
from terrasweep.training.optimizers import describe_idle_decay
from terrasweep.training.tasks import build_task
from terrasweep.training.trainer import StepClock, build_trainer, evaluate, fit
from terrasweep.training.validation import LearningCurve
from terrasweep.trial.after_measuring import report_flops, report_plan, save
from terrasweep.trial.budget import check_budget, limit_device_memory
from terrasweep.trial.judged_training import judge_of
from terrasweep.trial.probe import ProbeFirst, as_probe


def measure(report: Report, config: TrialConfig, folder: Path, probe: bool = False, cost_key: str = "") -> None:
    """Open the data, build, train, evaluate and count, and report each measurement as soon as there is one.

    Args:
        report: Takes what is known.
        config: The trial.
        folder: Takes the files that a trial leaves: DeepSpeed's settings, the trained weights.
        probe: Whether memory and speed are all that is wanted: the first steps are, and some batches' evaluation.
        cost_key: Of the trial, for the sweep that may end its training early.

    Raises:
        TerrasweepError: The trial ended early, for the reason it carries.
    """
    config = as_probe(config) if probe else config
    print(f"{'probing memory and speed' if probe else 'training'} for {config.train.length}", flush=True)
    device = select_device(config.train.device)
    if device.type == "cpu" and config.precision.name == "fp16":
        raise InvalidConfig("precision=fp16: torch sees no CUDA device, and a CPU would train in bf16; use bf16")
    report(device=device_name(device))
    pl.seed_everything(config.train.seed, workers=True, verbose=False)
    _limit_memory(device, config)
    with _timed(report, OPEN_DATA_SECONDS):
        data = open_data(config)
    if config.offload.name in ZERO:
        import_deepspeed(device)
    # After all imports, a datamodule of the user's included.
    report(arithmetic=set_arithmetic(config.precision.matmul))
    warmup = config.train.untimed_steps
    metering = MeteredTrial(device=device, baseline_mib=trimmed_resident_mib(), untimed_steps=warmup)
    model = _build(report, config, data, metering)
    counts = count_built(model.module)
    report(measurements=state_bytes(counts, config.optimizer))
    report(batch_statistics=takes_batch_statistics(model.module))
    report(remarks=_remarks(config, model))
    task = build_task(config, model, data)
    try:
        _train(report, config, Setting(task, model, data, metering, folder, cost_key), probe=probe)
        if config.keeps_weights:
            save(report, folder, model, data)
    finally:
        report_plan(report, counts, device)
    if config.train.count_flops:
        report_flops(report, task, data, device)


def _remarks(config: TrialConfig, model: BuiltModel) -> dict[str, str]:
    """What a trial's message says of settings that are no mistake, and not what one may think: subject to line."""
    lines = {
        "batch statistics": describe_parts(config, model.module),
        "layer decay": describe_idle_decay(model.module, config.train),
    }
    return {subject: line for subject, line in lines.items() if line}


@dataclass(frozen=True)
class Setting:
    """What is trained, with what, and what its meters have to know."""

    task: Any
    model: BuiltModel
    data: OpenData
    metering: MeteredTrial
    folder: Path
    cost_key: str = ""


def _train(report: Report, config: TrialConfig, setting: Setting, *, probe: bool) -> None:
    """Train and evaluate, metered."""
    device, phases = setting.metering.device, (Phase.TRAINING, Phase.EVALUATION, Phase.TRAINING_AND_EVALUATION)
    training, evaluation, both = (meters_for(phase, setting.metering) for phase in phases)
    glimpse = meters_for(Phase.EVALUATION, setting.metering)
    meters = [*training, *evaluation, *both]
    clock = StepClock(training, device)
    told = judge_of(config, setting.folder, setting.cost_key, lambda: readings([*meters, *glimpse]))
    curve = LearningCurve(config, lambda: readings(training).get(TRAIN_SECONDS.name) or 0.0, told)

    def judge() -> None:
        seen = readings([*training, *glimpse])
        report(measurements=seen)
        check_budget(budget_peaks(seen), config.budget)

    first = ProbeFirst(config, setting.data, training, glimpse, judge)
    batches = config.probe.evaluation_batches if probe else None
    trainer = build_trainer(config, device, [clock, curve, first], setting.model, setting.data, setting.folder, batches)

    def validate() -> dict[str, float]:
        with _timed(report, EVALUATE_SECONDS):
            return evaluate(trainer, setting.task, setting.data)

    try:
        with metered(both):
            with metered(training), _timed(report, FIT_SECONDS):
                fit(trainer, setting.task, setting.data, clock)
            with metered(evaluation):
                logged = curve.conclude(setting.task, len(clock.losses), validate)
    finally:
        # Also for a trial that ends here: what it measured so far is knowledge.
        curves = {TRAIN_LOSS.name: clock.losses, LEARNING_RATE: clock.learning_rates} | curve.curves()
        measured = readings(meters)
        report(measurements={**measured, DISTURBED.name: disturbance(measured)}, curves=curves)
        report(arithmetic=arithmetic_settings())
        if clock.losses:
            report(measurements={TRAIN_LOSS.name: clock.losses[-1][1], **_behind(clock, curve, setting.data)})
    if not probe:
        accuracy, metrics = read_accuracy(logged, config.task.accuracy, config.task.name)
        report(measurements={ACCURACY.name: accuracy, ACCURACY_NAME.name: config.task.accuracy_name}, metrics=metrics)
        report(confusion=named_confusion(config.task.name, setting.task.confusion, setting.data))
    check_budget(budget_peaks(readings(meters)), config.budget)
    report(measured=True)  # What follows is an extra, and can't undo a measured trial.


def _behind(clock: StepClock, curve: LearningCurve, data: OpenData) -> dict[str, float | None]:
    """The training behind the state that is kept."""
    steps = curve.kept_steps(len(clock.losses))
    return {
        KEPT_STEPS.name: steps,
        KEPT_EPOCHS.name: steps / data.batches_per_epoch,
        KEPT_SAMPLES.name: sum(clock.samples[:steps]),
        KEPT_SECONDS.name: curve.kept_seconds(len(clock.losses)),
    }


def prepare(report: Report, config: TrialConfig) -> None:
    """Make what :func:`terrasweep.trial.made_once.missing` named."""
    is_pretrained = config.backbone.checkpoint == "synthetic" and not synthetic.pretrained_file(config).is_file()
    if is_pretrained or config.offload.name == "nvme":
        device = select_device(config.train.device)  # Before anything is made for a device that is not there.
    prepare_data(config, partial(_tell, report))
    if config.offload.name == "nvme" and not are_compiled(device.type):
        compile_extensions(device)
    if is_pretrained:
        from terrasweep.trial.pretrain_synthetic import pretrain

        pretrain(config)


def survey(report: Report, config: TrialConfig) -> None:
    """Look at data that a trial would take as it is."""
    write_survey(config, partial(_tell, report))


def _tell(report: Report, what: str, done: int, total: int) -> None:
    report(progress={"what": what, "done": done, "total": total})


def _build(report: Report, config: TrialConfig, data: OpenData, metering: MeteredTrial) -> BuiltModel:
    meters, device = meters_for(Phase.BUILD, metering), metering.device
    with metered(meters), _timed(report, BUILD_SECONDS):
        model = build_model(config, data.num_classes, device, _calibration_images(config, data, device))
    sizes = {
        TRAINABLE_PARAMETERS.name: model.trainable_parameters,
        TOTAL_PARAMETERS.name: model.total_parameters,
        WEIGHT_BYTES.name: model.weight_bytes,
    }
    reading = readings(meters)
    report(measurements={**of_build(reading), **sizes}, touched=model.touched, sensitivity=model.sensitivity)
    check_budget(budget_peaks(reading), config.budget)
    return model


def _limit_memory(device: torch.device, config: TrialConfig) -> None:
    if device.type == "cuda":
        from terrasweep.measure.board import context_mib

        limit_device_memory(device, config.budget, context_mib(device))


def _calibration_images(
    config: TrialConfig, data: OpenData, device: torch.device
) -> torch.Tensor | dict[str, torch.Tensor] | None:
    if config.quantization.skip != "auto" and config.tuning.initialisation != "eva":
        return None
    images: torch.Tensor | dict[str, torch.Tensor] = data.training_batch(device)["image"]
    return images


@contextmanager
def _timed(report: Report, duration: Measurement) -> Iterator[None]:
    started = time.perf_counter()
    yield
    report(measurements={duration.name: time.perf_counter() - started})
