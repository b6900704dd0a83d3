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
    means: bool = True
    """Whether it is a mean over the labels that count, so that a batch's is the weighted mean of its parts'."""


LOSSES: dict[str, dict[str, Loss]] = {
    "segmentation": {
        "ce": Loss(weighs=True),
        "dice": Loss(means=False),
        "focal": Loss(means=False),
        "jaccard": Loss(ignores=False, means=False),
        "lovasz": Loss(means=False),
    },
    # TerraTorch offers bce, too, but hands it class numbers, for which it isn't defined.
    "classification": {
        "ce": Loss(weighs=True),
        "focal": Loss(ignores=False, means=False),
        "jaccard": Loss(ignores=False, means=False),
    },
    # TerraTorch's focal and jaccard are not importable here, and ce would make the labels compete.
    "multilabel": {"bce": Loss(weighs=True), "balanced_bce": Loss(ignores=False, means=False)},
    "regression": {"huber": Loss(), "mae": Loss(), "mse": Loss(), "rmse": Loss(means=False)},
}
"""Task to the names of its losses, as TerraTorch calls them."""
