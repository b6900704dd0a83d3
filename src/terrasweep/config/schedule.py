"""How the learning rate changes from step to step. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from omegaconf import MISSING

from terrasweep.config.train import TrainConfig, find_late_validation
from terrasweep.results.wording import nearest

SCHEDULES = ("constant", "cosine", "linear", "plateau")
_DEFAULTS = {"end_ratio": 0.0, "factor": 0.1, "patience": 5}
_OWN = {"end_ratio": ("cosine", "linear"), "factor": ("plateau",), "patience": ("plateau",)}
"""Keys that mean something to some schedules alone."""


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """How the learning rate changes from step to step."""

    name: str = MISSING
    """``constant``, ``cosine`` (half a period of it; Loshchilov and Hutter 2017, without restarts), ``linear``, or
    ``plateau`` (it falls where the validation's accuracy no longer rises)."""
    warmup: float = 0.0
    """Steps of a linear rise at the beginning; below 1, their share of all steps."""
    end_ratio: float = 0.0
    """Of ``cosine`` and ``linear``: the learning rate after the last step, as a part of ``train.lr``."""
    factor: float = 0.1
    """Of ``plateau``: what the learning rate is multiplied by."""
    patience: int = 5
    """Of ``plateau``: validations in a row without a better accuracy that are put up with."""

    @property
    def heeding_validations(self) -> list[str]:
        """What validations before the end decide about, as ``key=value``."""
        return ["schedule=plateau"] if self.name == "plateau" else []

    def warmup_steps(self, steps: int) -> int:
        """Steps of the rise, of so many in all."""
        return round(self.warmup * steps) if self.warmup < 1 else round(self.warmup)


def find_bad_values(schedule: ScheduleConfig, train: TrainConfig) -> Iterator[str]:
    """One line per value that is wrong."""
    if schedule.name not in SCHEDULES:
        yield f"schedule.name={schedule.name}: unknown; {nearest(schedule.name, SCHEDULES)}"
        return
    yield from find_bad_warmup(schedule, train.steps)
    if not 0 <= schedule.end_ratio <= 1:
        yield f"schedule.end_ratio={schedule.end_ratio:g}: a part of train.lr is needed; use 0 to 1"
    if not 0 < schedule.factor < 1:
        yield f"schedule.factor={schedule.factor:g}: the learning rate would not fall; use a value between 0 and 1"
    if schedule.patience < 0:
        yield f"schedule.patience={schedule.patience}: it can't be negative; use 0 or more"
    for key, names in _OWN.items():
        if getattr(schedule, key) != _DEFAULTS[key] and schedule.name not in names:
            yield (
                f"schedule.{key}={getattr(schedule, key):g} with schedule={schedule.name}: it means something to "
                f"{' and '.join(names)} alone; drop it"
            )
    if schedule.name == "plateau" and train.validate_every is None:
        yield "schedule=plateau: nothing is validated before the end; set train.validate_every, for example epoch"
    yield from find_late_validation(train, schedule.heeding_validations)


def find_bad_warmup(schedule: ScheduleConfig, steps: int | None) -> Iterator[str]:
    """The line about a warm-up that is none, or that takes all of so many steps; None: only the data tell how many."""
    if schedule.warmup < 0 or (schedule.warmup > 1 and schedule.warmup != int(schedule.warmup)):
        yield f"schedule.warmup={schedule.warmup:g}: use a whole number of steps, or a share of them below 1"
    elif steps is not None and schedule.warmup_steps(steps) >= max(1, steps):
        yield (
            f"schedule.warmup={schedule.warmup:g}: the learning rate would rise in all {steps} steps and never be "
            "train.lr; use fewer, or a share like 0.1"
        )
