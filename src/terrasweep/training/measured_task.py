"""What a trial puts before any TerraTorch task: its optimizer, its precision, batches in parts, and the confusion."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torchmetrics import MetricCollection

from terrasweep.config.knobs.offload import ZERO
from terrasweep.config.schema import TrialConfig
from terrasweep.training.accumulation import loss_weight, split_batch
from terrasweep.training.augmentation import Symmetries
from terrasweep.training.batch_entries import MODEL_INPUTS, target_key
from terrasweep.training.confusion import CONFUSION, confusion_metric, counts_of
from terrasweep.training.losses_and_metrics import (
    InFloat32,
    build_loss,
)
from terrasweep.training.optimizers import build_optimizer, parameter_groups
from terrasweep.training.schedules import LearningRates

IN_FLOAT32 = ("balanced_bce", "dice", "dice_ce", "focal", "focal_tversky", "jaccard", "lovasz", "tversky")
"""Losses unknown to autocast: lovasz can't be computed from bf16 scores, and the sums of the others lose digits."""


class MeasuredTask:
    """Put before a TerraTorch task: the trial's own optimizer, and nothing that would disturb a measurement."""

    # Lightning would deep-copy the model into its hyperparameters.
    ignore = ("model", "weights")
    trial: TrialConfig
    steps: int
    """Optimizer steps of the whole training."""
    criterion: Any
    rates: LearningRates
    step_loss: torch.Tensor
    """Of the whole batch of the last training step."""
    confusion: list[list[int]] | None = None
    """The confusion matrix of the last validation, see :class:`terrasweep.results.confusion.Confusion`."""
    symmetries: Symmetries | None = None
    """Of a training's samples, from its first one on; a step outside of a training takes a batch as it is."""

    def configure_metrics(self) -> None:
        """The validation metrics alone, with the confusion: nobody reads those of the training batches."""
        super().configure_metrics()  # type: ignore[misc]
        self.train_metrics = MetricCollection({}, prefix="train/")
        parameters = self.hparams  # type: ignore[attr-defined]
        classes = parameters["model_args"]["num_classes"]
        metric = confusion_metric(self.trial.task.name, classes, parameters["ignore_index"])
        if metric is not None:
            self.val_metrics.add_metrics({CONFUSION: metric})  # type: ignore[attr-defined]

    def on_validation_epoch_end(self) -> None:
        """Log what TerraTorch logs; the confusion is kept, since only single numbers can be logged."""
        metrics = self.val_metrics  # type: ignore[attr-defined]
        computed = metrics.compute()
        matrix = computed.pop(f"{metrics.prefix}{CONFUSION}", None)
        self.confusion = None if matrix is None else counts_of(matrix)
        self.log_dict(computed)  # type: ignore[attr-defined]
        metrics.reset()

    def configure_losses(self) -> None:
        """TerraTorch's losses, and those that it lacks; those that autocast doesn't know, in full precision."""
        task = self.trial.task
        if (own := build_loss(task)) is not None:
            self.criterion = own
        else:
            super().configure_losses()  # type: ignore[misc]
        if task.loss in IN_FLOAT32:
            self.criterion = InFloat32(self.criterion)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The trial's optimizer over everything that learns; :attr:`rates` sets its learning rates."""
        groups = parameter_groups(self, self.trial.optimizer, self.trial.train)  # type: ignore[arg-type]
        optimizer = build_optimizer(groups, self.trial.optimizer, self.trial.train.lr)
        self.rates = LearningRates(optimizer, self.trial.schedule, self.steps)
        return optimizer

    def on_fit_start(self) -> None:
        """Class weights go where the labels are: under ZeRO-3 nothing else moves them. Symmetries begin anew."""
        self._move_loss()
        self.symmetries = Symmetries(self.trial.augment.name, self.trial.train.seed)

    def on_validation_start(self) -> None:
        """As for training."""
        self._move_loss()

    def training_step(self, batch: Mapping[str, Any], *args: Any, **kwargs: Any) -> torch.Tensor:
        """A step in the trial's precision; of a batch in parts the gradients of all but the last are there afterwards.

        Returns:
            What is left to differentiate: the loss, or the last part's share of it.
        """
        *first, (last, share) = self.parts(batch)
        if self.trial.train.accumulate > 1 and not self._is_under_zero:  # DeepSpeed does it after its step.
            self.trainer.optimizers[0].zero_grad()  # type: ignore[attr-defined]
        losses = [self._differentiated(part, share) for part, share in first]
        loss = share * self._begun(last, is_last=True)
        self.step_loss = torch.stack([*losses, loss.detach()]).sum()
        return self._deepspeed_divides_by * loss

    def parts(self, batch: Mapping[str, Any]) -> list[tuple[dict[str, Any], float]]:
        """A batch as it is computed: each part with its share of the loss; one in which no label counts has none."""
        shown, accumulate = self._shown(batch), self.trial.train.accumulate
        if accumulate == 1:
            return [(shown, 1.0)]
        weights = self.hparams.get("class_weights")  # type: ignore[attr-defined]
        weights = None if weights is None else torch.as_tensor(weights)
        pieces = split_batch(shown, accumulate)
        counts = torch.stack([loss_weight(piece[self._target], self.trial.task, weights) for piece in pieces]).tolist()
        shares = [(piece, count / sum(counts)) for piece, count in zip(pieces, counts, strict=True) if count]
        return shares or [(shown, 1.0)]

    def part_loss(self, part: dict[str, Any]) -> torch.Tensor:
        """TerraTorch's step over a part of a batch, in the trial's precision."""
        with self._precision():
            loss: torch.Tensor = super().training_step(part, 0)  # type: ignore[misc]
        return loss

    def optimizer_zero_grad(self, *args: Any, **kwargs: Any) -> None:
        """Not between the parts of a batch: Lightning would do it after :meth:`training_step`."""
        if self.trial.train.accumulate == 1:
            super().optimizer_zero_grad(*args, **kwargs)  # type: ignore[misc]

    def configure_gradient_clipping(self, optimizer: torch.optim.Optimizer, *args: Any, **kwargs: Any) -> None:
        """Lightning's, and what it refuses: scaled gradients of a fused optimizer, which unscales them in its step.

        torch lets them be unscaled before, and its step then does not do it again.
        """
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)  # type: ignore[attr-defined]
        most = self.trial.train.clip_norm
        if scaler is None or most is None or self.trial.optimizer.implementation != "fused":
            super().configure_gradient_clipping(optimizer, *args, **kwargs)  # type: ignore[misc]
            return
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_((p for group in optimizer.param_groups for p in group["params"]), most)

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """The optimizer has stepped."""
        self.rates.advance()

    def validation_step(self, batch: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """TerraTorch's step, in the trial's precision."""
        with self._precision():
            return super().validation_step(self._known(batch), *args, **kwargs)  # type: ignore[misc]

    def _differentiated(self, part: dict[str, Any], share: float) -> torch.Tensor:
        loss = share * self._begun(part, is_last=False)
        strategy, optimizer = self.trainer.strategy, self.trainer.optimizers[0]  # type: ignore[attr-defined]
        strategy.backward(self._deepspeed_divides_by * loss, optimizer)
        return loss.detach()

    def _begun(self, part: dict[str, Any], *, is_last: bool) -> torch.Tensor:
        if self.trial.train.accumulate > 1 and self._is_under_zero:
            self.trainer.strategy.begin_part(is_last=is_last)  # type: ignore[attr-defined]
        return self.part_loss(part)

    @property
    def _deepspeed_divides_by(self) -> int:
        """It takes the mean over parts itself."""
        return self.trial.train.accumulate if self._is_under_zero else 1

    @property
    def _is_under_zero(self) -> bool:
        return self.trial.offload.name in ZERO

    @property
    def _target(self) -> str:
        return target_key(self.trial.task.name)

    def _known(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """What models know; TerraTorch would hand them whatever else a data set puts into its samples."""
        known = (*MODEL_INPUTS, self._target)
        return {key: value for key, value in batch.items() if key in known}

    def _shown(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """What a training step learns from: what models know, each sample under its symmetry."""
        known = self._known(batch)
        return known if self.symmetries is None else self.symmetries.applied(known)

    def _move_loss(self) -> None:
        if isinstance(self.criterion, nn.Module):
            self.criterion.to(self.trainer.strategy.root_device)  # type: ignore[attr-defined]

    def _precision(self) -> AbstractContextManager[Any]:
        """Mixed precision under ZeRO, as Lightning does it elsewhere; DeepSpeed's own would cast the parameters."""
        if self.trial.precision.name == "bf16" and self._is_under_zero:
            # Under ZeRO-3 the task itself is never moved, and would say that it is on the CPU.
            return torch.autocast(self.trainer.strategy.root_device.type, torch.bfloat16)  # type: ignore[attr-defined]
        return nullcontext()
