"""The curves that a training leaves: step to value. Imports no torch."""

from __future__ import annotations

from terrasweep.measure.accuracy import ACCURACY, METRIC_PREFIX

LEARNING_RATE = "learning_rate"
"""Of each step, of the parameters that learn fastest."""
VAL_ACCURACY, VAL_LOSS = "val_accuracy", "val_loss"
"""Of each validation, by the number of steps behind it."""
VAL_SECONDS = "val_train_seconds"
"""Seconds of timed training behind each validation, by which the other two can be drawn."""


def curve_of(objective: str) -> str | None:
    """The name of an objective's curve of validations; None for what is no validation metric."""
    if objective == ACCURACY.name:
        return VAL_ACCURACY
    return objective if objective.startswith(METRIC_PREFIX) else None
