"""How values, names and states read in the report. Rounding happens here alone: tables keep every digit."""

from __future__ import annotations

import re
from typing import Any

from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult

STATE_COLOURS = {
    State.COMPLETE: "#0072B2",
    State.INFEASIBLE: "#E69F00",
    State.PRUNED: "#7A7A7A",
    State.FAILED: "#D55E00",
}
"""From the palette of Okabe and Ito (2008), which people with any colour vision tell apart."""
KNEE_COLOUR = "#CC79A7"
"""Reddish purple of the same palette."""
ABSENT = "-"
"""What stands for a value that isn't there, where a reader would wonder about an empty place."""

UNITS = {
    "samples_per_s": "samples/s",
    "mib": "MiB",
    "s": "s",
    "seconds": "s",
    "joules": "J",
    "bytes": "bytes",
}
"""A measurement's name ends in its unit."""

DEFINITIONS = {
    "accuracy": "The task's validation metric, in [0, 1]; R² for regression.",
    "throughput_samples_per_s": "Σ samples / Σ seconds over the timed training steps: warm-up and validation excluded, "
    "optimizer step and the wait for data included, device synchronised at both ends.",
    "peak_memory_mib": "Peak over training and evaluation. On CUDA what torch's allocator reserved; on a CPU the "
    "resident set's high-water mark above the resident set before the build; data-loader workers apart.",
    "peak_build_mib": "The same peak over the build alone, which passes through the full-precision weights. It has to "
    "fit the budget as well.",
    "peak_allocated_mib": "Peak that torch's tensors occupied over training and evaluation (CUDA).",
    "peak_process_vram_mib": "Peak of the process's video memory as NVML sees it, CUDA context included.",
    "peak_host_memory_mib": "High-water mark of the whole process's resident set, libraries included.",
    "allocator_retries": "How often torch's allocator had to free its cache and try again (CUDA).",
    "data_wait_share": "Share of the timed seconds spent between steps, waiting for data.",
    "step_time_p50_s": "Median duration of a timed step.",
    "trainable_parameters": "Parameters that the optimizer updates.",
    "total_parameters": "Parameters of the model; packed low-bit weights count by their logical number.",
    "weight_bytes": "Bytes of all parameters and buffers as stored, quantization constants included.",
    "gradient_bytes": "Bytes of the trainable parameters' gradients, counted.",
    "optimizer_bytes": "Bytes of the optimizer's state, counted.",
    "train_loss": "Loss of the last training step.",
    "train_seconds": "Seconds of the timed training steps.",
    "wall_seconds": "Seconds from the request for the trial to its answer, process start included.",
    "energy_joules": "Energy of the board over training and evaluation, where NVML gives it.",
    "flops_per_step": "Floating-point operations of one training step, forward and backward.",
}


def label(name: str, accuracy_name: str | None = None) -> str:
    """A measurement's name for an axis or a column: ``peak memory (MiB)``, ``accuracy (mIoU)``.

    Args:
        name: A field of Measurements, or a metric, whose name stays as it is.
        accuracy_name: The metric behind ``accuracy``.
    """
    if name == "accuracy":
        return f"accuracy ({accuracy_name})" if accuracy_name and accuracy_name != name else name
    if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+", name):
        return name
    for suffix, unit in UNITS.items():
        if name.endswith(f"_{suffix}"):
            words = name.removesuffix(f"_{suffix}").replace("_", " ")
            return f"{words} time (s)" if suffix == "seconds" else f"{words} ({unit})"
    return name.replace("_", " ")


def plain_label(name: str) -> str:
    """The name alone: ``peak memory``."""
    return label(name).removesuffix(f" ({unit(name)})")


def unit(name: str) -> str:
    """The unit in a measurement's name, empty where it has none."""
    return next((unit for suffix, unit in UNITS.items() if name.endswith(f"_{suffix}")), "")


def rounded(value: float | int | None) -> str:
    """A number with four significant digits, thousands separated; a dash where it is absent."""
    if value is None:
        return ABSENT
    if isinstance(value, int) or 1000 <= abs(value) < 1e12:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def aligned(value: float) -> str:
    """As :func:`rounded`, with the zeros that make a column's digits stand below each other."""
    return f"{value:#.4g}" if 1e-3 <= abs(value) < 1000 else rounded(value)


def with_unit(name: str, value: float | None) -> str:
    """A rounded number and its unit: ``3,120 MiB``."""
    return f"{rounded(value)} {unit(name)}".rstrip() if value is not None else ABSENT


def shown(value: Any) -> str:
    """Any value of a table for a reader."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return rounded(value) if isinstance(value, float) else str(value)


def trial_name(result: TrialResult) -> str:
    """``trial 7``; a trial without a number is just that."""
    return "trial" if result.number is None else f"trial {result.number}"


def violation_text(violation: float | None) -> str:
    """By how much a limit was missed: ``23 % over``; empty where it isn't known."""
    if violation is None:
        return ""
    percent = 100 * violation
    return f"{percent:,.0f} % over" if percent >= 10 else f"{percent:.2g} % over"


def touched_text(result: TrialResult) -> str:
    """How many modules each transformation reached: ``16 modules quantized, 8 modules adapted``."""
    counts = ((len(names), what) for what, names in result.touched.items())
    return ", ".join(f"{count} module{'' if count == 1 else 's'} {what}" for count, what in counts)


def arithmetic_text(result: TrialResult) -> str:
    """How exact 32-bit products were, in torch's words: ``float32_matmul_precision=highest, ...``."""
    return ", ".join(f"{name}={value}" for name, value in result.arithmetic.items())
