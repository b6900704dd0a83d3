"""What measurements, trials, violations and touched modules are called in the report."""

from __future__ import annotations

from terrasweep.measure.accuracy import ACCURACY, TEST_ACCURACY
from terrasweep.measure.catalog import measurement_or_metric
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import percent


def label(name: str, accuracy_name: str | None = None) -> str:
    """A measurement's name for an axis or a column: ``peak memory (MiB)``, ``accuracy (mIoU)``.

    Args:
        name: Of a measurement, or of a metric, whose name stays as it is.
        accuracy_name: The metric behind ``accuracy``.
    """
    measurement = measurement_or_metric(name)
    if name in (ACCURACY.name, TEST_ACCURACY.name) and accuracy_name and accuracy_name != name:
        return f"{measurement.label} ({accuracy_name})"
    return measurement.label_with_unit


def trial_name(result: TrialResult) -> str:
    """``trial 7``; a trial without a number is just that."""
    return "trial" if result.number is None else f"trial {result.number}"


def source_name(source: str) -> str:
    """The trial that a number was taken over from: ``trial 7``, ``baseline plain``, ``trial 7 of the study fields``."""
    study, _, name = source.rpartition("/")
    if study == "baselines":
        return f"baseline {name}"
    return f"trial {name} of the study {study}" if study else f"trial {name}"


def violation_text(violation: float | None) -> str:
    """By how much a limit was missed: ``23.0 % over``; empty where it isn't known."""
    return "" if violation is None else f"{percent(violation)} over"


def touched_text(result: TrialResult) -> str:
    """How many modules each transformation reached: ``16 modules quantized, 8 modules adapted``."""
    counts = ((len(names), what) for what, names in result.touched.items())
    return ", ".join(f"{count} module{'' if count == 1 else 's'} {what}" for count, what in counts)


def arithmetic_text(result: TrialResult) -> str:
    """How exact 32-bit products were, in torch's words: ``float32_matmul_precision=highest, ...``."""
    return ", ".join(f"{name}={value}" for name, value in result.arithmetic.items())
