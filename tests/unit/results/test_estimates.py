"""Estimates and their errors: against formulas worked by hand, and against noise that is known."""

from __future__ import annotations

import dataclasses
import math
import random
import statistics
from collections.abc import Sequence
from typing import Any

import pytest

from terrasweep.measure.catalog import MEASUREMENTS
from terrasweep.results.estimates import (
    ALWAYS_ESTIMATED,
    COUNTED,
    LEARNED,
    MEMORY_AND_SPEED,
    Estimate,
    estimate,
    pooled_spread,
    resolution,
    student_t,
    with_pooled_values,
)
from terrasweep.results.observations import OtherSeeds
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult

SPEED = "throughput_samples_per_s"
MEMORY = "peak_memory_mib"
OBJECTIVES = [Objective(name="accuracy", direction="maximize"), Objective(name=SPEED, direction="maximize")]


def trial(number: int | None, speed: float | None = 100.0, **changes: Any) -> TrialResult:
    measured = {"accuracy": 0.5, SPEED: speed, MEMORY: 900.0, **changes.pop("measured", {})}
    keys = {"quality_key": f"q{number}", "cost_key": f"c{number}"}
    return TrialResult(number=number, state=State.COMPLETE, **{"measurements": measured, **keys, **changes})


def probes(*speeds: float) -> list[dict[str, float]]:
    return [{SPEED: speed} for speed in speeds]


def of(name: str, trials: list[TrialResult], other_seeds: OtherSeeds | None = None) -> list[Estimate]:
    return [found[name] for found in estimate(trials, OBJECTIVES, other_seeds)]


def seeds(**accuracies: Sequence[float]) -> OtherSeeds:
    """Other seeds' accuracies by trial: ``seeds(t0=[0.7, 0.8])``."""
    return {int(t[1:]): {seed: {"accuracy": a} for seed, a in enumerate(values, 1)} for t, values in accuracies.items()}


def test_names_are_those_of_measurements() -> None:
    assert set(MEASUREMENTS) >= {*MEMORY_AND_SPEED - {"throughput_median_samples_per_s"}, *COUNTED, *LEARNED}
    assert not MEMORY_AND_SPEED & COUNTED
    of_quality = {name for name, measurement in MEASUREMENTS.items() if measurement.of_quality}
    assert of_quality >= LEARNED
    assert not of_quality & MEMORY_AND_SPEED
    assert not any(MEASUREMENTS[name].of_whole_training for name in MEMORY_AND_SPEED & MEASUREMENTS.keys())


def test_a_number_that_was_measured_once_in_a_study_without_repeats_has_an_unknown_error() -> None:
    (found,) = estimate([trial(0, 123.456)], OBJECTIVES)
    assert found == {
        "accuracy": Estimate(value=0.5),
        SPEED: Estimate(value=123.456),
        MEMORY: Estimate(value=900.0),
    }
    assert (found[SPEED].low, found[SPEED].standard_error, found[SPEED].observations) == (None, None, 1)


def test_the_spread_of_what_was_repeated_holds_for_all() -> None:
    trials = [trial(0, 100.0, probes=probes(110.0)), trial(1, 50.0, probes=probes(48.0, 52.0)), trial(2, 10.0)]
    logs = [[math.log(v) for v in group] for group in ([100.0, 110.0], [50.0, 48.0, 52.0])]
    variance = (statistics.variance(logs[0]) + 2 * statistics.variance(logs[1])) / 3
    found = of(SPEED, trials)
    assert [e.observations for e in found] == [2, 3, 1]
    assert [e.value for e in found] == pytest.approx([math.sqrt(11000), math.exp(statistics.mean(logs[1])), 10.0])
    for e, count in zip(found, (2, 3, 1), strict=True):
        error = math.sqrt(variance / count)
        assert e.standard_error == pytest.approx(e.value * error)
        factor = math.exp(3.1824 * error)
        assert (e.low, e.high) == pytest.approx((e.value / factor, e.value * factor), rel=1e-4)
    assert {e.low for e in of(MEMORY, trials)} == {None}, "no memory was measured twice"


def test_trials_with_the_same_cost_key_measured_the_same_thing() -> None:
    shared = [trial(i, speed, cost_key="c") for i, speed in enumerate((100.0, 110.0))]
    first, second = of(SPEED, shared)
    assert first == second
    assert first.value == pytest.approx(math.sqrt(11000))
    assert first.observations == 2


def test_a_reused_number_is_its_source_s_and_counts_once() -> None:
    own = trial(3, 100.0, cost_key="c", probes=probes(110.0))
    reused = [trial(i, 999.0, cost_key="c", cost_from="3") for i in (1, 2)]
    expected = of(SPEED, [own])[0]
    assert of(SPEED, [*reused, own]) == [expected] * 3
    elsewhere = [trial(i, 80.0, cost_key="d", cost_from="other/7") for i in (5, 6)]
    assert {e.observations for e in of(SPEED, elsewhere)} == {1}
    # It trained with a rate of its own, though what it was asked for was known.
    refined = trial(4, 999.0, cost_key="c", cost_from="3", probes=probes(105.0))
    assert of(SPEED, [own, refined])[0].observations == 3


def test_a_disturbed_measurement_is_left_out_where_there_is_another() -> None:
    disturbed = {"disturbed": "another process on the device"}
    once = trial(0, 40.0, measured=disturbed, probes=probes(100.0, 104.0))
    assert of(SPEED, [once])[0] == of(SPEED, [trial(0, 100.0, probes=probes(104.0))])[0]
    probed = trial(0, 100.0, probes=[{SPEED: 30.0, "disturbed": 1.0}])
    assert of(SPEED, [probed])[0] == Estimate(value=100.0)


def test_what_was_only_disturbed_is_known_no_further_than_it_was_measured() -> None:
    alone = trial(0, 40.0, measured={"disturbed": "steal", "throughput_error": 0.01, "steal_share": 0.5})
    pair = trial(1, 100.0, probes=probes(101.0))
    first, second = of(SPEED, [alone, pair])
    assert (first.value, first.low, first.standard_error) == (40.0, None, None)
    assert (first.held_back, second.held_back) == (2.0, 1.0), "by which factor it may be faster"
    assert second == of(SPEED, [pair])[0], "and says nothing of the spread"


def test_a_trial_s_own_steps_tell_the_error_where_nothing_was_repeated() -> None:
    (found,) = of(SPEED, [trial(0, 200.0, measured={"throughput_error": 0.02})])
    assert found.standard_error == pytest.approx(4.0)
    assert (found.low, found.high) == pytest.approx((200 * math.exp(-0.0392), 200 * math.exp(0.0392)), rel=1e-3)
    assert of(MEMORY, [trial(0, measured={"throughput_error": 0.02})])[0].low is None


def test_of_the_two_errors_the_greater_one_counts_and_its_measurement_the_less() -> None:
    steady = trial(0, 100.0, probes=probes(102.0), measured={"throughput_error": 1e-6})
    assert of(SPEED, [steady])[0] == of(SPEED, [dataclasses.replace(steady, measurements=trial(0).measurements)])[0]
    shaky = trial(1, 50.0, probes=probes(100.0), cost_key="s", measured={"throughput_error": 1.0})
    calm = [trial(i, 100.0 + i, cost_key="calm") for i in range(2, 40)]
    assert of(SPEED, [shaky, *calm])[0].value > 95.0


def test_equal_repeats_have_no_error_and_every_digit_stays() -> None:
    value = 110.123456789
    (found,) = of(SPEED, [trial(0, value, probes=probes(value, value))])
    assert (found.value, found.low, found.high, found.standard_error) == (value, value, value, 0.0)


def test_accuracy_has_its_error_from_other_seeds_pooled_over_the_repeated_trials() -> None:
    first, second = trial(0, measured={"accuracy": 0.70}), trial(1, measured={"accuracy": 0.60})
    alone, old = trial(2, measured={"accuracy": 0.80}), trial(3, measured={"accuracy": 0.9}, quality_key="")
    found = of("accuracy", [first, second, alone, old], seeds(t0=[0.72, 0.74], t1=[0.62], t3=[0.1]))
    deviation = math.sqrt((2 * 0.02**2 + 0.0002) / 3)
    assert [e.value for e in found] == pytest.approx([0.72, 0.61, 0.80, 0.9])
    errors = [e.standard_error for e in found]
    assert errors[:3] == pytest.approx([deviation / math.sqrt(3), deviation / math.sqrt(2), deviation])
    assert errors[3] is None
    assert found[0].high == pytest.approx(0.72 + 3.1824 * deviation / math.sqrt(3), rel=1e-4)


def test_no_accuracy_is_above_one() -> None:
    repeated = trial(0, measured={"accuracy": 0.99})
    assert of("accuracy", [repeated], seeds(t0=[0.95]))[0].high == 1.0


def test_trials_of_one_quality_key_share_their_seeds_and_each_counts_once() -> None:
    twins = [trial(i, quality_key="q", measured={"accuracy": 0.5}) for i in range(2)]
    both, one = (of("accuracy", twins, known) for known in (seeds(t0=[0.6, 0.7], t1=[0.6]), seeds(t1=[0.6, 0.7])))
    assert both == one
    assert both[0] == both[1]
    assert both[0].value == pytest.approx(0.6)
    assert both[0].observations == 3


def test_the_same_seed_again_says_nothing_of_the_error() -> None:
    again = [trial(i, quality_key="q", measured={"accuracy": value}) for i, value in enumerate((0.5, 0.5000001))]
    reused = trial(2, quality_key="q", accuracy_from="0", measured={"accuracy": 0.1})
    found = of("accuracy", [*again, reused])
    assert [e.value for e in found] == pytest.approx([0.50000005] * 3, rel=1e-12)
    assert {e.low for e in found} == {None}


def test_what_is_counted_is_exact_and_what_depends_on_more_than_the_keys_is_unknown() -> None:
    objectives = [Objective(name=name, direction="minimize") for name in ("weight_bytes", "wall_seconds", "val/F1")]
    measured = {"weight_bytes": 1024, "wall_seconds": 12.5}
    (found,) = estimate([trial(0, measured=measured, metrics={"val/F1": 0.5})], objectives, {0: {7: {"val/F1": 0.6}}})
    assert (found["weight_bytes"].low, found["weight_bytes"].standard_error) == (1024.0, 0.0)
    assert found["wall_seconds"] == Estimate(value=12.5)
    assert found["val/F1"].observations == 2
    assert list(found) == [*ALWAYS_ESTIMATED, "weight_bytes", "wall_seconds", "val/F1"]


def test_trials_that_did_not_complete_or_lack_a_value_have_none() -> None:
    failed = dataclasses.replace(trial(0, cost_key="c"), state=State.FAILED)
    lacking, infinite = trial(1, None, cost_key="c"), trial(2, math.inf, cost_key="c")
    found = estimate([failed, lacking, infinite, trial(3, 0.0, cost_key="c")], OBJECTIVES)
    assert found[0] == {}
    assert [SPEED in e for e in found] == [False, False, False, True]
    assert found[3][SPEED] == Estimate(value=0.0), "no logarithm is of 0"


def test_trials_without_a_number_are_different_ones() -> None:
    pair = [trial(None, speed, cost_key="c") for speed in (100.0, 110.0)]
    assert of(SPEED, pair)[0].observations == 2


def test_pooled_values_take_the_place_of_own_ones_and_nothing_else_changes() -> None:
    trials = [trial(0, 100.0, probes=probes(110.0)), trial(1, 90.0)]
    pooled = with_pooled_values(trials, estimate(trials, OBJECTIVES))
    assert pooled[0].value(SPEED) == pytest.approx(math.sqrt(11000))
    assert dataclasses.replace(pooled[0], measurements=trials[0].measurements) == trials[0]
    assert pooled[1] is trials[1]


def test_student_s_t_is_that_of_the_tables() -> None:
    table = {1: 12.706, 2: 4.303, 5: 2.571, 30: 2.042, math.inf: 1.960}
    assert {freedom: round(student_t(freedom), 3) for freedom in table} == table


def test_nothing_measured_twice_has_no_spread_and_no_resolution() -> None:
    assert pooled_spread([[1.0], [2.0], []]) is None
    assert resolution([Estimate(value=1.0)], relative=True) == resolution([], relative=False) == 0.0


@pytest.mark.parametrize("seed", [0, 1])
def test_intervals_cover_the_truth_in_90_to_99_percent_of_500_studies(seed: int) -> None:
    """Studies of eight configurations, measured once to three times, whose levels vary by 4 % between processes."""
    chance = random.Random(seed)
    truths = {number: chance.lognormvariate(4.0, 1.0) for number in range(8)}
    counts = {number: 1 + number % 3 for number in truths}
    covered: dict[str, list[bool]] = {name: [] for name in (SPEED, "accuracy")}
    for _ in range(500):
        speeds = {n: [truth * math.exp(chance.gauss(0, 0.04)) for _ in range(counts[n])] for n, truth in truths.items()}
        learned = {n: [0.5 + n / 20 + chance.gauss(0, 0.01) for _ in range(counts[n])] for n in truths}
        study = [
            trial(
                n,
                speeds[n][0],
                measured={"accuracy": learned[n][0], "throughput_error": abs(chance.gauss(0.01, 0.005))},
                probes=probes(*speeds[n][1:]),
            )
            for n in truths
        ]
        other = seeds(**{f"t{n}": values[1:] for n, values in learned.items()})
        for n, found in enumerate(estimate(study, OBJECTIVES, other)):
            covered[SPEED].append((found[SPEED].low or 0.0) <= truths[n] <= (found[SPEED].high or 0.0))
            low, high = found["accuracy"].low or 0.0, found["accuracy"].high or 0.0
            covered["accuracy"].append(low <= 0.5 + n / 20 <= high)
    shares = {name: statistics.mean(map(float, hits)) for name, hits in covered.items()}
    assert all(0.90 <= share <= 0.99 for share in shares.values()), shares
