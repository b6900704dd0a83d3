"""The knobs: groups of the search, one file each. A new one is a file here, in ``KNOBS``, and its options in conf/.

Those that other packages declare are in :mod:`terrasweep.config.outside_knobs`.
"""

from __future__ import annotations

from terrasweep.config.knobs import augment, checkpointing, offload, optimizer, precision, quantization, tuning
from terrasweep.config.knobs.knob import Knob

KNOBS: tuple[Knob, ...] = (
    quantization.KNOB,
    tuning.KNOB,
    checkpointing.KNOB,
    offload.KNOB,
    precision.KNOB,
    optimizer.KNOB,
    augment.KNOB,
)
"""terrasweep's own."""

EXCLUSIONS = tuple(exclusion for knob in KNOBS for exclusion in knob.exclusions)
"""All of theirs, as docs/knobs.md shows them."""
