"""Means over seeds and which trials can be told apart, against scipy's own tests and what is known of noise."""

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from terrasweep.results.seed_statistics import compare_pairs, holm, paired_p_value, seed_mean

ACCURACIES = st.lists(st.floats(0.0, 1.0).map(lambda v: round(v, 4)), min_size=3, max_size=8)
P_VALUES = st.lists(st.floats(0.0, 1.0), max_size=12)


@given(ACCURACIES)
def test_the_interval_is_student_s(values):
    found = seed_mean(values)
    assert found.seeds == len(values)
    assert found.mean == pytest.approx(statistics.fmean(values))
    if len(set(values)) > 1:
        low, high = stats.t.interval(0.95, len(values) - 1, statistics.fmean(values), stats.sem(values))
        assert (found.low, found.high) == pytest.approx((low, high))
    else:
        assert found.low == found.high == pytest.approx(values[0])


def test_one_value_has_no_interval():
    assert (seed_mean([0.5]).low, seed_mean([0.5]).high) == (None, None)


@given(ACCURACIES, st.randoms(use_true_random=False))
def test_the_paired_test_is_scipy_s(first, chance):
    second = [value + round(chance.uniform(-0.1, 0.1), 4) for value in first]
    differences = [a - b for a, b in zip(first, second, strict=True)]
    if statistics.stdev(differences) > 1e-6:
        assert paired_p_value(differences) == pytest.approx(stats.ttest_rel(first, second).pvalue)


def test_differences_without_a_spread():
    assert paired_p_value([0.0, 0.0, 0.0]) == 1.0
    assert paired_p_value([0.5, 0.5]) == 0.0


def test_holm_s_correction_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(P_VALUES)
def test_holm_keeps_the_order_and_stays_between_the_p_value_and_bonferroni_s(values):
    adjusted = holm(values)
    for p, corrected in zip(values, adjusted, strict=True):
        assert p <= corrected <= min(1.0, len(values) * p) + 1e-12
    ranked = [corrected for _, corrected in sorted(zip(values, adjusted, strict=True))]
    assert ranked == sorted(ranked)


def test_pairs_are_compared_over_the_seeds_that_both_have():
    found = compare_pairs({7: {1: 0.5, 2: 0.6, 3: 0.7}, 2: {2: 0.4, 3: 0.6, 9: 0.0}, 5: {1: 0.1}})
    (test,) = found
    assert (test.first, test.second) == (2, 7)
    assert test.difference == pytest.approx((0.4 - 0.6 + 0.6 - 0.7) / 2)
    assert test.p_value == test.adjusted == pytest.approx(stats.ttest_rel([0.4, 0.6], [0.6, 0.7]).pvalue)


def test_equal_trials_are_seldom_told_apart_and_distant_ones_are():
    """Of 400 studies of four equal trials with the same noise per seed, at most 5 % tell any pair apart, by chance."""
    chance = random.Random(3)
    wrong = right = 0
    for _ in range(400):
        luck = [chance.gauss(0, 0.02) for _ in range(5)]  # What a seed does to all of them.
        equal = {n: {s: 0.7 + luck[s] + chance.gauss(0, 0.01) for s in range(5)} for n in range(4)}
        wrong += any(test.told_apart for test in compare_pairs(equal))
        better = equal | {9: {s: 0.75 + luck[s] + chance.gauss(0, 0.01) for s in range(5)}}
        right += any(test.told_apart for test in compare_pairs(better) if test.second == 9)
    assert wrong <= 0.05 * 400 + 2 * (400 * 0.05 * 0.95) ** 0.5
    assert right >= 0.8 * 400
