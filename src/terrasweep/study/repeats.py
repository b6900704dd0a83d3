"""Which trials are trained again with other seeds once a study's search is over, and with which."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from terrasweep.config.schema import RepeatsConfig
from terrasweep.results.extra_trainings import Role, quality_of, repeat_name
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.extra_trainings import ExtraTraining
from terrasweep.study.override_text import as_override
from terrasweep.study.search_space import SearchSpace


def plan_repeats(
    front: Sequence[TrialResult], settings: RepeatsConfig, space: SearchSpace, done: Collection[str]
) -> list[ExtraTraining]:
    """The trainings of a study's front with the next seeds after each trial's own.

    All trials get one seed after the other, so that a budget that ends leaves them with as many each, give or take one.
    Trials that have the same accuracy by their ``quality_key`` are trained once.

    Args:
        front: The trials.
        settings: How many seeds, and how many trainings at most.
        space: What the study searches.
        done: Names of the repeats that earlier starts have made; they count, also of trials that left the front.
    """
    distinct: dict[str, TrialResult] = {}
    for trial in sorted(front, key=lambda trial: trial.number or 0):
        distinct.setdefault(quality_of(trial), trial)
    wanted = list(_each_seed(list(distinct.values()), settings.seeds, space))
    if settings.n_trainings is None:
        return wanted
    missing = [training for training in wanted if training.name not in done]
    now = {training.name for training in missing[: max(0, settings.n_trainings - len(done))]}
    return [training for training in wanted if training.name in now or training.name in done]


def _each_seed(trials: Sequence[TrialResult], seeds: int, space: SearchSpace) -> Iterator[ExtraTraining]:
    for place in range(1, seeds + 1):
        for trial in trials:
            # What was made again from Optuna's storage alone has no configuration to train again.
            if trial.number is not None and "train" in trial.config:
                yield _repeat(trial, trial.number, trial.config["train"]["seed"] + place, space)


def _repeat(trial: TrialResult, number: int, seed: int, space: SearchSpace) -> ExtraTraining:
    return ExtraTraining(
        role=Role.REPEAT,
        name=repeat_name(number, seed),
        settings={**trial.searched, "train.seed": seed},
        overrides=(*space.overrides(trial.searched), as_override("train.seed", seed), "train.save_weights=false"),
    )
