"""What is measured is known, what is predicted is corrected, and the rest is learnt from what bears on it."""

import math

import numpy as np
import pytest
from optuna.trial import TrialState

from terrasweep.study.factored.forecast import PROBE_SHARE, Estimate, Models
from terrasweep.study.factored.history import read_history
from terrasweep.study.factored.quantities import (
    MEASURED,
    PROBE_SECONDS,
    TRAINING_SECONDS,
    BearsOn,
    Prediction,
    Quantity,
)
from tests.unit.study.factored.small_space import ACCURACY, MEMORY, OBJECTIVES, SPEED, candidates, numbers, trial

LIMIT = Quantity(name="memory", of=BearsOn.COST, maximize=False, most=1000.0)


def seconds_of(settings):
    return 1000 / numbers(settings)[1]


def models(found, settings, limited=(), **attrs):
    trials = [trial(s, numbers(s), **{MEASURED: {TRAINING_SECONDS: seconds_of(s)}, **attrs}) for s in settings]
    return Models(read_history(trials, found, OBJECTIVES, limited), limited, {})


def relative_errors(estimate, found, column):
    true = np.array([numbers(candidate.settings)[column] for candidate in found])
    return np.abs(estimate.at(0.0) / true - 1)


def test_what_was_measured_is_known_for_all_that_share_its_key():
    found = candidates()
    told = {"bits": "few", "rank": 4, "rate": 0.01, "store": "none"}
    fitted = models(found, [told, {**told, "rate": 0.001}, {**told, "store": "keep"}])
    same_cost = fitted.estimate(MEMORY, [found.of({**told, "rate": 0.05})])
    same_quality = fitted.estimate(ACCURACY, [found.of({**told, "store": "half"})])
    assert same_cost.at(0.0)[0] == pytest.approx(numbers(told)[2])
    assert same_quality.at(0.0)[0] == pytest.approx(numbers(told)[0])
    assert max(same_cost.sd[0], same_quality.sd[0]) < 1e-5


def test_cost_and_quality_are_learnt_from_some():
    found = candidates()
    fitted = models(found, [c.settings for c in found.pool[:25]])
    others = found.pool[25:]
    assert np.median(relative_errors(fitted.estimate(MEMORY, others), others, 2)) < 0.05
    assert np.median(relative_errors(fitted.estimate(SPEED, others), others, 1)) < 0.05
    assert np.median(relative_errors(fitted.estimate(ACCURACY, others), others, 0)) < 0.03


def test_a_prediction_counts_until_something_is_measured_and_is_corrected_then():
    def predict(settings):
        return {"memory": Prediction(value=1.3 * numbers(settings)[2], relative_error=0.3)}

    found = candidates(predict)
    unseen = models(found, []).estimate(MEMORY, found.pool)
    assert relative_errors(unseen, found.pool, 2) == pytest.approx(np.full(len(found.pool), 0.3))
    assert unseen.sd == pytest.approx(np.full(len(found.pool), 0.3))
    seen = models(found, [c.settings for c in found.pool[:6]]).estimate(MEMORY, found.pool[6:])
    assert relative_errors(seen, found.pool[6:], 2).max() < 0.02


def test_what_is_predicted_less_surely_than_what_was_measured_is_known_less_surely():
    def predict(settings):
        error = 0.02 if settings["bits"] == "full" else 0.4
        return {"memory": Prediction(value=numbers(settings)[2], relative_error=error)}

    found = candidates(predict)
    sure = [c for c in found.pool if c.settings["bits"] == "full"]
    vague = [c for c in found.pool if c.settings["bits"] != "full"]
    fitted = models(found, [c.settings for c in sure[:6]])
    assert fitted.estimate(MEMORY, sure[6:]).sd.max() < 0.1
    assert fitted.estimate(MEMORY, vague).sd.min() > 0.38


def test_a_limit_makes_what_exceeds_it_unlikely_and_what_was_measured_certain():
    found = candidates()
    fitted = models(found, [c.settings for c in found.pool[:25]], [LIMIT])
    chances = fitted.chance_to_fit(found.pool)
    memory = np.array([numbers(c.settings)[2] for c in found.pool])
    assert set(np.round(chances[:25], 6)) <= {0.0, 1.0}
    assert chances[memory < 900].mean() > 0.9
    assert chances[memory > 1100].mean() < 0.1


def test_repeated_failures_of_one_kind_make_their_like_unlikely():
    found = candidates()
    settings = [c.settings for c in found.pool[:24]]
    trials = [
        trial(s, numbers(s)) if s["bits"] == "full" else trial(s, state=TrialState.FAIL, reason="crashed")
        for s in settings
    ]
    fitted = Models(read_history(trials, found, OBJECTIVES, []), [], {})
    chances = fitted.chance_to_fit(found.pool[24:])
    few = np.array([c.settings["bits"] == "few" for c in found.pool[24:]])
    assert chances[few].max() < 0.3
    assert chances[~few].min() > 0.7


def test_a_probe_is_a_share_of_a_training_until_both_are_seen():
    found = candidates()
    training, probe = models(found, [c.settings for c in found.pool[:12]]).seconds(found.pool)
    assert probe / training == pytest.approx(np.full(len(found.pool), PROBE_SHARE))
    true = np.array([seconds_of(c.settings) for c in found.pool])
    assert np.median(np.abs(training / true - 1)) < 0.1
    settings = [c.settings for c in found.pool[:24]]
    trials = [trial(s, numbers(s), **{MEASURED: {TRAINING_SECONDS: seconds_of(s)}}) for s in settings[:12]]
    trials += [trial(s, numbers(s), **{MEASURED: {PROBE_SECONDS: 0.3 * seconds_of(s)}}) for s in settings[12:]]
    training, probe = Models(read_history(trials, found, OBJECTIVES, []), [], {}).seconds(found.pool)
    assert np.median(probe / training) == pytest.approx(0.3, rel=0.15)


def test_chances_are_those_of_a_normal_number_or_of_its_logarithm():
    plain = Estimate(mean=np.array([1.0]), sd=np.array([2.0]), log=False)
    logarithm = Estimate(mean=np.array([math.log(4.0)]), sd=np.array([0.5]), log=True)
    assert plain.chance_of(np.array([1.0, 3.0]), at_least=True)[:, 0] == pytest.approx([0.5, 0.158655], rel=1e-4)
    assert plain.chance_of(np.array([3.0]), at_least=False)[0, 0] == pytest.approx(0.841345, rel=1e-4)
    assert logarithm.chance_of(np.array([4.0, 4.0 * math.exp(0.5), -1.0]), at_least=True)[:, 0] == pytest.approx(
        [0.5, 0.158655, 1.0], rel=1e-4
    )
    assert logarithm.at(1.0) == pytest.approx([4.0 * math.exp(0.5)])
