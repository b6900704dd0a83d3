"""Accuracy: which of TerraTorch's validation metrics it is, and the ones logged beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import SupportsFloat

from terrasweep.measure.measurement import Measurement
from terrasweep.results.errors import Crashed

ACCURACY = Measurement(
    name="accuracy",
    label="accuracy",
    unit="1",
    definition="The task's validation metric of the state that train.keep says, in [0, 1]; R² for regression, at "
    "most 1.",
    of_quality=True,
)
ACCURACY_NAME = Measurement(
    name="accuracy_name",
    label="metric behind accuracy",
    unit="text",
    definition="The metric behind the accuracy, for example mIoU.",
    number=None,
    of_quality=True,
)
TEST_ACCURACY = Measurement(
    name="test_accuracy",
    label="test accuracy",
    unit="1",
    definition=(
        "The metric behind the accuracy on the test split: measured once, after the search, for recommended trials "
        "alone. No trial is chosen by it."
    ),
    after_search=True,
)
LOGGED_PREFIX = "val/"
"""Before a validation metric's name where TerraTorch logs it."""
METRIC_PREFIX = "val_"
"""Before a validation metric's name in a result, in MLflow and as an objective."""
TEST_PREFIX = "test_"
"""Before the same metric's name where it is of the test split."""
SPLITS = {METRIC_PREFIX: "validation", TEST_PREFIX: "test"}
UNDEFINED = {
    "segmentation": "no {split} pixel has a label that counts",
    "classification": "no {split} sample has a label that counts",
    "multilabel": "no class has a positive {split} sample",
    "regression": "no {split} pixel has a target that counts, or the outputs are not finite",
}
"""Why a task's metric can be undefined."""


def read_accuracy(
    logged: Mapping[str, SupportsFloat], metric: str, task: str, prefix: str = METRIC_PREFIX
) -> tuple[float, dict[str, float]]:
    """Split the logged metrics of an evaluation into the accuracy and its companions.

    Args:
        logged: Metrics as the trainer logged them, with TerraTorch's ``val/`` prefix.
        metric: The one that is the accuracy, by TerraTorch's name.
        task: Name of the task, for the reason why its metric can be undefined.
        prefix: What the companions' names begin with: which split was evaluated.

    Returns:
        The accuracy, and every other finite metric by its name behind the prefix.

    Raises:
        Crashed: The metric is absent or not finite; it never becomes 0.
    """
    validation = {name: float(value) for name, value in logged.items() if name.startswith(LOGGED_PREFIX)}
    values = {name.removeprefix(LOGGED_PREFIX): value for name, value in validation.items()}
    accuracy = values.pop(metric, None)
    if accuracy is None:
        raise Crashed(f"task.accuracy={metric}: not among the validation metrics {', '.join(sorted(values))}")
    if not math.isfinite(accuracy):
        reason = UNDEFINED[task].format(split=SPLITS[prefix])
        raise Crashed(f"{metric} is {accuracy} after the evaluation: {reason}")
    return accuracy, {f"{prefix}{name}": value for name, value in values.items() if math.isfinite(value)}
