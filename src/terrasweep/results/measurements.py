"""Everything a trial measures."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass


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


MEASUREMENT_NAMES: tuple[str, ...] = tuple(f.name for f in dataclasses.fields(Measurements))


NUMERIC_MEASUREMENTS: tuple[str, ...] = tuple(n for n in MEASUREMENT_NAMES if n != "accuracy_name")
