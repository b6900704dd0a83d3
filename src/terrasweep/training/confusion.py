"""The confusion matrix of a validation, counted beside TerraTorch's own metrics."""

from __future__ import annotations

import torch
from torchmetrics import Metric
from torchmetrics.classification import MulticlassConfusionMatrix, MultilabelConfusionMatrix

from terrasweep.data.open.split_data import OpenData
from terrasweep.results.confusion import MULTILABEL, Confusion

CONFUSION = "confusion"
"""Its name among the validation metrics."""
MOST_CLASSES = 256
"""Classes up to which there is a matrix: with more, its square would be what the trial's memory goes to."""


def confusion_metric(task: str, classes: int, ignore_index: int | None) -> Metric | None:
    """The metric that counts; None for a task without classes, and for more than :data:`MOST_CLASSES`.

    For segmentation it costs nothing after the first batch: torchmetrics updates metrics of equal states once, and
    those of mIoU are the same matrix. Inputs are not checked a second time, since TerraTorch's own metrics do it.
    """
    if task == MULTILABEL:
        return MultilabelConfusionMatrix(num_labels=classes, ignore_index=ignore_index, validate_args=False)
    if task == "regression" or classes > MOST_CLASSES:
        return None
    return MulticlassConfusionMatrix(num_classes=classes, ignore_index=ignore_index, validate_args=False)


def counts_of(matrix: torch.Tensor) -> list[list[int]]:
    """What the metric counted, as :class:`terrasweep.results.confusion.Confusion` keeps it.

    Args:
        matrix: Whole numbers of shape (classes, classes), or (labels, 2, 2) with ``[[TN, FP], [FN, TP]]`` of each.
    """
    if matrix.ndim == 3:
        matrix = torch.stack([matrix[:, 1, 1], matrix[:, 0, 1], matrix[:, 1, 0], matrix[:, 0, 0]], dim=1)
    counts: list[list[int]] = matrix.tolist()
    return counts


def named_confusion(task: str, counts: list[list[int]] | None, data: OpenData) -> Confusion | None:
    """The counts with the names of the classes, or their numbers where they have no names; None without counts."""
    if counts is None:
        return None
    given = data.class_names or []
    # A datamodule of the user's may have more classes than names.
    names = [given[place] if place < len(given) else str(place) for place in range(len(counts))]
    return Confusion(task=task, classes=names, counts=counts)
