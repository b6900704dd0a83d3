"""Which trials are recommended."""

from __future__ import annotations

import pytest

from terrasweep.report.recommendations import choose, recommend
from terrasweep.report.study_outcome import summarize
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from tests.unit.report import sample_study as sample

ACCURACY = Objective(name="accuracy", direction="maximize")


def test_roles_take_the_extremes_of_the_front() -> None:
    chosen = choose(summarize(*sample.study()))
    complete = [result for result in sample.results() if result.state is State.COMPLETE]
    assert chosen["most_accurate"].value("accuracy") == max(r.value("accuracy") or 0 for r in complete)
    assert chosen["smallest"].value("peak_memory_mib") == min(r.value("peak_memory_mib") or 0 for r in complete)
    assert chosen["fastest"].value("throughput_samples_per_s") == max(
        r.value("throughput_samples_per_s") or 0 for r in complete
    )
    assert list(chosen) == ["most_accurate", "smallest", "fastest", "knee"]


def test_ties_are_broken_by_the_other_objectives_then_by_number() -> None:
    first = sample.complete(0, {"accuracy": 0.7, "peak_memory_mib": 500.0, "throughput_samples_per_s": 10.0})
    faster = sample.complete(1, {"accuracy": 0.6, "peak_memory_mib": 500.0, "throughput_samples_per_s": 20.0})
    same = sample.complete(2, {"accuracy": 0.7, "peak_memory_mib": 500.0, "throughput_samples_per_s": 10.0})
    chosen = choose(summarize(sample.record(), [same, faster, first]))
    assert chosen["smallest"].number == 0
    assert chosen["most_accurate"].number == 0


def test_a_measurement_that_is_no_objective_is_looked_up_over_all_complete_trials() -> None:
    small = sample.complete(0, {"accuracy": 0.5, "peak_memory_mib": 100.0})
    good = sample.complete(1, {"accuracy": 0.9, "peak_memory_mib": 900.0})
    chosen = choose(summarize(sample.record(objectives=[ACCURACY]), [small, good]))
    assert {role: result.number for role, result in chosen.items()} == {"most_accurate": 1, "smallest": 0, "knee": 1}


NO_LIMITS: dict[str, float | None] = {"memory_gib": None, "min_throughput": None, "min_accuracy": None}


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, 0),
        ({"memory_gib": 2.0}, 1),
        ({"memory_gib": 1.0}, 2),
        ({"memory_gib": 0.5}, None),
        ({"min_throughput": 15.0}, 1),
        ({"min_throughput": 15.0, "memory_gib": 1.0}, None),
        ({"min_accuracy": 0.85, "memory_gib": 2.0}, None),
        ({"min_accuracy": 0.9}, 0),
    ],
)
def test_recommend_takes_the_most_accurate_within_limits(limits: dict[str, float], expected: int | None) -> None:
    def trial(number: int, accuracy: float, speed: float, peak: float, build: float | None) -> TrialResult:
        measured = Measurements(
            accuracy=accuracy, throughput_samples_per_s=speed, peak_memory_mib=peak, peak_build_mib=build
        )
        return TrialResult(number=number, state=State.COMPLETE, measurements=measured)

    results = [
        trial(0, 0.9, 10.0, 1000.0, 4000.0),  # only its build is large
        trial(1, 0.8, 20.0, 2048.0, 2048.0),  # exactly two GiB
        trial(2, 0.7, 12.0, 900.0, None),
        TrialResult(number=3, state=State.COMPLETE, measurements=Measurements(accuracy=0.6)),
        TrialResult(
            number=4,
            state=State.INFEASIBLE,
            reason=Reason.TIMEOUT,
            measurements=Measurements(accuracy=0.99, throughput_samples_per_s=99.0, peak_memory_mib=1.0),
        ),
    ]
    best = recommend(sample.record(), results, None, **{**NO_LIMITS, **limits})
    assert (best and best.number) == expected


def test_recommend_prefers_the_smaller_of_equally_accurate_trials() -> None:
    record = sample.record(objectives=[ACCURACY])
    large = sample.complete(0, {"accuracy": 0.9, "peak_memory_mib": 900.0})
    small = sample.complete(1, {"accuracy": 0.9, "peak_memory_mib": 300.0})
    best = recommend(record, [large, small], memory_gib=None, min_throughput=None, min_accuracy=None)
    assert best is small
