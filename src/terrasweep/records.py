"""What leaves a trial: its state, its reason and its measurements.

Sampler, tracking, Pareto front and report read only :class:`TrialResult`. It goes to JSON and back unchanged.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1
"""Raised whenever a field of TrialResult changes its meaning or its name."""


class State(StrEnum):
    """How a trial ended."""

    COMPLETE = "complete"
    INFEASIBLE = "infeasible"
    PRUNED = "pruned"
    FAILED = "failed"


class Reason(StrEnum):
    """Why a trial did not complete."""

    PREDICTED_OOM = "predicted_oom"
    OOM_DEVICE = "oom_device"
    OOM_HOST = "oom_host"
    OVER_BUDGET = "over_budget"
    TIMEOUT = "timeout"
    DIVERGED = "diverged"
    PRUNER = "pruner"
    CRASHED = "crashed"
    DATA_ERROR = "data_error"
    INVALID_CONFIG = "invalid_config"
    INTERRUPTED = "interrupted"

    @property
    def state(self) -> State:
        """The state that this reason leads to."""
        if self is Reason.PRUNER:
            return State.PRUNED
        failed = {Reason.CRASHED, Reason.DATA_ERROR, Reason.INVALID_CONFIG, Reason.INTERRUPTED}
        return State.FAILED if self in failed else State.INFEASIBLE


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """Everything a trial measures. Absent is None, never 0; 1 MiB is 2**20 bytes."""

    accuracy: float | None = None
    """The task's validation metric, in [0, 1] (for regression R2, at most 1)."""
    throughput_samples_per_s: float | None = None
    """Sum of samples over sum of seconds of the timed training steps; warm-up and validation excluded."""
    peak_memory_mib: float | None = None
    """Peak over training and evaluation: reserved by torch's allocator on CUDA, resident-set growth on a CPU."""
    accuracy_name: str | None = None
    """Name of the metric behind ``accuracy``, for example mIoU."""
    peak_build_mib: float | None = None
    """The same peak over the build alone, which passes through the full-precision weights."""
    peak_allocated_mib: float | None = None
    """CUDA: peak that torch's tensors occupied over training and evaluation."""
    peak_process_vram_mib: float | None = None
    """CUDA: peak of the process's VRAM as NVML sees it, context included."""
    peak_host_memory_mib: float | None = None
    """High-water mark of the whole process's resident set, libraries included."""
    allocator_retries: float | None = None
    """CUDA: how often torch's allocator had to free its cache and try again."""
    step_time_p50_s: float | None = None
    step_time_p95_s: float | None = None
    step_time_p99_s: float | None = None
    data_wait_share: float | None = None
    """Share of the timed seconds spent between steps, waiting for data, in [0, 1]."""
    trainable_parameters: int | None = None
    total_parameters: int | None = None
    """Parameters of the model, packed low-bit weights counted by their logical number."""
    weight_bytes: int | None = None
    """Bytes of all parameters and buffers as they are stored, quantization constants included."""
    gradient_bytes: int | None = None
    """Bytes of the trainable parameters' gradients, counted."""
    optimizer_bytes: int | None = None
    """Bytes of the optimizer's state, counted by the optimizer's own rules."""
    train_loss: float | None = None
    """Loss of the last training step."""
    train_seconds: float | None = None
    """Seconds of the timed training steps."""
    wall_seconds: float | None = None
    """Seconds from the request for the trial to its answer, process start included."""
    open_data_seconds: float | None = None
    build_seconds: float | None = None
    fit_seconds: float | None = None
    """Seconds of the training loop with warm-up and the trainer's own set-up."""
    evaluate_seconds: float | None = None
    energy_joules: float | None = None
    """CUDA: energy of the board over training and evaluation, where NVML gives it."""
    flops_per_step: float | None = None
    """Floating-point operations of one training step (forward and backward), by torch's FlopCounterMode."""


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """The whole outcome of one trial."""

    number: int | None
    """Optuna's trial number; None for a single trial outside a study."""
    state: State
    reason: Reason | None = None
    message: str = ""
    """One line for a person: what went wrong, and where known the way out."""
    violation: float | None = None
    """For an infeasible trial, the miss relative to the limit; None if it isn't known."""
    measurements: Measurements = field(default_factory=Measurements)
    metrics: dict[str, float] = field(default_factory=dict)
    """The task's other validation metrics, for example per-class IoU."""
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    """Learning curves: name to (step, value) pairs."""
    touched: dict[str, list[str]] = field(default_factory=dict)
    """Names of the modules that were split, quantized, adapted and checkpointed, and what was offloaded."""
    sensitivity: dict[str, float] = field(default_factory=dict)
    """For ``quantization.skip=auto``: per linear layer the relative error of the model's output when this layer alone
    is quantized, the largest first. The first ``quantization.skip_count`` stayed in full precision."""
    plan: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    """DeepSpeed's estimates of the model states for every offload: ``zero3_offload_parameters_gpu_mib`` and the like to
    pairs of GPUs and MiB."""
    searched: dict[str, Any] = field(default_factory=dict)
    """The searched keys and the values this trial had."""
    config: dict[str, Any] = field(default_factory=dict)
    """The resolved configuration."""
    device: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    commit: str = ""
    """Git commit of the project, with ``-dirty`` where files were changed; empty outside a repository."""
    started: str = ""
    """ISO 8601 time, UTC."""
    schema_version: int = SCHEMA_VERSION

    def value(self, name: str) -> float | None:
        """A measurement or metric by name, None where it is absent."""
        value = getattr(self.measurements, name, None)
        if value is None:
            value = self.metrics.get(name)
        return float(value) if isinstance(value, int | float) else None

    def objective_values(self, names: list[str]) -> list[float] | None:
        """The objectives' values of a complete trial, None for any other."""
        values = [self.value(name) for name in names]
        if self.state is not State.COMPLETE or any(value is None for value in values):
            return None
        return [value for value in values if value is not None]

    def to_json(self) -> str:
        """The result as strict JSON (a value that is not finite is refused)."""
        return json.dumps(dataclasses.asdict(self), indent=2, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> TrialResult:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: The text is no result, or one of a newer schema version.
        """
        fields = json.loads(text)
        if fields["schema_version"] > SCHEMA_VERSION:
            raise ValueError(f"result has schema version {fields['schema_version']}, newer than {SCHEMA_VERSION}")
        fields["state"] = State(fields["state"])
        fields["reason"] = fields["reason"] and Reason(fields["reason"])
        fields["measurements"] = Measurements(**fields["measurements"])
        for curves in ("curves", "plan"):
            fields[curves] = {
                name: [(step, value) for step, value in curve] for name, curve in fields.get(curves, {}).items()
            }
        return cls(**fields)


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A measurement or metric to optimize."""

    name: str
    direction: str
    """``maximize`` or ``minimize``."""

    @property
    def maximize(self) -> bool:
        """Whether more is better."""
        return self.direction == "maximize"


@dataclass(frozen=True, kw_only=True)
class StudyRecord:
    """What is fixed at a study's start; stored beside its trials as ``study.json``."""

    name: str
    n_trials: int
    objectives: list[Objective]
    space: dict[str, str]
    """Searched keys and the text of their ranges, conditions included."""
    overrides: list[str]
    """Overrides from the command line that hold for every trial."""
    sampler: str
    seed: int
    storage: str
    """Optuna storage URL without its password; ``optuna.db`` for the file beside this one."""
    tracking_uri: str
    """Without its password."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What was fixed when the study started: dotted key to value, the searched keys included with their defaults."""
    environment: dict[str, str]
    """Machine, device and versions of the process that started the study."""
    started: str
    """ISO 8601 time, UTC."""
    reference: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Per objective the worst value that counts for the hypervolume and the scale it is divided by."""
    data: dict[str, Any] = field(default_factory=dict)
    """The data set as :func:`terrasweep.data.checks.describe` gives it; empty where it was not looked at."""
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> str:
        """The record as strict JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> StudyRecord:
        """Read what :meth:`to_json` wrote."""
        fields = json.loads(text)
        fields["objectives"] = [Objective(**objective) for objective in fields["objectives"]]
        fields["reference"] = {name: (worst, scale) for name, (worst, scale) in fields["reference"].items()}
        return cls(**fields)


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that a reader sees the old content or the new, never a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


MEASUREMENT_NAMES: tuple[str, ...] = tuple(f.name for f in dataclasses.fields(Measurements))
NUMERIC_MEASUREMENTS: tuple[str, ...] = tuple(n for n in MEASUREMENT_NAMES if n != "accuracy_name")
