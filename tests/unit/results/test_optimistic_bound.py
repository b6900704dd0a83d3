"""Which trainings would be beaten at their best, and how much of true fronts that loses on simulated studies."""

import dataclasses

import pytest

from terrasweep.measure.known_early import KNOWN_EARLY
from terrasweep.results.optimistic_bound import (
    GAIN_MARGIN,
    LEAST_CURVES,
    FinishedTraining,
    TrainingUnderWay,
    find_beating,
    largest_gain,
)
from terrasweep.results.study_record import Objective
from tests.unit.results import recorded_trainings
from tests.unit.results.simulated_trainings import FAMILIES, losses_and_savings

ACCURACY = Objective(name="accuracy", direction="maximize")
SPEED = Objective(name="throughput_samples_per_s", direction="maximize")
MEMORY = Objective(name="peak_memory_mib", direction="minimize")
OBJECTIVES = [ACCURACY, SPEED, MEMORY]
MARGINS = {SPEED.name: 0.05, MEMORY.name: 0.0}
GAIN = 0.1
REACH = (1 + GAIN_MARGIN) * GAIN
"""What a training is expected to gain at best, where the finished ones gained 0.1 since then."""


def finished(number=0, accuracy=0.7, speed=100.0, memory=50.0, gain=GAIN, cost_key=""):
    return FinishedTraining(
        number=number,
        objective_values={ACCURACY.name: accuracy, SPEED.name: speed, MEMORY.name: memory},
        curves={ACCURACY.name: [(0.5, accuracy - gain), (1.0, accuracy)]},
        cost_key=cost_key,
    )


OTHERS = [finished(number, accuracy=0.2, speed=1.0, memory=999.0) for number in range(1, LEAST_CURVES)]
"""They beat nothing."""


def under_way(accuracy=0.7 - REACH - 0.01, speed=90.0, memory=50.0, part=0.5, cost_key=""):
    found = {ACCURACY.name: [accuracy, accuracy - 0.05]}  # It has been better than it is.
    return TrainingUnderWay(part=part, found=found, costs={SPEED.name: speed, MEMORY.name: memory}, cost_key=cost_key)


def beaten(training, *trials, objectives=OBJECTIVES):
    return find_beating(training, trials, objectives, MARGINS)


def test_a_training_is_beaten_at_the_best_that_any_before_it_has_made_of_it():
    found = beaten(under_way(), finished(7), *OTHERS)
    assert found.by == 7
    assert found.bounds == pytest.approx({ACCURACY.name: 0.69, SPEED.name: 94.5, MEMORY.name: 50.0})  # 0.49 + 2 * 0.1


@pytest.mark.parametrize(
    "change",
    [
        {"accuracy": 0.7 - REACH + 0.01},  # It could still be the more accurate one,
        {"speed": 96.0},  # or the faster one, within the margin of a rate,
        {"memory": 49.0},  # or it is the smaller one,
        {"part": 0.4},  # or nobody knows what came after so early a part.
    ],
)
def test_a_training_that_may_still_be_on_the_front_goes_on(change):
    assert beaten(under_way(**change), finished(7), *OTHERS) is None


def test_a_bound_needs_enough_finished_curves():
    assert beaten(under_way(), finished(7), *OTHERS[1:]) is None
    assert largest_gain([([(0.5, 0.1)], 0.3)] * (LEAST_CURVES - 1), 0.5, maximize=True) is None


def test_one_finished_training_that_gained_much_keeps_others_going():
    late = finished(3, accuracy=0.2, speed=1.0, memory=999.0, gain=0.15)
    assert beaten(under_way(), finished(7), *OTHERS, late) is None


def test_trials_of_one_cost_key_cost_the_same_whatever_was_measured():
    slow = {"speed": 99.0, "memory": 49.0}
    assert beaten(under_way(**slow), finished(7), *OTHERS) is None
    assert beaten(under_way(**slow, cost_key="k"), finished(7, cost_key="k"), *OTHERS).by == 7


def test_a_cost_that_is_not_known_yet_lets_a_training_go_on():
    training = TrainingUnderWay(part=0.5, found={ACCURACY.name: [0.1]}, costs={SPEED.name: 1.0})
    assert beaten(training, finished(7), *OTHERS) is None
    assert beaten(training, finished(7), *OTHERS, objectives=[ACCURACY, SPEED]) is not None


def test_an_equal_training_is_not_beaten():
    flat = [finished(number, gain=0.0, cost_key="k") for number in range(LEAST_CURVES)]
    assert beaten(under_way(accuracy=0.7, cost_key="k"), *flat) is None
    assert beaten(under_way(accuracy=0.69, cost_key="k"), *flat) is not None


def test_a_loss_gains_by_falling():
    curves = [([(0.25, 0.9), (0.5, 0.5)], 0.3)] * LEAST_CURVES
    assert largest_gain(curves, 0.5, maximize=False) == pytest.approx(0.2)
    assert largest_gain(curves, 0.49, maximize=False) == pytest.approx(0.6)
    assert largest_gain(curves, 0.5, maximize=True) == 0.0


@pytest.mark.slow
def test_at_most_a_hundredth_of_true_fronts_is_lost_and_training_is_saved():
    """240 studies of 40 trials in four families. docs/ending-early.md has what 200 of each family gave."""
    outcomes = [losses_and_savings(family, range(60), 40, KNOWN_EARLY) for family in FAMILIES]
    lost, saved = (sum(column) / len(FAMILIES) for column in zip(*outcomes, strict=True))
    assert lost <= 0.01
    assert all(saving > 0.02 for _, saving in outcomes), outcomes
    assert saved > 0.04


def test_without_the_margins_more_than_a_hundredth_would_be_lost(monkeypatch):
    """The test above can fail: it needs both margins."""
    monkeypatch.setattr("terrasweep.results.optimistic_bound.GAIN_MARGIN", 0.0)
    assert losses_and_savings(FAMILIES[-1], range(12), 40, {})[0] > 0.02


def test_of_recorded_trainings_none_on_the_front_is_lost_in_any_order():
    """Trials of one cost key differ in their measured speed by noise alone, and here count as different ones."""
    trials = [dataclasses.replace(trial, cost_key="") for trial in recorded_trainings.read()]
    replayed = [recorded_trainings.replay(trials, seed, KNOWN_EARLY) for seed in range(30)]
    assert sum(lost for _, lost, _ in replayed) == 0
    assert sum(saved for *_, saved in replayed) / len(replayed) > 0.05
