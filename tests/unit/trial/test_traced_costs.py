"""What traces say of trials: kept ones without a process, others from a child, and calibrated by what was measured."""

import pytest

from terrasweep import process
from terrasweep.predict import kept_predictions, measured_peaks, measured_speeds
from terrasweep.predict.prediction import Prediction
from terrasweep.predict.trace import Kind, Phase, Work
from terrasweep.results.peak_calibration import Pair
from terrasweep.results.speed_calibration import Timed
from terrasweep.trial.traced_costs import CostCalibration, kept_cost, trace_costs, with_data_seen
from tests.composing import compose_trial

WORK = Work(flops=1e12, moved_bytes=10**10, kernels=3000)


def prediction(peak=1000.0, step=WORK):
    return Prediction(
        device="cpu", on_host={Phase.BUILD: {Kind.WEIGHTS: 1.0}, Phase.STEADY_STEP: {Kind.WEIGHTS: peak}}, step=step
    )


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    for module in (kept_predictions, measured_peaks, measured_speeds):
        monkeypatch.setattr(module, "cache_folder", lambda: tmp_path)


def config(*overrides):
    return compose_trial("train.device=cpu", *overrides)


def test_what_is_kept_is_known_without_a_process():
    assert kept_cost(config()) is None
    kept_predictions.keep(prediction(), config())
    found = kept_cost(config("train.lr=0.3"))
    assert (found.peak_mib, found.doubt) == (1000.0, 0.0)
    assert found.work.seconds > 0
    assert kept_cost(config("train.batch_size=3")) is None


def test_others_are_traced_in_a_child_each_with_its_answer(monkeypatch, tmp_path):
    def run(task, arguments, log, limits):
        assert task == "terrasweep.predict.in_child:predict"
        assert (arguments["device"], limits.timeout_s) == ("cpu", 30.0)
        return process.Outcome({"predictions": {1: prediction(), 2: prediction(step=Work())}, "refused": {0: "no"}})

    monkeypatch.setattr(process, "run", run)
    configs = [config(), config("offload=optimizer"), config("train.batch_size=4")]
    refused, traced, uncounted = trace_costs(configs, tmp_path / "log", 30.0)
    assert refused is uncounted is None
    assert traced.doubt > 0, "ZeRO's memory was compared with few peaks"
    assert "offload=optimizer" in traced.work.traits


def test_what_trials_measured_calibrates_both():
    kept_predictions.keep(prediction(), config())
    cost = kept_cost(config())
    before = CostCalibration("cpu").expected(cost)
    for number in range(8):
        measured_peaks.remember("cpu", str(number), {"peak_memory_mib": Pair(900 + 50 * number, 1100 + 60 * number)})
        measured_speeds.remember_speed("cpu", str(number), Timed(cost.work, 7.0))
    after = CostCalibration("cpu").expected(cost)
    assert after.peak_mib == pytest.approx(1220, rel=0.02)
    assert after.step_seconds == pytest.approx(7.0, rel=0.05)
    assert after.peak_error < before.peak_error
    assert after.step_error < before.step_error


def test_synthetic_data_need_no_look_and_others_do(tmp_path):
    assert with_data_seen(config()) == config()
    unseen = config("data=segmentation_folder", f"data.root={tmp_path}")
    assert with_data_seen(unseen) is None
