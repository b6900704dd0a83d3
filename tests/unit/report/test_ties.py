"""What can't be told from a trial, in words."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from terrasweep.report.study_outcome import StudyOutcome, summarize
from terrasweep.report.ties import front_ties, resolution_note, tie_remarks
from terrasweep.results.observations import OtherSeeds
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from tests.unit.report import sample_study as sample

ACCURACY, THROUGHPUT, MEMORY = sample.OBJECTIVES


def trial(number: int, accuracy: float, speed: float, memory: float, **changes: Any) -> TrialResult:
    values = {"accuracy": accuracy, "throughput_samples_per_s": speed, "peak_memory_mib": memory}
    keys = {"quality_key": f"q{number}", "cost_key": f"c{number}"}
    return dataclasses.replace(sample.complete(number, values), **{**keys, **changes})


def study(*trials: TrialResult, seeds: OtherSeeds | None = None) -> StudyOutcome:
    return sample.with_seeds(sample.record(), trials, seeds or {})


SEEDS = {0: {1: {"accuracy": 0.69}, 2: {"accuracy": 0.71}}}
"""With an accuracy of 0.7 a deviation of 0.01, and two degrees of freedom."""


@pytest.mark.parametrize(
    ("rival", "told"),
    [
        (trial(1, 0.71, 135.0, 909.0), "As accurate as trial 1 within the error, which is 35.0 % faster."),
        (trial(1, 0.69, 99.0, 720.0), "As accurate as trial 1 within the error, which is 20.0 % smaller."),
        (trial(1, 0.70, 90.0, 450.0), "As accurate as trial 1, which is 50.0 % smaller."),
    ],
)
def test_a_rival_is_named_with_what_it_gains(rival: TrialResult, told: str) -> None:
    outcome = study(trial(0, 0.70, 100.0, 900.0), rival, trial(2, 0.1, 500.0, 10.0), seeds=SEEDS)
    assert len(outcome.front) == 3
    assert tie_remarks(outcome, outcome.trials[0], ACCURACY) == [told]
    assert tie_remarks(outcome, outcome.trials[2], ACCURACY) == [], "nobody is as inaccurate"
    assert tie_remarks(outcome, outcome.trials[0], THROUGHPUT) == [], "nobody is as fast"


def test_the_rivals_that_gain_most_are_named() -> None:
    rivals = [trial(i, 0.70, 100.0 + 10 * i, 900.0 + i) for i in (1, 2, 3)]
    outcome = study(trial(0, 0.70, 100.0, 900.0), *rivals)
    told = tie_remarks(outcome, outcome.trials[0], ACCURACY)
    assert [text.split(",")[0] for text in told] == ["As accurate as trial 3", "As accurate as trial 2"]


def test_other_objectives_have_words_too_and_differences_where_there_is_no_ratio() -> None:
    gain = Objective(name="val/gain", direction="maximize")
    trials = [
        dataclasses.replace(trial(0, 0.7, 1.0, 900.0, probes=[{"peak_memory_mib": 902.0}]), metrics={"val/gain": -1.5}),
        dataclasses.replace(trial(1, 0.6, 1.0, 910.0), metrics={"val/gain": 2.0}),
    ]
    outcome = summarize(sample.record(objectives=[MEMORY, gain, ACCURACY]), trials)
    assert tie_remarks(outcome, outcome.trials[0], MEMORY) == [
        "As small as trial 1 within the error, which is better by 3.5 in val/gain."
    ]
    assert tie_remarks(outcome, outcome.trials[1], MEMORY) == [
        "As small as trial 0 within the error, which is 0.1 more accurate."
    ]


def test_what_is_one_point_with_a_trial_is_named_and_its_twins_apart() -> None:
    probes = [{"throughput_samples_per_s": 104.0}]
    first = trial(0, 0.7, 100.0, 900.0, probes=probes)
    twin = dataclasses.replace(first, number=3, probes=[])
    outcome = study(first, trial(1, 0.7, 101.0, 900.0), trial(2, 0.6, 1.0, 999.0), twin)
    assert tie_remarks(outcome, outcome.trials[0]) == [
        "Trial 1 can't be told from it within the errors.",
        "Trial 3 is the same configuration.",
    ]
    assert front_ties(outcome) == ["Trial 0 stands for trials 1, 3: the same within the errors in every objective."]


def test_it_is_said_how_large_a_difference_has_to_be() -> None:
    one = trial(0, 0.7, 100.0, 900.0, probes=[{"throughput_samples_per_s": 101.0, "peak_memory_mib": 900.0}])
    note = resolution_note(study(one))
    assert note == (
        "Told apart are differences of more than 9.4 % in throughput. The error of accuracy is unknown, so that any "
        "difference counts."
    )
    both = resolution_note(study(one, seeds=SEEDS))
    assert both == "Told apart are differences of more than 0.035 in accuracy, 9.4 % in throughput."
    assert resolution_note(summarize(*sample.study())) == resolution_note(study()) == ""
