"""Accuracy: which of TerraTorch's validation metrics it is, and the ones logged beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import SupportsFloat

from terrasweep.results.errors import Crashed

PREFIX = "val/"
UNDEFINED = {
    "segmentation": "no validation pixel has a label that counts",
    "classification": "no validation sample has a label that counts",
    "multilabel": "no class has a positive validation sample",
    "regression": "no validation pixel has a target that counts, or the outputs are not finite",
}
"""Why a task's metric can be undefined."""


def read_accuracy(logged: Mapping[str, SupportsFloat], metric: str, task: str) -> tuple[float, dict[str, float]]:
    """Split the logged validation metrics into the accuracy and its companions.

    Args:
        logged: Metrics as the trainer logged them, with TerraTorch's ``val/`` prefix.
        metric: The one that is the accuracy, by TerraTorch's name.
        task: Name of the task, for the reason why its metric can be undefined.

    Returns:
        The accuracy, and every other finite metric without the prefix.

    Raises:
        Crashed: The metric is absent or not finite; it never becomes 0.
    """
    values = {name.removeprefix(PREFIX): float(value) for name, value in logged.items() if name.startswith(PREFIX)}
    accuracy = values.pop(metric, None)
    if accuracy is None:
        raise Crashed(f"task.accuracy={metric}: not among the validation metrics {', '.join(sorted(values))}")
    if not math.isfinite(accuracy):
        raise Crashed(f"{metric} is {accuracy} after the evaluation: {UNDEFINED[task]}")
    return accuracy, {f"val_{name}": value for name, value in values.items() if math.isfinite(value)}
