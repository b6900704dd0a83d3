"""The losses and the metric that TerraTorch's tasks lack."""

from __future__ import annotations

from collections.abc import Callable

import torch
from segmentation_models_pytorch.losses import DiceLoss, FocalLoss, TverskyLoss  # type: ignore[import-untyped]
from torch import nn
from torch.nn import functional
from torchmetrics.classification import MultilabelAveragePrecision
from torchmetrics.utilities.data import dim_zero_cat

from terrasweep.config.losses import loss_arguments
from terrasweep.config.schema import TaskConfig

NOTHING_IGNORED = -100
"""What ``task.ignore_index=null`` is to torch's cross-entropy, which takes numbers alone: its own default."""


class MeanAveragePrecision(MultilabelAveragePrecision):
    """Mean over the labels that occur of their average precision, from all scores rather than binned ones.

    Average precision is the sum over thresholds of precision times the gain in recall, as in scikit-learn's
    ``average_precision_score``. A label without a positive sample has none; torchmetrics would count it as 0. The
    scores of the whole validation split stay on the device, 8 bytes a sample and label: 7 MB for 20,000 samples of 43.
    """

    def compute(self) -> torch.Tensor:  # type: ignore[override]  # As torchmetrics' own average precision does.
        """A scalar, NaN where no label has a positive sample."""
        positive = (dim_zero_cat(self.target) == 1).any(dim=0)
        precision: torch.Tensor = super().compute()[positive].mean()
        return precision


class InFloat32(nn.Module):
    """A loss of float32 scores, under mixed precision too."""

    def __init__(self, loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, scores: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """What the loss takes, to a scalar."""
        with torch.autocast(scores.device.type, enabled=False):
            return self.loss(scores.float(), target)


class LabelCrossEntropy(nn.Module):
    """Binary cross-entropy over independent labels, the mean over those that count, each weighed by its class."""

    weight: torch.Tensor | None

    def __init__(self, class_weights: list[float] | None, ignore_index: int | None) -> None:
        super().__init__()
        # Not stored with the weights: TerraTorch's own loss has no such entry.
        weight = None if class_weights is None else torch.tensor(class_weights)
        self.register_buffer("weight", weight, persistent=False)
        self.ignore_index = ignore_index

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Scores and labels in {0, 1}, both (B, classes), to a scalar."""
        counted = torch.ones_like(target, dtype=torch.bool)
        if self.ignore_index is not None:
            counted = target != self.ignore_index
        clean = torch.where(counted, target, 0).float()
        losses = functional.binary_cross_entropy_with_logits(
            logits.float(), clean, weight=self.weight, reduction="none"
        )
        return (losses * counted).sum() / counted.sum().clamp(min=1)


class RootMeanSquare(nn.Module):
    """Root of the mean squared error over the values that count."""

    def __init__(self, ignore_index: int | None) -> None:
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Two tensors of one shape to a scalar."""
        counted = torch.ones_like(target, dtype=torch.bool)
        if self.ignore_index is not None:
            counted = target != self.ignore_index
        squares = (torch.where(counted, target, 0) - output).square() * counted
        # A root has no slope at 0.
        return (squares.sum() / counted.sum().clamp(min=1)).clamp(min=1e-12).sqrt()


class FocalTverskyLoss(TverskyLoss):
    """The mean over classes of (1 - T)^(1 / gamma), where T is the Tversky index (Abraham and Khan 2018, equation 4).

    segmentation_models_pytorch has a gamma, too, and raises the mean over classes to it, which is another loss.
    """

    def __init__(self, *, gamma: float, **arguments: object) -> None:
        super().__init__("multiclass", **arguments)
        self.exponent = 1 / gamma

    def aggregate_loss(self, loss: torch.Tensor) -> torch.Tensor:
        """Losses per class, (C,), to a scalar."""
        # A class that is absent, or found perfectly, has 0, where a root has no slope.
        roots = torch.where(loss > self.eps, loss.clamp(min=self.eps) ** self.exponent, 0.0)
        mean: torch.Tensor = super().aggregate_loss(roots)
        return mean


class DiceCrossEntropy(nn.Module):
    """A weighted sum of the Dice loss (Milletari et al. 2016, without their squares) and the cross-entropy."""

    weight: torch.Tensor | None

    def __init__(self, *, dice: float, ce: float, class_weights: list[float] | None, ignore_index: int | None) -> None:
        super().__init__()
        self.of_dice, self.of_cross_entropy = dice, ce
        self.dice = DiceLoss("multiclass", class_weights=class_weights, ignore_index=ignore_index)
        weight = None if class_weights is None else torch.tensor(class_weights)
        self.register_buffer("weight", weight, persistent=False)  # As in LabelCrossEntropy.
        self.ignored = NOTHING_IGNORED if ignore_index is None else ignore_index

    def forward(self, scores: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Scores (B, classes, H, W) and labels (B, H, W) to a scalar."""
        entropy = functional.cross_entropy(scores, target, weight=self.weight, ignore_index=self.ignored)
        both: torch.Tensor = self.of_dice * self.dice(scores, target) + self.of_cross_entropy * entropy
        return both


class ZeroWithoutLabels(nn.Module):
    """A loss that is 0, without a gradient, on a batch whose labels are all ignored: a mean over nothing is NaN."""

    def __init__(self, loss: nn.Module, ignore_index: int | None) -> None:
        super().__init__()
        self.loss, self.ignore_index = loss, ignore_index

    def forward(self, scores: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """What the loss takes, to a scalar."""
        if self.ignore_index is not None and not (target != self.ignore_index).any():
            return scores.sum() * 0.0
        value: torch.Tensor = self.loss(scores, target)
        return value


def build_loss(task: TaskConfig) -> nn.Module | None:
    """A loss that TerraTorch lacks, or has without its arguments, weights or ignored labels; None for any other.

    ``focal`` is that of Lin et al. 2017 for each class against the rest, ``tversky`` that of Salehi et al. 2017.
    """
    if task.loss not in ("focal", "tversky", "focal_tversky", "dice_ce"):
        return None
    given, ignored = loss_arguments(task), task.ignore_index
    common = {"class_weights": task.class_weights, "ignore_index": ignored}
    loss: nn.Module
    if task.loss == "focal" and task.name == "multilabel":
        loss = FocalLoss("binary", ignore_index=ignored, **given)
    elif task.loss == "focal":
        loss = FocalLoss("multiclass", **common, **given)
    elif task.loss == "tversky":
        loss = TverskyLoss("multiclass", **common, **given)
    elif task.loss == "focal_tversky":
        loss = FocalTverskyLoss(**common, **given)  # type: ignore[arg-type]  # Checked in config/losses.py.
    else:
        loss = DiceCrossEntropy(**common, **given)  # type: ignore[arg-type]
    return ZeroWithoutLabels(loss, ignored)
