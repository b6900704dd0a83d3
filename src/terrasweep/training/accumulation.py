"""One optimizer step's batch in several parts, each with its weight, so that their gradients add up to the batch's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from terrasweep.config.schema import TaskConfig

Batch = Mapping[str, Any]


def split_batch(batch: Batch, parts: int) -> list[dict[str, Any]]:
    """A batch in so many parts of nearly the same size, and in fewer where it has fewer samples.

    Args:
        batch: Tensors, or dicts of tensors, whose first dimension counts samples.
        parts: At least 1.
    """
    tensors = {key: _of_modalities(value) for key, value in batch.items()}
    samples = min(len(tensor) for modalities in tensors.values() for tensor in modalities.values())
    pieces: list[dict[str, Any]] = [{} for _ in range(min(parts, samples))]
    for key, modalities in tensors.items():
        for name, tensor in modalities.items():
            for piece, chunk in zip(pieces, tensor.tensor_split(len(pieces)), strict=True):
                if name is None:
                    piece[key] = chunk
                else:
                    piece.setdefault(key, {})[name] = chunk
    return pieces


def _of_modalities(value: Any) -> dict[str | None, Tensor]:
    return dict(value) if isinstance(value, Mapping) else {None: value}


def loss_weight(target: Tensor, task: TaskConfig, class_weights: Tensor | None) -> Tensor:
    """What the mean that a loss takes is divided by: how many labels count, each by its class's weight.

    A batch's loss is the sum of its parts' losses, each times its own weight over the sum of all (of losses that are
    means: ``means`` in :data:`terrasweep.config.losses.LOSSES`).

    Args:
        target: Labels of a part: class numbers or values per sample or per pixel, or labels in {0, 1} per class.
        task: The loss, and which label doesn't count.
        class_weights: As cross-entropy over classes applies them: the mean is over the weights of the labels' classes.

    Returns:
        A scalar in float64, which counts the pixels of any batch exactly.
    """
    counted = torch.ones_like(target, dtype=torch.bool)
    if task.ignore_index is not None:
        counted = target != task.ignore_index
    if class_weights is None or task.name == "multilabel":
        return counted.sum(dtype=torch.float64)
    classes = torch.where(counted, target, 0).long()
    return (class_weights.to(target.device, torch.float64)[classes] * counted).sum()
