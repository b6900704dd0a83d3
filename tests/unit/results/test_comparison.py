"""A study's trials compared within their errors: twins, ties, resolutions, what is near, what counted as progress."""

from __future__ import annotations

import dataclasses
import math
import random
import time
from typing import Any

import pytest

from terrasweep.results import pareto
from terrasweep.results.comparison import Comparison, compare
from terrasweep.results.estimates import student_t
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult

OBJECTIVES = [
    Objective(name="accuracy", direction="maximize"),
    Objective(name="throughput_samples_per_s", direction="maximize"),
    Objective(name="peak_memory_mib", direction="minimize"),
]


def trial(number: int, accuracy: float, speed: float, memory: float, **changes: Any) -> TrialResult:
    measured = {"accuracy": accuracy, "throughput_samples_per_s": speed, "peak_memory_mib": memory}
    keys = {"quality_key": f"q{number}", "cost_key": f"c{number}"}
    return TrialResult(number=number, state=State.COMPLETE, **{"measurements": measured, **keys, **changes})


def told(comparison: Comparison) -> dict[int, str]:
    numbers = [result.number for result in comparison.own]
    return {
        numbers[place] or 0: f"{s.place}{'' if s.other is None else f' {numbers[s.other]}'}"
        for place, s in comparison.standings.items()
    }


SPEED = "throughput_samples_per_s"
PROBED = [{"throughput_samples_per_s": 104.0, "peak_memory_mib": 1000.0}]


def test_equal_configurations_that_measured_different_speeds_are_one_point_with_one_speed() -> None:
    keys = {"quality_key": "q", "cost_key": "c"}
    slow, fast = trial(0, 0.7, 100.0, 900.0, **keys), trial(1, 0.7, 112.0, 900.0, **keys)
    comparison = compare([fast, slow], OBJECTIVES)
    assert told(comparison) == {1: "front", 0: "tied 1"}
    assert [r.value("throughput_samples_per_s") for r in comparison.results] == [pytest.approx(11200**0.5)] * 2
    assert [r.value("throughput_samples_per_s") for r in comparison.own] == [112.0, 100.0]


def test_trials_of_earlier_versions_have_the_classical_front() -> None:
    rows = [(0.7, 100.0, 900.0), (0.7, 99.9, 900.0), (0.6, 120.0, 900.0)]
    trials = [trial(i, *row, quality_key="", cost_key="") for i, row in enumerate(rows)]
    comparison = compare(trials, OBJECTIVES)
    assert set(comparison.resolutions.values()) == {0.0}
    assert told(comparison) == {0: "front", 1: "beaten 0", 2: "front"}
    assert comparison.front == pareto.front_of(trials, OBJECTIVES)
    assert all(mine is own for mine, own in zip(comparison.results, trials, strict=True))


def test_the_resolution_is_half_the_interval_of_a_difference_worked_by_hand() -> None:
    """One trial was measured at 100 and 104, so the spread of a logarithm is known with one degree of freedom."""
    trials = [trial(0, 0.7, 100.0, 1000.0, probes=PROBED), trial(1, 0.7, 101.0, 1000.0), trial(2, 0.71, 60.0, 1000.0)]
    comparison = compare(trials, OBJECTIVES)
    spread = math.log(1.04) / math.sqrt(2)
    squares = [spread**2 / 2, spread**2]  # The mean of two measurements, and a single one; trial 1 is dominated.
    assert student_t(1) == pytest.approx(12.706, abs=1e-3)
    expected = student_t(1) * math.sqrt(2 * sum(squares) / 2)
    assert comparison.resolutions["throughput_samples_per_s"] == pytest.approx(expected)
    assert comparison.resolutions["peak_memory_mib"] == 0.0, "both measured the same"
    assert comparison.resolutions["accuracy"] == 0.0, "nobody knows its error"
    assert told(comparison) == {0: "front", 1: "tied 0", 2: "front"}


def test_near_the_front_is_what_a_new_measurement_could_bring_there() -> None:
    speeds = (100.0, 100.2, 100.4)
    trials = [trial(i, 0.7, s, 900.0, probes=[{SPEED: s + 1.0}]) for i, s in enumerate(speeds)]
    far, faster_perhaps, slow = (
        trial(3, 0.7, 60.0, 900.0),
        trial(4, 0.69, 100.0, 900.0),
        trial(5, 0.69, 60.0, 900.0),
    )
    near = compare([*trials, far, faster_perhaps, slow], OBJECTIVES).near_front
    assert [result.number for result in near] == [0, 1, 2, 4]
    exact = compare([dataclasses.replace(t, probes=[]) for t in trials], OBJECTIVES)
    assert [result.number for result in exact.near_front] == [2]


def test_what_others_held_back_is_near_the_front_as_far_as_that_may_have_been() -> None:
    """Of two that were measured at half the speed of the best one, one had waited for processors."""
    waited: Measurements = {"disturbed": "processors: its threads waited", "processor_wait_share": 0.52}
    best, waiting, slow = (trial(i, 0.7, speed, 900.0) for i, speed in enumerate((100.0, 50.0, 50.0)))
    waiting = dataclasses.replace(waiting, measurements={**waiting.measurements, **waited})
    comparison = compare([best, waiting, slow], OBJECTIVES)
    assert told(comparison) == {0: "front", 1: "beaten 0", 2: "beaten 0"}
    assert [result.number for result in comparison.near_front] == [0, 1]
    probed = dataclasses.replace(waiting, probes=[{SPEED: 60.0}])
    assert [result.number for result in compare([best, probed, slow], OBJECTIVES).near_front] == [0]


def test_a_trial_counts_as_progress_where_it_was_more_than_those_before_it() -> None:
    probes = [{"throughput_samples_per_s": speed} for speed in (100.0, 100.5, 99.5)]
    rows = [(0.7, 100.0), (0.7, 100.2), (0.6, 100.1), (0.7, 150.0), (0.7, 100.0)]
    trials = [trial(i, a, s, 900.0, probes=probes if i == 0 else []) for i, (a, s) in enumerate(rows)]
    failed = dataclasses.replace(trials[0], number=9, state=State.FAILED)
    assert compare([failed, *trials], OBJECTIVES).progress == [False, True, False, False, True, False]
    assert compare([failed], OBJECTIVES).progress == [False]


def test_the_front_of_thousands_of_trials_takes_no_longer_than_reading_them() -> None:
    """The tables are written after each trial; the yardstick is one pass over the same trials as JSON."""
    chance = random.Random(1)
    trials = [
        trial(i, chance.random(), chance.lognormvariate(4, 1), chance.lognormvariate(6, 1), cost_key=f"c{i % 500}")
        for i in range(2000)
    ]
    began = time.process_time()
    assert compare(trials, OBJECTIVES).standings
    compared = time.process_time() - began
    began = time.process_time()
    assert [TrialResult.from_json(result.to_json()) for result in trials] == trials
    assert compared < 10 * (time.process_time() - began)


def test_values_are_told_apart_beyond_the_resolution_whether_objectives_or_not() -> None:
    comparison = compare([trial(0, 0.7, 100.0, 1000.0, probes=PROBED), trial(1, 0.8, 1.0, 1.0)], OBJECTIVES[:1])
    widest = comparison.resolutions[SPEED]
    assert widest > 0.1
    assert not comparison.are_told_apart(SPEED, 50.0, 50.0 * math.exp(0.99 * widest))
    assert comparison.are_told_apart(SPEED, 50.0, 50.0 * math.exp(1.01 * widest))
    for exact in ("accuracy", "train_loss"):
        assert comparison.are_told_apart(exact, 0.5, 0.5000001)
        assert not comparison.are_told_apart(exact, 0.5, 0.5)
