"""How much training the state has behind it that a trial is judged by: ``train.keep`` says which one that is."""

from __future__ import annotations

from terrasweep.measure.measurement import Measurement

KEPT_STEPS = Measurement(
    name="kept_steps",
    label="steps to the kept state",
    unit="count",
    definition="Optimizer steps behind the state that was evaluated, untimed ones included.",
    of_quality=True,
)
KEPT_EPOCHS = Measurement(
    name="kept_epochs",
    label="epochs to the kept state",
    unit="1",
    definition="The same in passes through the training split.",
    of_quality=True,
)
KEPT_SAMPLES = Measurement(
    name="kept_samples",
    label="samples to the kept state",
    unit="count",
    definition="Training samples behind the state that was evaluated, each time one was seen.",
    of_quality=True,
)
KEPT_SECONDS = Measurement(
    name="kept_train_seconds",
    label="train time to the kept state",
    unit="s",
    definition="Seconds of the timed training steps behind the state that was evaluated.",
    of_whole_training=True,
)
