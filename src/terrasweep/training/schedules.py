"""The learning rate of each step."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from terrasweep.config.schedule import ScheduleConfig


def build_schedule(optimizer: Optimizer, schedule: ScheduleConfig, steps: int) -> LambdaLR:
    """A scheduler to be stepped after each optimizer step.

    Args:
        optimizer: Its groups' learning rates are those at the top of the schedule.
        schedule: The settings.
        steps: Optimizer steps of the whole training.
    """
    return LambdaLR(optimizer, learning_rate_factor(schedule, steps))


def learning_rate_factor(schedule: ScheduleConfig, steps: int) -> Callable[[int], float]:
    """The part of ``train.lr`` that a step uses, by the step's number from 0.

    In the rise of ``w`` steps it is ``(step + 1) / (w + 1)``, so that no step is lost to a rate of 0; after it, with
    ``x`` the share of the other steps that are done, 1, ``end + (1 - end) (1 + cos(πx)) / 2`` or
    ``end + (1 - end) (1 - x)``.
    """
    rise, end = schedule.warmup_steps(steps), schedule.end_ratio
    falls: dict[str, Callable[[float], float]] = {
        "constant": lambda done: 1.0,
        "cosine": lambda done: end + (1 - end) * (1 + math.cos(math.pi * done)) / 2,
        "linear": lambda done: end + (1 - end) * (1 - done),
    }
    fall = falls[schedule.name]

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / (rise + 1)
        return fall(min(1.0, (step - rise) / (steps - rise)))

    return factor
