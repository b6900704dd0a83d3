"""What does not go together with ending trainings early; refused before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from optuna.pruners import BasePruner

from terrasweep.config.schema import ObjectiveConfig, TrialConfig
from terrasweep.config.train import find_late_validation
from terrasweep.measure.known_early import KNOWN_EARLY, ONLY_GROWS
from terrasweep.measure.learning_curves import curve_of
from terrasweep.results.errors import InvalidConfig

_STOP = "study.stop_dominated=true"


def check_early_ends(pruner: BasePruner | None, config: TrialConfig, searched: Collection[str]) -> None:
    """Refuse a study whose trainings can't end early as it is asked for.

    Raises:
        InvalidConfig: With one line per contradiction.
    """
    if conflicts := [*find_conflicts(pruner, config, searched)]:
        raise InvalidConfig("\n".join(conflicts))


def find_conflicts(pruner: BasePruner | None, config: TrialConfig, searched: Collection[str]) -> Iterator[str]:
    """One line per contradiction.

    Args:
        pruner: The study's.
        config: What is fixed.
        searched: The searched keys.
    """
    if pruner is not None:
        yield from _of_pruner(f"hydra/sweeper/pruner: {type(pruner).__name__}", config, searched)
    if config.study.stop_dominated:
        yield from _of_dominated(config)
    who = _STOP if pruner is None else "hydra/sweeper/pruner"
    if pruner is None and not config.study.stop_dominated:
        return
    if config.train.validate_every is None:
        yield f"{who}: nothing is validated before the end; set train.validate_every, for example epoch"
    yield from find_late_validation(config.train, [who])


def _of_pruner(pruner: str, config: TrialConfig, searched: Collection[str]) -> Iterator[str]:
    objectives = config.study.objectives
    if len(objectives) > 1:
        yield (
            f"{pruner} compares one number, and study.objectives has {len(objectives)}; keep one of them, or use "
            f"{_STOP} and hydra/sweeper/pruner=none"
        )
    elif objectives and curve_of(objectives[0].name) is None:
        yield (
            f"{pruner} needs a learning curve, and {objectives[0].name} is no validation metric; use accuracy or a "
            "val_... metric in study.objectives, or hydra/sweeper/pruner=none"
        )
    if "train.validate_every" in searched:
        yield (
            f"{pruner} compares trials validation by validation, and train.validate_every is searched; fix it, or use "
            "hydra/sweeper/pruner=none"
        )


def _of_dominated(config: TrialConfig) -> Iterator[str]:
    objectives = config.study.objectives
    if len(objectives) == 1:
        yield (
            f"{_STOP} weighs what a training can still reach against what it costs, and study.objectives has one; use "
            "hydra/sweeper/pruner, for example median"
        )
    elif not any(curve_of(objective.name) for objective in objectives):
        yield f"{_STOP} needs a learning curve; have accuracy or a val_... metric in study.objectives"
    for objective in objectives:
        if not _is_known_early(objective):
            yield (
                f"{_STOP}: {objective.direction} {objective.name} is not known while a trial trains; use "
                f"{', '.join(KNOWN_EARLY)}, or a validation metric"
            )


def _is_known_early(objective: ObjectiveConfig) -> bool:
    name = objective.name
    if curve_of(name) is not None:
        return True
    return name in KNOWN_EARLY and not (name in ONLY_GROWS and objective.direction == "maximize")
