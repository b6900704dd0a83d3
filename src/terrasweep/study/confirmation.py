"""The confirmation round: what is on the front, or within the errors of it, is probed again under the same conditions.

A search measures its trials hours apart. Afterwards each configuration whose memory and speed matter is measured again,
in several rounds and each round in an order of its own, so that whatever else the machine does meets all alike (the
randomized blocks of Fisher 1935, "The design of experiments"). What a trial's numbers are is then the mean of all.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

from terrasweep.config.reuse import ConfirmConfig
from terrasweep.results.extra_trainings import Role, probe_name, probed_trial
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.extra_trainings import ExtraTraining
from terrasweep.study.search_space import SearchSpace


def plan_round(
    near: Sequence[TrialResult],
    settings: ConfirmConfig,
    space: SearchSpace,
    done: Mapping[str, TrialResult],
    seed: int,
) -> list[ExtraTraining]:
    """The next round's probes, in its own order; none where each trial has been probed often enough.

    Trials with the same memory and speed by their ``cost_key`` are probed as one. A probe that something disturbed is
    made up for in a later round, ``confirm.disturbed_again`` times.

    Args:
        near: The trials on the front, and those within the errors of it.
        settings: How many rounds there are.
        space: What the study searches.
        done: What earlier probes came to, by their names.
        seed: Of the orders.
    """
    distinct: dict[str, TrialResult] = {}
    for trial in sorted(near, key=lambda trial: trial.number or 0):
        # What was made again from Optuna's storage alone has no configuration to measure again.
        if trial.number is not None and "train" in trial.config:
            distinct.setdefault(trial.cost_key or f"trial {trial.number}", trial)
    missing = [(place, trial) for trial in distinct.values() for place in _next(trial, settings, done)]
    if not missing:
        return []
    place = min(place for place, _ in missing)
    probes = [_probe(trial, place, space) for at, trial in missing if at == place]
    random.Random(f"{seed} {place}").shuffle(probes)
    return probes


def _next(trial: TrialResult, settings: ConfirmConfig, done: Mapping[str, TrialResult]) -> Iterator[int]:
    """The round in which a trial is probed next, where it is."""
    earlier = [result for name, result in done.items() if probed_trial(name) == trial.number]
    disturbed = sum(bool(result.measurements.get("disturbed")) for result in earlier)
    if len(earlier) < settings.rounds + min(disturbed, settings.disturbed_again):
        yield len(earlier) + 1


def _probe(trial: TrialResult, place: int, space: SearchSpace) -> ExtraTraining:
    return ExtraTraining(
        role=Role.CONFIRMATION,
        name=probe_name(trial.number or 0, place),
        settings=trial.searched,
        # Operations are counted once, by the trial.
        overrides=(*space.overrides(trial.searched), "probe.alone=true", "train.count_flops=false"),
    )
