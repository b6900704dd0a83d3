"""What a batch holds: the entries that models and tasks know, and how many samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MODEL_INPUTS = ("image", "temporal_coords", "location_coords")
"""Entries of a batch that a model takes: the images, and what backbones like Prithvi TL take beside them."""


def target_key(task: str) -> str:
    """Under which key a batch holds what a task learns: ``mask`` (one value per pixel) or ``label``."""
    return "mask" if task in ("segmentation", "regression") else "label"


def batch_size(batch: Mapping[str, Any]) -> int:
    """Samples in a batch, whose images are one tensor or one per modality."""
    images = batch["image"]
    return len(next(iter(images.values())) if isinstance(images, Mapping) else images)
