"""How many optimizer steps a training has, where the configuration says it in epochs."""

from __future__ import annotations

from terrasweep.config.schedule import find_bad_warmup
from terrasweep.config.schema import TrialConfig
from terrasweep.config.train import find_late_validation
from terrasweep.data.open.split_data import OpenData
from terrasweep.results.errors import InvalidConfig


def training_steps(config: TrialConfig, data: OpenData) -> int:
    """Optimizer steps of a whole training, untimed ones included.

    Raises:
        InvalidConfig: With ``train.epochs``, the training split gives no more batches than there are untimed steps.
    """
    train = config.train
    if train.steps is not None:
        return train.steps
    steps = (train.epochs or 0) * data.batches_per_epoch
    if steps <= train.untimed_steps:
        raise InvalidConfig(
            f"train.epochs={train.epochs}: the training split gives {steps} steps, and train.untimed_steps="
            f"{train.untimed_steps} of them are not timed; train for more epochs, or set train.untimed_steps=0"
        )
    return steps


def validation_steps(config: TrialConfig, data: OpenData) -> int | None:
    """Optimizer steps from one validation to the next; None where only the end is validated."""
    interval = config.train.validation_interval
    if interval is None:
        return None
    return interval.count * (data.batches_per_epoch if interval.unit == "epochs" else 1)


def check_length(config: TrialConfig, data: OpenData) -> None:
    """Refuse a schedule and validations for which a training is too short, where only its data tell that.

    What the configuration tells alone is refused before anything runs.

    Raises:
        InvalidConfig: The warm-up takes all steps, or what heeds validations would see none; one line each.
    """
    train, interval = config.train, config.train.validation_interval
    if train.steps is not None and (interval is None or interval.unit == "steps"):
        return  # There may be no training split at all, as where a trial is evaluated by itself.
    heeding = [*train.heeding_validations, *config.schedule.heeding_validations]
    if config.trial.judged:
        heeding.append("study.stop_dominated=true" if config.study.stop_dominated else "hydra/sweeper/pruner")
    lines = list(find_late_validation(train, heeding, data.batches_per_epoch))
    if lines := [*lines, *find_bad_warmup(config.schedule, training_steps(config, data))]:
        raise InvalidConfig("\n".join(lines))
