"""How the learning rate changes from step to step. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from omegaconf import MISSING

from terrasweep.results.wording import nearest

SCHEDULES = ("constant", "cosine", "linear")


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """How the learning rate changes from step to step."""

    name: str = MISSING
    """``constant``, ``cosine`` (half a period of it; Loshchilov and Hutter 2017, without restarts) or ``linear``."""
    warmup: float = 0.0
    """Steps of a linear rise at the beginning; below 1, their share of all steps."""
    end_ratio: float = 0.0
    """Of ``cosine`` and ``linear``: the learning rate after the last step, as a part of ``train.lr``."""

    def warmup_steps(self, steps: int) -> int:
        """Steps of the rise, of so many in all."""
        return round(self.warmup * steps) if self.warmup < 1 else round(self.warmup)


def find_bad_values(schedule: ScheduleConfig, steps: int) -> Iterator[str]:
    """One line per value that is wrong.

    Args:
        schedule: The settings.
        steps: Optimizer steps of the whole training.
    """
    if schedule.name not in SCHEDULES:
        yield f"schedule.name={schedule.name}: unknown; {nearest(schedule.name, SCHEDULES)}"
    if schedule.warmup < 0 or (schedule.warmup > 1 and schedule.warmup != int(schedule.warmup)):
        yield f"schedule.warmup={schedule.warmup:g}: use a whole number of steps, or a share of them below 1"
    elif schedule.warmup_steps(steps) >= steps:
        yield (
            f"schedule.warmup={schedule.warmup:g}: the learning rate would rise in all {steps} steps and never be "
            "train.lr; use fewer, or a share like 0.1"
        )
    if not 0 <= schedule.end_ratio <= 1:
        yield f"schedule.end_ratio={schedule.end_ratio:g}: a part of train.lr is needed; use 0 to 1"
    if schedule.name == "constant" and schedule.end_ratio:
        yield f"schedule.end_ratio={schedule.end_ratio:g} with schedule=constant: it ends where it began; drop it"
