"""Whether a data set fits into the host's memory, known from its survey before it is read. Imports no torch."""

from __future__ import annotations

import math

from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.sample_list import PIXEL_TASKS
from terrasweep.data.inspect.survey import Survey
from terrasweep.machine.hardware import host_memory_limit_bytes

SHARE = 0.7
"""Of the host's memory that samples may take; the rest is for the libraries, the model and its batches."""
_IMAGE_BYTES = 4
_MASK_BYTES = 8


def in_memory_bytes(survey: Survey, config: TrialConfig) -> int:
    """What the samples of train and val take once they are read: images of 32-bit, masks of 64-bit numbers."""
    total = 0.0
    for name in ("train", "val"):
        split = survey.splits.get(name)
        if split is None or not split.read:
            continue
        resized = config.data.resize_px
        read = sum(
            _IMAGE_BYTES * count * _numbers(shape, resized)
            for image in split.images.values()
            for shape, count in image.shapes.items()
        )
        if config.task.name in PIXEL_TASKS:
            read += sum(_MASK_BYTES * count * _numbers(s, resized) for s, count in split.labels.shapes.items())
        total += read * split.samples / split.read
    return round(total)


def room_bytes(config: TrialConfig) -> int:
    """What samples may take of this host's memory, or of the budget for it."""
    budget = config.budget.host_memory_gib
    host = host_memory_limit_bytes()
    return round(SHARE * (host if budget is None else min(host, budget * 2**30)))


def fits_in_memory(survey: Survey, config: TrialConfig) -> bool:
    """Whether there is room for all samples of train and val."""
    return in_memory_bytes(survey, config) <= room_bytes(config)


def _numbers(shape: str, resized: int | None) -> int:
    """How many numbers a sample of a shape like ``6x64x64`` has."""
    sizes = [int(size) for size in shape.split("x") if size]
    if resized is not None and len(sizes) > 1:
        sizes[-2:] = [resized, resized]
    return math.prod(sizes)
