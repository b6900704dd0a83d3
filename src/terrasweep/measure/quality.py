"""Accuracy: which of TerraTorch's validation metrics it is, and the ones logged beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import SupportsFloat

from terrasweep.config import TaskConfig
from terrasweep.errors import Crashed

PREFIX = "val/"


def read_quality(logged: Mapping[str, SupportsFloat], task: TaskConfig) -> tuple[float, dict[str, float]]:
    """Split the logged validation metrics into the accuracy and its companions.

    Args:
        logged: Metrics as the trainer logged them, with TerraTorch's ``val/`` prefix.
        task: Names the metric that is the accuracy.

    Returns:
        The accuracy, and every other finite metric without the prefix.

    Raises:
        Crashed: The metric is absent or not finite; it never becomes 0.
    """
    values = {name.removeprefix(PREFIX): float(value) for name, value in logged.items() if name.startswith(PREFIX)}
    accuracy = values.pop(task.accuracy, None)
    if accuracy is None:
        raise Crashed(f"task.accuracy={task.accuracy}: not among the validation metrics {', '.join(sorted(values))}")
    if not math.isfinite(accuracy):
        raise Crashed(
            f"{task.accuracy} is {accuracy} after the evaluation: no validation pixel has a label that counts"
        )
    return accuracy, {f"val_{name}": value for name, value in values.items() if math.isfinite(value)}
