"""The learning rate of each step."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from terrasweep.config.schedule import ScheduleConfig


class LearningRates:
    """Sets the learning rates of an optimizer's groups, step by step.

    Not through the trainer, which would hand it to DeepSpeed, too, and then step it twice.
    """

    def __init__(self, optimizer: Optimizer, schedule: ScheduleConfig, steps: int) -> None:
        """Args: the groups' rates are those at the top; ``steps`` is the number of optimizer steps in all."""
        # torch's own rule of the plateau, for a learning rate of 1: the rise has to be put on top of it.
        self._top = torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=1.0)
        self._plateau: ReduceLROnPlateau | None = None
        if schedule.name == "plateau":
            factor, patience = schedule.factor, schedule.patience
            self._plateau = ReduceLROnPlateau(self._top, "max", factor=factor, patience=patience, threshold=0.0)
        self._groups = optimizer.param_groups
        self._tops = [group["lr"] for group in self._groups]
        self._factor, self._step = learning_rate_factor(schedule, steps), 0
        self._set()

    @property
    def highest(self) -> float:
        """The learning rate of the next step, of the group that learns fastest."""
        return float(max(group["lr"] for group in self._groups))

    def advance(self) -> None:
        """The optimizer has stepped."""
        self._step += 1
        self._set()

    def judge(self, accuracy: float) -> None:
        """A validation has found an accuracy; only ``plateau`` heeds it."""
        if self._plateau is not None:
            self._plateau.step(accuracy)
            self._set()

    def _set(self) -> None:
        factor = self._factor(self._step) * self._top.param_groups[0]["lr"]
        for group, top in zip(self._groups, self._tops, strict=True):
            group["lr"] = factor * top


def learning_rate_factor(schedule: ScheduleConfig, steps: int) -> Callable[[int], float]:
    """The part of ``train.lr`` that a step uses, by the step's number from 0.

    In the rise of ``w`` steps it is ``(step + 1) / (w + 1)``, so that no step is lost to a rate of 0; after it, with
    ``x`` the share of the other steps that are done, 1, ``end + (1 - end) (1 + cos(πx)) / 2`` or
    ``end + (1 - end) (1 - x)``. What a plateau takes away comes on top.
    """
    rise, end = schedule.warmup_steps(steps), schedule.end_ratio
    falls: dict[str, Callable[[float], float]] = {
        "cosine": lambda done: end + (1 - end) * (1 + math.cos(math.pi * done)) / 2,
        "linear": lambda done: end + (1 - end) * (1 - done),
    }
    fall = falls.get(schedule.name, _constant)

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / (rise + 1)
        return fall(min(1.0, (step - rise) / max(1, steps - rise)))

    return factor


def _constant(done: float) -> float:
    return 1.0
