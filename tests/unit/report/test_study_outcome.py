"""What follows from a study's trials: their order, the front and its knee, the hypervolume and its reference."""

import dataclasses
import itertools
import math

import pytest

from terrasweep.report.study_outcome import summarize
from terrasweep.results import pareto
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from tests.unit.report import sample_study as sample
from tests.unit.report.sample_study import random_study

THROUGHPUT = sample.OBJECTIVES[1]


def dominates(one, other, objectives):
    """By hand: nowhere worse, and somewhere better."""
    gains = [
        (1 if objective.maximize else -1) * (one.value(objective.name) - other.value(objective.name))
        for objective in objectives
    ]
    return min(gains) >= 0 and max(gains) > 0


def test_trials_come_by_number_and_one_without_last():
    numbers = [5, None, 0, 3]
    results = [TrialResult(number=number, state=State.COMPLETE) for number in numbers]
    assert [result.number for result in summarize(sample.record(), results).trials] == [0, 3, 5, None]


@pytest.mark.parametrize("study", [sample.study(), random_study(2, 40), random_study(4, 40)], ids=["sample", "2", "4"])
def test_the_front_is_what_nothing_dominates_and_the_rest_is_dominated(study):
    outcome = summarize(*study)
    complete = [result for result in outcome.trials if result.state is State.COMPLETE]
    beaten = [r for r in complete if any(dominates(other, r, outcome.objectives) for other in complete)]
    assert outcome.ranked == complete
    assert outcome.dominated == beaten
    assert outcome.front == [result for result in complete if result not in beaten]
    assert outcome.knee in outcome.front


def test_a_trial_that_lacks_an_objective_or_did_not_complete_ranks_nowhere():
    values = {"accuracy": 0.5, "throughput_samples_per_s": 1.0, "peak_memory_mib": 9.0}
    whole, lacking = sample.complete(0, values), sample.complete(1, {"accuracy": 1.0})
    over = dataclasses.replace(sample.complete(2, values), state=State.INFEASIBLE, reason=Reason.OVER_BUDGET)
    outcome = summarize(sample.record(), [over, lacking, whole])
    assert outcome.ranked == outcome.front == [whole]
    assert outcome.counts == {State.COMPLETE: 2, State.INFEASIBLE: 1}


def test_the_front_of_a_pair_looks_at_the_two_alone_and_goes_along_the_second():
    outcome = summarize(*sample.study())
    for first, second in itertools.combinations(range(3), 2):
        pair = [outcome.objectives[first], outcome.objectives[second]]
        members = outcome.pair_front(first, second)
        expected = [r for r in outcome.ranked if not any(dominates(other, r, pair) for other in outcome.ranked)]
        assert {result.number for result in members} == {result.number for result in expected}
        along = [result.value(pair[1].name) for result in members]
        assert along == sorted(along)


def test_the_hypervolume_never_falls_and_stands_still_over_trials_that_do_not_count():
    outcome = summarize(*sample.study())
    history = outcome.hypervolume
    assert len(history) == len(outcome.trials)
    assert all(after >= before for before, after in itertools.pairwise(history))
    for number in sample.UNFINISHED:
        assert history[number] == history[number - 1]


def test_noise_is_no_progress():
    """A twin that happened to be faster, and one that is faster within the errors, add nothing to the hypervolume."""
    keys = {"quality_key": "q", "cost_key": "c"}
    first = dataclasses.replace(sample.complete(0, {THROUGHPUT.name: 100.0}), **keys)
    twin = dataclasses.replace(sample.complete(1, {THROUGHPUT.name: 104.0}), **keys)
    near = dataclasses.replace(sample.complete(2, {THROUGHPUT.name: 105.0}), quality_key="r", cost_key="d")
    far = dataclasses.replace(sample.complete(3, {THROUGHPUT.name: 900.0}), quality_key="s", cost_key="e")
    history = summarize(sample.record(objectives=[THROUGHPUT]), [first, twin, near, far]).hypervolume
    assert history[0] == history[1] == history[2] < history[3]


@pytest.mark.parametrize(
    ("values", "expected"),
    [((10.0, 5.0, 25.0), [1.0, 1.0, 2.5]), ((math.inf, 10.0, math.inf, 20.0), [0.0, 1.0, 1.0, 2.0])],
    ids=["finite", "an infinite value counts nothing"],
)
def test_the_hypervolume_of_one_objective_is_the_best_one_s_gain_in_units_of_the_first(values, expected):
    trials = [sample.complete(i, {THROUGHPUT.name: value}) for i, value in enumerate(values)]
    assert summarize(sample.record(objectives=[THROUGHPUT]), trials).hypervolume == pytest.approx(expected)


def test_the_record_s_reference_counts_and_without_one_the_first_complete_trial_s():
    record, trials = sample.study()
    fixed = {objective.name: (1.0, 2.0) for objective in record.objectives}
    assert summarize(dataclasses.replace(record, reference=fixed), trials).reference == fixed
    first = next(result for result in trials if result.state is State.COMPLETE)
    expected = pareto.fix_reference(first, record.objectives)
    for partial in ({}, {"accuracy": (9.0, 9.0)}):
        assert summarize(dataclasses.replace(record, reference=partial), trials).reference == expected


def test_without_a_complete_trial_there_is_nothing():
    trials = [TrialResult(number=0, state=State.FAILED, reason=Reason.CRASHED)]
    outcome = summarize(sample.record(), trials)
    assert outcome.ranked == outcome.front == outcome.dominated == outcome.hypervolume == []
    assert outcome.knee is None
    assert outcome.reference == {}


@pytest.mark.parametrize(
    ("names", "expected"), [(["mIoU", None, "mIoU"], "mIoU"), (["mIoU", "F1"], None), ([None], None), ([], None)]
)
def test_accuracy_is_named_where_all_trials_that_have_one_agree(names, expected):
    trials = [sample.complete(i, {"accuracy": 0.5, "accuracy_name": name}) for i, name in enumerate(names)]
    assert summarize(sample.record(), trials).accuracy_name == expected


def test_keys_and_devices_come_in_the_order_of_their_appearance():
    trials = [
        dataclasses.replace(sample.complete(i, {}, **searched), device=device)
        for i, (searched, device) in enumerate([({"z": 1, "b": 2}, "B"), ({"a": 3, "z": 1}, ""), ({}, "A"), ({}, "B")])
    ]
    outcome = summarize(sample.record(space={"b": "", "absent": ""}), trials)
    assert outcome.searched_keys == ["b", "absent", "z", "a"]
    assert outcome.devices == ["B", "A"]
