"""Validation between the steps of a training: learning curves, which state is kept, and an early end."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn

from terrasweep.config.schema import TrialConfig
from terrasweep.config.train import BEST
from terrasweep.measure.accuracy import LOGGED_PREFIX, METRIC_PREFIX
from terrasweep.measure.learning_curves import VAL_ACCURACY, VAL_LOSS, VAL_SECONDS, curve_of
from terrasweep.training.learnt_state import State, learnt_state, restore_state

Curve = list[tuple[int, float]]
Judge = Callable[[int, int, dict[str, float]], None]
"""Is told after each validation the steps behind it, those of the whole training, and each objective's value; may raise
to end the training."""


class LearningCurve(Callback):
    """Keeps what each validation found, and where ``train.keep=best`` the state that was the most accurate."""

    def __init__(self, config: TrialConfig, seconds: Callable[[], float], judge: Judge | None = None) -> None:
        """Args: ``seconds`` says how long the timed steps have taken so far."""
        self._train, self._metric, self._seconds, self._judge = config.train, config.task.accuracy, seconds, judge
        curves = ((o.name, curve_of(o.name)) for o in config.study.objectives)
        self._objectives = {name: curve for name, curve in curves if curve is not None}
        self.others: dict[str, Curve] = {c: [] for c in self._objectives.values() if c not in (VAL_ACCURACY, VAL_LOSS)}
        """Of the objectives that are other validation metrics."""
        self.accuracies: Curve = []
        self.losses: Curve = []
        self.seconds: Curve = []
        """Each by the number of steps behind it."""
        self.best: tuple[int, float] | None = None
        """After how many steps the accuracy was best, and what it was."""
        self._kept: State | None = None

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Note the accuracy, and let the schedule and ``train.patience`` judge it."""
        if trainer.state.fn is not TrainerFn.FITTING:
            return  # The evaluation after the training.
        self.note(trainer.global_step, {name: float(value) for name, value in trainer.callback_metrics.items()})
        accuracy = self.accuracies[-1][1]
        pl_module.rates.judge(accuracy if math.isfinite(accuracy) else -math.inf)
        if self._is_best() and self._train.keep == BEST:
            self._kept = learnt_state(pl_module.model)
        if self._train.patience is not None and self._without_better() >= self._train.patience:
            trainer.should_stop = True
        if self._judge is not None:
            length = trainer.global_step if trainer.should_stop else trainer.max_steps
            self._judge(trainer.global_step, length, self._latest())

    def note(self, steps: int, logged: dict[str, float]) -> None:
        """A validation's point of the curves.

        Args:
            steps: Those behind it.
            logged: Metrics with TerraTorch's ``val/`` prefix.
        """
        accuracy = logged.get(LOGGED_PREFIX + self._metric, math.nan)
        self.accuracies.append((steps, accuracy))
        self.losses.append((steps, logged.get(f"{LOGGED_PREFIX}loss", math.nan)))
        self.seconds.append((steps, self._seconds()))
        for name, curve in self.others.items():
            curve.append((steps, logged.get(LOGGED_PREFIX + name.removeprefix(METRIC_PREFIX), math.nan)))
        if math.isfinite(accuracy) and (self.best is None or accuracy > self.best[1]):
            self.best = (steps, accuracy)

    def conclude(self, pl_module: Any, steps: int, validate: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Evaluate after the training; where ``train.keep=best``, give the model the state that was best before.

        The state after the last step may be the best: where no validation fell on it, it is evaluated first, and once
        more is evaluated only what takes its place.

        Args:
            pl_module: The task.
            steps: That were trained.
            validate: Evaluates the model as it is.

        Returns:
            What ``validate`` found of the state that is kept.
        """
        if self.accuracies and self.accuracies[-1][0] == steps:
            self._restore_best(pl_module, steps)
            return validate()
        logged = validate()
        self.note(steps, logged)
        return validate() if self._restore_best(pl_module, steps) else logged

    def kept_steps(self, steps: int) -> int:
        """Steps behind the state that is kept, of so many that were trained."""
        return steps if self._train.keep != BEST or self.best is None else self.best[0]

    def kept_seconds(self, steps: int) -> float:
        """Seconds of the timed steps until then."""
        return dict(self.seconds).get(self.kept_steps(steps), self._seconds())

    def curves(self) -> dict[str, Curve]:
        """By the names that results and MLflow have for them, points that are not finite left out."""
        named = self._named() | {VAL_SECONDS: self.seconds}
        finite = {name: [point for point in curve if math.isfinite(point[1])] for name, curve in named.items()}
        return {name: curve for name, curve in finite.items() if curve}

    def _named(self) -> dict[str, Curve]:
        return {VAL_ACCURACY: self.accuracies, VAL_LOSS: self.losses} | self.others

    def _latest(self) -> dict[str, float]:
        """What the last validation found of each objective that is a validation metric."""
        named = self._named()
        return {objective: named[curve][-1][1] for objective, curve in self._objectives.items()}

    def _restore_best(self, pl_module: Any, steps: int) -> bool:
        """Whether the model got an earlier state than that after so many steps, the last ones."""
        kept, self._kept = self._kept, None
        if kept is None or self.best is None or self.best[0] == steps:
            return False
        restore_state(pl_module.model, kept)
        return True

    def _is_best(self) -> bool:
        return self.best is not None and self.best[0] == self.accuracies[-1][0]

    def _without_better(self) -> int:
        """Validations since the best one."""
        best = 0 if self.best is None else self.best[0]
        return sum(steps > best for steps, _ in self.accuracies)
