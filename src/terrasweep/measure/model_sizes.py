"""Sizes of the model and of what its training keeps; counted, not metered."""

from __future__ import annotations

from terrasweep.measure.measurement import Measurement

TRAINABLE_PARAMETERS = Measurement(
    name="trainable_parameters",
    label="trainable parameters",
    unit="count",
    definition="Parameters that the optimizer updates.",
    number=int,
)
TOTAL_PARAMETERS = Measurement(
    name="total_parameters",
    label="total parameters",
    unit="count",
    definition="Parameters of the model; packed low-bit weights count by their logical number.",
    number=int,
)
WEIGHT_BYTES = Measurement(
    name="weight_bytes",
    label="weight",
    unit="bytes",
    definition="Bytes of all parameters and buffers as stored, quantization constants included.",
    number=int,
)
GRADIENT_BYTES = Measurement(
    name="gradient_bytes",
    label="gradient",
    unit="bytes",
    definition="Bytes of the trainable parameters' gradients, counted.",
    number=int,
)
OPTIMIZER_BYTES = Measurement(
    name="optimizer_bytes",
    label="optimizer",
    unit="bytes",
    definition="Bytes of the optimizer's state, counted by its own rules; equal to what it really holds (tests).",
    number=int,
)
