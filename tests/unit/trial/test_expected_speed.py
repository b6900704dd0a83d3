"""A trial's speed is expected from what was counted anyway, and what it measures teaches the next one."""

import pytest

from terrasweep.predict import kept_predictions, measured_speeds
from terrasweep.predict.prediction import Prediction
from terrasweep.predict.trace import Kind, Phase, Work
from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult
from terrasweep.trial.expected_speed import ExpectedSpeed, expect_speed, learn_speed, with_expected_speed
from tests.composing import compose_trial

WORK = Work(flops=1e12, moved_bytes=10**10, kernels=3000)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    for module in (kept_predictions, measured_speeds):
        monkeypatch.setattr(module, "cache_folder", lambda: tmp_path)


def config(*overrides):
    return compose_trial("train.device=cpu", "train.batch_size=8", *overrides)


def traced(of, step=WORK):
    memory = {Phase.BUILD: {Kind.WEIGHTS: 1.0}, Phase.STEADY_STEP: {Kind.WEIGHTS: 1.0}}
    kept_predictions.keep(Prediction(device="cpu", on_host=memory, step=step), of)


def ran(expected, throughput, **more):
    measured = {"throughput_samples_per_s": throughput, "disturbed": "", **more}
    result = TrialResult(number=0, state=State.COMPLETE, measurements=measured, cost_key=f"of {throughput}")
    return with_expected_speed(result, expected)


def test_where_nothing_was_counted_nothing_is_expected_and_the_result_stays_as_it_is():
    expected = expect_speed(config())
    assert expected == ExpectedSpeed()
    result = TrialResult(number=0, state=State.COMPLETE)
    assert with_expected_speed(result, expected) is result
    learn_speed(config(), ran(expected, 4.0), expected)
    traced(config(), Work())
    assert expect_speed(config()) == ExpectedSpeed()


def test_the_first_trial_has_a_roofline_and_the_next_one_is_predicted_by_it():
    traced(config())
    first = expect_speed(config())
    assert set(first.predicted) == {"roofline_throughput_samples_per_s"}
    assert first.predicted["roofline_throughput_samples_per_s"] == pytest.approx(8 / first.work.seconds)
    assert expect_speed(config("probe.alone=true")) == ExpectedSpeed(), "it was measured before"
    result = ran(first, 0.5)
    assert result.value("roofline_throughput_samples_per_s") == pytest.approx(8 / first.work.seconds)
    learn_speed(config(), result, first)
    after = expect_speed(config("train.lr=0.5"))
    assert after.predicted["predicted_throughput_samples_per_s"] == pytest.approx(0.5, rel=0.15)


def test_a_disturbed_trial_teaches_nothing():
    traced(config())
    expected = expect_speed(config())
    learn_speed(config(), ran(expected, 0.5, disturbed="others took a core"), expected)
    assert set(expect_speed(config()).predicted) == {"roofline_throughput_samples_per_s"}
