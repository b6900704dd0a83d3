"""Memory and speed from a trial's first steps: by themselves where its accuracy is known, else before it trains on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.seed import isolate_rng

from terrasweep.config.schema import TrialConfig
from terrasweep.data.open.split_data import OpenData
from terrasweep.measure.meter import Meter, metered


def as_probe(config: TrialConfig) -> TrialConfig:
    """A trial that ends after its timed steps: as many as ``probe.steps``, each as in the whole training.

    Where the best state would be kept, one is kept while the steps are timed.
    """
    train = config.train
    validate = None if train.validate_every is None else max(1, train.untimed_steps)
    shortened = replace(train, max_steps=config.probe.steps, epochs=None, validate_every=validate, patience=None)
    return replace(config, train=replace(shortened, save_weights=False), trial=replace(config.trial, judged=False))


class ProbeFirst(Callback):
    """After a training's first timed steps, evaluates some batches and lets the trial's budget judge.

    The training goes on as if nothing had happened: metrics, random states and the mode of the model are as before.
    """

    def __init__(
        self,
        config: TrialConfig,
        data: OpenData,
        training: Sequence[Meter],
        evaluation: Sequence[Meter],
        judge: Callable[[], None],
    ) -> None:
        """Look after ``probe.steps`` timed steps.

        Args:
            config: The trial.
            data: Gives the batches.
            training: The meters that are at work; they don't see what is evaluated.
            evaluation: Meters of an evaluation, not entered.
            judge: Reads all of them, and raises where the trial ends here.
        """
        self._last, self._batches = config.train.untimed_steps + config.probe.steps, config.probe.evaluation_batches
        self._data, self._training, self._evaluation, self._judge = data, training, evaluation, judge

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        """Look, once.

        Raises:
            TerrasweepError: The trial ends here.
        """
        if trainer.global_step != self._last or trainer.global_step == trainer.max_steps:
            return  # What ends here is evaluated as a whole next.
        for meter in self._training:
            meter.on_pause_begin()
        with metered(self._evaluation):
            evaluate_some(trainer, pl_module, self._data, self._batches)
        for meter in self._training:
            meter.on_pause_end()
        self._judge()


def evaluate_some(trainer: pl.Trainer, task: Any, data: OpenData, batches: int) -> None:
    """Evaluate the first batches between two training steps, and leave no trace of it.

    Args:
        trainer: In the middle of a training.
        task: The trial's.
        data: What is evaluated.
        batches: How many.
    """
    was_training = task.training
    with isolate_rng(), torch.no_grad(), _unlogged(task):
        task.eval()
        for index, batch in zip(range(batches), data.module.val_dataloader(), strict=False):
            on_device = data.module.normalized(batch, trainer.strategy.root_device, training=False)
            trainer.strategy.validation_step(on_device, index)
        task.val_metrics.reset()
        task.train(was_training)


@contextmanager
def _unlogged(task: Any) -> Iterator[None]:
    """Within it a step logs nothing: Lightning allows it in the loops of its own alone."""
    task.log = task.log_dict = lambda *_, **__: None
    try:
        yield
    finally:
        del task.log, task.log_dict
