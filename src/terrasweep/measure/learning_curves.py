"""The curves that a training leaves: step to value. Imports no torch."""

from __future__ import annotations

LEARNING_RATE = "learning_rate"
"""Of each step, of the parameters that learn fastest."""
VAL_ACCURACY, VAL_LOSS = "val_accuracy", "val_loss"
"""Of each validation, by the number of steps behind it."""
VAL_SECONDS = "val_train_seconds"
"""Seconds of timed training behind each validation, by which the other two can be drawn."""
