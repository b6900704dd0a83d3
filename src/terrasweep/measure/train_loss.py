"""The loss of training, of which the trainer keeps the curve."""

from __future__ import annotations

from terrasweep.measure.measurement import Measurement

TRAIN_LOSS = Measurement(
    name="train_loss",
    label="train loss",
    unit="1",
    definition="Loss of the last training step.",
    of_quality=True,
)
