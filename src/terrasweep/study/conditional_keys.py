"""Lets samplers that learn from keys which every trial has learn from conditional ones, too."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from terrasweep.study.factored.candidates import draw_value

FOR_WHOLE_TRIALS = (optuna.samplers.GPSampler, optuna.samplers.NSGAIISampler, optuna.samplers.NSGAIIISampler)
"""Optuna's samplers that draw a key at random once a trial did not have it."""


class WithEveryKey(BaseSampler):
    """Shows a sampler trials in which each key has a value, drawn by chance where it was not active.

    So all keys are modelled together, and that one does not matter where it is not active is learnt, too: with a fixed
    value there, the others would stay unexplored for ever. What is proposed for such a key is not asked for.
    """

    def __init__(self, sampler: BaseSampler, space: Mapping[str, BaseDistribution]) -> None:
        """Args: ``space``: the distribution of each key that a trial may have."""
        self.sampler, self._space = sampler, dict(space)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All keys that have a choice, once a trial has come to an answer."""
        if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            return {}
        return {name: distribution for name, distribution in self._space.items() if not distribution.single()}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The sampler's own, of a study whose trials have each key."""
        shown = cast(optuna.Study, _StudyOfWholeTrials(study, self._space))
        return self.sampler.sample_relative(shown, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The sampler's own: at random."""
        return self.sampler.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """The sampler's own."""
        self.sampler.before_trial(study, trial)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """The sampler's own."""
        self.sampler.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """The sampler's own."""
        self.sampler.reseed_rng()


class _StudyOfWholeTrials:
    """A study as it is, but for its trials' settings, which samplers read by a private name."""

    def __init__(self, study: optuna.Study, space: Mapping[str, BaseDistribution]) -> None:
        self._study, self._space = study, space

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(self, deepcopy: bool = True, states: Any = None, use_cache: bool = False) -> list[FrozenTrial]:
        found = self._study.get_trials(deepcopy=deepcopy, states=states)
        return [self._whole(trial) if trial.state is TrialState.COMPLETE else trial for trial in found]

    def _whole(self, trial: FrozenTrial) -> FrozenTrial:
        rng = np.random.default_rng(trial.number)  # The same values whenever it is shown.
        shown = copy.copy(trial)
        shown.params = {name: draw_value(distribution, rng) for name, distribution in self._space.items()}
        shown.params |= trial.params
        return shown
