"""Which losses each task can be trained with, and what they can do. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What a loss does beside comparing outputs with labels."""

    weighs: bool = False
    """Whether it takes ``task.class_weights``."""
    ignores: bool = True
    """Whether it can leave out ``task.ignore_index``."""


LOSSES: dict[str, dict[str, Loss]] = {
    "segmentation": {
        "ce": Loss(weighs=True),
        "dice": Loss(),
        "focal": Loss(),
        "jaccard": Loss(ignores=False),
        "lovasz": Loss(),
    },
    # TerraTorch offers bce, too, but hands it class numbers, for which it isn't defined.
    "classification": {"ce": Loss(weighs=True), "focal": Loss(ignores=False), "jaccard": Loss(ignores=False)},
    # TerraTorch's focal and jaccard are not importable here, and ce would make the labels compete.
    "multilabel": {"bce": Loss(weighs=True), "balanced_bce": Loss(ignores=False)},
    "regression": {"huber": Loss(), "mae": Loss(), "mse": Loss(), "rmse": Loss()},
}
"""Task to the names of its losses, as TerraTorch calls them."""
