"""Seconds of steps by what they compute: a law is found again, few trials shrink to the defaults, errors are honest."""

import math
import random
import statistics

import pytest

from terrasweep.results.speed_calibration import (
    LEVEL,
    USUAL,
    StepWork,
    Timed,
    calibrate,
    errors_of_unseen,
)

BF16 = "precision=bf16"


def drawn(chance, traits=()):
    """A step between one bound by arithmetic and one bound by its operators' starts."""
    compute, memory, launch = (10 ** chance.uniform(-2, 0.5) for _ in range(3))
    return StepWork(compute_s=compute, memory_s=memory, launch_s=launch, traits=traits)


def law(work, a=3.0, b=0.5, c=2.0, d=0.7):
    seconds = a * work.compute_s + b * work.memory_s + c * work.launch_s
    return seconds * (d if BF16 in work.traits else 1.0)


def made(chance, count, noise, **factors):
    works = [drawn(chance, (BF16,) if chance.random() < 0.4 else ()) for _ in range(count)]
    return [Timed(work, law(work, **factors) * math.exp(chance.gauss(0, noise))) for work in works]


@pytest.mark.parametrize("device", USUAL)
def test_before_the_first_trial_the_defaults_hold_and_the_interval_is_wide(device):
    work = StepWork(compute_s=1.0, memory_s=2.0, launch_s=0.5)
    found = calibrate([], device)
    expected = sum(math.exp(u) * part for u, part in zip(USUAL[device], (1.0, 2.0, 0.5), strict=True))
    assert found.expected(work) == pytest.approx(expected)
    low, high = found.interval(work)
    assert low < expected / 3
    assert high > expected * 3


def test_a_law_is_found_again():
    chance = random.Random(1)
    found = calibrate(made(chance, 80, noise=0.0), "cpu")
    assert [math.exp(f) for f in found.factors] == pytest.approx([3.0, 0.5, 2.0, 0.7], rel=0.02)
    assert found.traits == (BF16,)
    for _ in range(20):
        work = drawn(chance, (BF16,))
        assert found.expected(work) == pytest.approx(law(work), rel=0.02)


def test_a_device_a_hundred_times_slower_than_expected_is_followed():
    found = calibrate(made(random.Random(2), 40, noise=0.02, a=300.0, b=50.0, c=200.0), "cpu")
    assert [math.exp(f) for f in found.factors[:3]] == pytest.approx([300.0, 50.0, 200.0], rel=0.15)


def test_one_trial_moves_all_parts_and_those_most_that_it_is_made_of():
    works = [
        StepWork(compute_s=1.0, memory_s=0.01, launch_s=0.01),
        StepWork(compute_s=0.01, memory_s=1.0, launch_s=0.01),
    ]
    found = calibrate([Timed(works[0], 4 * works[0].seconds)], "cpu")
    like, unlike = (found.expected(work) / work.seconds for work in works)
    assert 1.3 < unlike < like
    assert like == pytest.approx(4.0, rel=0.1)
    before = calibrate([], "cpu")
    assert found.relative_error(works[0]) < 0.4 * before.relative_error(works[0])
    assert found.relative_error(works[1]) > 2 * found.relative_error(works[0])


@pytest.mark.parametrize("seed", range(5))
def test_more_work_never_takes_less_time(seed):
    chance = random.Random(seed)
    found = calibrate(made(chance, 12, noise=0.5), "cpu")
    work = drawn(chance)
    for part in ("compute_s", "memory_s", "launch_s"):
        values = {"compute_s": work.compute_s, "memory_s": work.memory_s, "launch_s": work.launch_s}
        more = StepWork(**{**values, part: 1.5 * values[part]})
        assert found.expected(more) > found.expected(work)


def test_an_odd_trial_hardly_bends_it_and_widens_the_interval():
    trials = made(random.Random(3), 20, noise=0.05)
    odd = [*trials, Timed(trials[0].work, 30 * trials[0].seconds)]
    work = trials[5].work
    before, after = calibrate(trials, "cpu"), calibrate(odd, "cpu")
    assert after.expected(work) == pytest.approx(before.expected(work), rel=0.1)
    assert after.relative_error(work) > 2 * before.relative_error(work)


@pytest.mark.parametrize(("noise", "least"), [(0.05, LEVEL), (0.2, LEVEL - 0.04), (0.3, LEVEL - 0.07)])
def test_intervals_cover_as_many_of_the_next_trials_as_they_say(noise, least):
    """After ten trials; where these scatter more than is expected before the first one, somewhat fewer."""
    chance, within, total = random.Random(4), 0, 0
    for _ in range(60):
        trials = made(chance, 30, noise, a=math.exp(chance.gauss(0, 0.7)), b=math.exp(chance.gauss(0, 0.7)))
        found = calibrate(trials[:10], "cpu")
        for trial in trials[10:]:
            low, high = found.interval(trial.work)
            within += low <= trial.seconds <= high
            total += 1
    assert within / total >= least


def test_a_trait_that_was_not_seen_yet_makes_it_less_sure_and_changes_nothing_else():
    trials = [Timed(t.work, t.seconds) for t in made(random.Random(5), 30, noise=0.02) if not t.work.traits]
    found = calibrate(trials, "cpu")
    plain = trials[0].work
    other = StepWork(
        compute_s=plain.compute_s, memory_s=plain.memory_s, launch_s=plain.launch_s, traits=("quantization=nf4",)
    )
    assert found.expected(other) == found.expected(plain)
    assert found.relative_error(other) > 3 * found.relative_error(plain)


@pytest.mark.parametrize("count", [3, 9])
def test_each_error_is_of_a_trial_that_the_calibration_does_not_know(count):
    trials = made(random.Random(6), count, noise=0.1)
    for place, error in enumerate(errors_of_unseen(trials, "cpu")):
        others = [trial for other, trial in enumerate(trials) if other != place]
        expected = calibrate(others, "cpu").expected(trials[place].work)
        assert error == pytest.approx(abs(expected / trials[place].seconds - 1))


def test_many_trials_are_left_out_a_tenth_at_a_time_and_calibration_helps():
    trials = made(random.Random(7), 60, noise=0.05)
    errors = errors_of_unseen(trials, "cpu")
    assert len(errors) == 60
    plain = [abs(trial.work.seconds / trial.seconds - 1) for trial in trials]
    assert statistics.median(errors) < 0.06 < statistics.median(plain)
