"""Training and evaluation with Lightning's Trainer. Knows no meter by name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn

from terrasweep.config.knobs.offload import ZERO
from terrasweep.config.schema import TrialConfig
from terrasweep.data.open.split_data import OpenData
from terrasweep.measure.meter import Meter
from terrasweep.models.assemble import BuiltModel
from terrasweep.models.offload.zero import zero_strategy
from terrasweep.results.errors import DataError, Diverged, InvalidConfig
from terrasweep.training.batch_entries import batch_size
from terrasweep.training.length import check_length, training_steps, validation_steps

NEVER = 2**40
"""Steps from one validation to the next where nothing is validated before the end."""
_ONE_VALUE = "Expected more than 1 value per channel when training"
"""What torch's batch normalization says."""


class StepClock(Callback):
    """Tells the meters where steps begin and end, keeps the loss curve, and ends a trial that diverges."""

    def __init__(self, meters: Sequence[Meter], device: torch.device) -> None:
        self._meters, self._device = meters, device
        self.losses: list[tuple[int, float]] = []
        self.learning_rates: list[tuple[int, float]] = []
        self.samples: list[int] = []
        """Of each step."""

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """The batch is on the device."""
        self.learning_rates.append((len(self.losses), pl_module.rates.highest))
        for meter in self._meters:
            meter.on_step_begin(len(self.losses))

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """The optimizer has stepped.

        Raises:
            Diverged: The loss is not finite.
        """
        step = len(self.losses)
        loss = float(pl_module.step_loss)
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        for meter in self._meters:
            meter.on_step_end(step, batch_size(batch))
        if not math.isfinite(loss):
            raise Diverged(f"the loss is {loss} at step {step}; lower train.lr (it is {pl_module.trial.train.lr:g})")
        self.losses.append((step, loss))
        self.samples.append(batch_size(batch))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """What comes next is a step; the validation before it is not timed."""
        if trainer.state.fn is TrainerFn.FITTING:
            for meter in self._meters:
                meter.on_pause_end()


def build_trainer(
    config: TrialConfig,
    device: torch.device,
    callbacks: list[Callback],
    model: BuiltModel,
    data: OpenData,
    folder: Path,
    evaluation_batches: int | None = None,
) -> pl.Trainer:
    """A Trainer that trains and evaluates, and leaves nothing on the disk but DeepSpeed's settings in the folder.

    Args:
        config: The trial.
        device: Where.
        callbacks: What listens.
        model: What is trained; under ZeRO its modules are partitioned.
        data: What it is trained on.
        folder: Takes DeepSpeed's settings.
        evaluation_batches: How many are evaluated; None: all.

    Raises:
        InvalidConfig: The training split gives too few batches for the schedule or the validations that are asked for.
    """
    check_length(config, data)
    zero = config.offload.name in ZERO
    strategy: Any = zero_strategy(config, model.module, device, folder) if zero else "auto"
    precision: Any = "32-true" if zero else config.precision.lightning
    # Lightning would take the place of this process from a cluster's variables; ZeRO's strategy brings its own.
    alone: list[Any] = [] if zero else [LightningEnvironment()]
    return pl.Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        strategy=strategy,
        plugins=alone,
        precision=precision,
        val_check_interval=validation_steps(config, data) or NEVER,
        limit_val_batches=evaluation_batches,
        callbacks=callbacks,
        **training_settings(config, training_steps(config, data)),
    )


def training_settings(config: TrialConfig, steps: int) -> dict[str, Any]:
    """What a Trainer is given whatever the device: one process, so many steps, and nothing on the disk.

    Args:
        config: The trial.
        steps: Optimizer steps in all.
    """
    return {
        "devices": 1,
        "gradient_clip_val": config.train.clip_norm,
        "max_steps": steps,
        "max_epochs": -1,
        "num_sanity_val_steps": 0,
        "check_val_every_n_epoch": None,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
    }


def fit(trainer: pl.Trainer, task: Any, data: OpenData, clock: StepClock) -> None:
    """Train for the whole length, or to an early end.

    Raises:
        DataError: There was no batch to train on.
        Diverged: The loss became not finite.
        InvalidConfig: A batch is so small that the model's batch normalization can't train on it.
    """
    try:
        trainer.fit(task, datamodule=data.module)
    except ValueError as error:
        if _ONE_VALUE not in str(error):
            raise
        raise InvalidConfig(
            "train.batch_size: a batch of one sample gives the model's batch normalization a single value per channel, "
            "and it can't train on that; use train.batch_size=2 or more with as many samples, or another model"
        ) from error
    if not clock.losses:
        raise DataError("no training step was run: the training split gave no batch")


def evaluate(trainer: pl.Trainer, task: Any, data: OpenData) -> dict[str, float]:
    """Validate once; returns the logged metrics with TerraTorch's ``val/`` prefix."""
    return {k: float(v) for k, v in trainer.validate(task, datamodule=data.module, verbose=False)[0].items()}
