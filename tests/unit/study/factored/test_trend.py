"""A number that goes with the settings as in another study, on a scale of its own."""

import numpy as np
import pytest

from terrasweep.study.factored.forecast import Models
from terrasweep.study.factored.history import History
from terrasweep.study.factored.quantities import BearsOn
from terrasweep.study.factored.trend import Trend
from tests.unit.study.factored.small_space import ACCURACY, candidates, numbers

POOL = list({candidate.quality: candidate for candidate in candidates(drawn=120).pool}.values())
SEEN, ASKED = POOL[:40], POOL[40:80]


def accuracies(of):
    return np.array([numbers(candidate.settings)[0] for candidate in of])


def trend(scale=1.0, seen=SEEN):
    told = zip(seen, scale * accuracies(seen) + 0.2, strict=True)
    return Trend({"before": list(told)}, BearsOn.QUALITY, {})


def test_without_own_numbers_it_goes_as_in_the_other_study():
    expected = accuracies(ASKED) - accuracies(SEEN).mean()
    found = trend().at(ASKED)
    assert np.corrcoef(found, expected)[0, 1] > 0.9
    assert np.std(found) == pytest.approx(np.std(expected), rel=0.25)


@pytest.mark.parametrize("scale", [2.0, 0.5, -1.0])
def test_the_factor_follows_what_is_measured_here(scale):
    """The other study's accuracies are so many times this one's."""
    told = trend(scale)
    before = told.at(ASKED)
    told.fit(SEEN, accuracies(SEEN))
    after = told.at(ASKED)
    expected = accuracies(ASKED) - accuracies(SEEN).mean()
    assert np.abs(after - expected).mean() < 0.6 * np.abs(before - expected).mean()


def test_one_number_of_one_s_own_changes_no_factor():
    told = trend()
    before = told.at(ASKED)
    told.fit(SEEN[:1], accuracies(SEEN[:1]) + 0.5)
    assert told.at(ASKED) == pytest.approx(before)


def test_studies_share_the_trend():
    both = {name: list(zip(SEEN, accuracies(SEEN), strict=True)) for name in ("one", "other")}
    assert Trend(both, BearsOn.QUALITY, {}).at(ASKED) == pytest.approx(
        Trend({"one": both["one"]}, BearsOn.QUALITY, {}).at(ASKED)
    )
    assert Trend(both, BearsOn.QUALITY, {}).spread == pytest.approx(np.std(accuracies(SEEN)))


def error_with(trends, own):
    history = History(numbers={"accuracy": list(zip(own, accuracies(own), strict=True))}, trends=trends)
    estimate = Models(history, [], {}).estimate(ACCURACY, ASKED)
    return float(np.abs(estimate.mean - accuracies(ASKED)).mean()), estimate.sd


def test_a_few_own_trials_and_a_trend_tell_more_than_a_few_own_trials():
    own = POOL[80:85]
    trends = {"accuracy": {"before": list(zip(SEEN, 0.5 * accuracies(SEEN) + 0.3, strict=True))}}
    (alone, _), (with_trend, sd) = error_with({}, own), error_with(trends, own)
    assert with_trend < 0.7 * alone
    _, first = error_with(trends, own[:1])
    assert first.min() > 0.5 * sd.mean(), "one number of one's own makes nobody sure"
