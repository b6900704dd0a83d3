"""How much each searched key decides over each objective, by Optuna's fANOVA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances

from terrasweep.machine import startup
from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.report.tables import searched_text
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import ABSENT

FEWEST_TRIALS = 4
"""With fewer complete trials there is nothing to divide the variance among."""
MOST_CATEGORIES = 8
"""A numeric key with more distinct values is treated as continuous."""
SEED = 0
"""Of the random forest behind fANOVA, so that the same study gives the same report."""


def importances(outcome: StudyOutcome, objective: str) -> dict[str, float] | str:
    """Share of an objective's variance over the complete trials that each searched key explains.

    fANOVA: Hutter, Hoos and Leyton-Brown 2014. A key that a trial doesn't have counts as one more category.

    Args:
        outcome: The study.
        objective: The name of one of its objectives.

    Returns:
        Shares that add up to 1, by key; or a sentence that says why there are none.
    """
    trials = outcome.ranked
    if len(trials) < FEWEST_TRIALS:
        return f"Importances need at least {FEWEST_TRIALS} complete trials; there are {len(trials)}."
    values = [result.value(objective) or 0.0 for result in trials]
    if max(values) == min(values):
        return "All complete trials have the same value, so no setting can be said to matter."
    distributions = _distributions(outcome, trials)
    if not distributions:
        return "No searched setting differs between the complete trials."
    startup.quiet_optuna()
    study = optuna.create_study()
    for result, value in zip(trials, values, strict=True):
        params = {key: _parameter(result, key, kind) for key, kind in distributions.items()}
        study.add_trial(optuna.create_trial(value=value, params=params, distributions=distributions))
    try:
        shares = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=SEED))
    except RuntimeError:  # The forest found no variance to divide: the values differ by rounding alone.
        return "The complete trials' values are too close together to say which setting matters."
    return {key: float(share) for key, share in shares.items()}


def _distributions(outcome: StudyOutcome, trials: Sequence[TrialResult]) -> dict[str, BaseDistribution]:
    """A distribution for each key with more than one value among the trials."""
    found: dict[str, BaseDistribution] = {}
    for key in outcome.searched_keys:
        values = [result.searched.get(key) for result in trials]
        numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        texts = sorted({_category(result, key) for result in trials})
        if len(numbers) == len(trials) and len(set(numbers)) > MOST_CATEGORIES:
            found[key] = FloatDistribution(min(numbers), max(numbers))
        elif len(texts) > 1:
            found[key] = CategoricalDistribution(texts)
    return found


def _parameter(result: TrialResult, key: str, kind: BaseDistribution) -> Any:
    return float(result.searched[key]) if isinstance(kind, FloatDistribution) else _category(result, key)


def _category(result: TrialResult, key: str) -> str:
    return searched_text(result, key) or ABSENT
