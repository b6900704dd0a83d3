"""What a plan's child reports is what is counted."""

import os

import pytest

from terrasweep.predict import kept_predictions, peak_memory
from terrasweep.predict.count_states import count_planned
from terrasweep.predict.in_child import plan, predict
from terrasweep.predict.memory_needs import optimizer_bytes
from terrasweep.predict.zero_estimates import CHOICES
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial


def test_the_whole_plan_is_reported_and_no_gpu_is_seen(monkeypatch, tmp_path):
    monkeypatch.setattr(kept_predictions, "cache_folder", lambda: tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    config = compose_trial("quantization=nf4", "tuning.rank=2", "optimizer=adamw8bit")
    reported = {}
    plan(lambda **values: reported.update(values), config)
    (found,) = reported.values()
    counts, notes = count_planned(config)
    assert (found.counts, found.notes) == (counts, notes)
    assert found.optimizer_bytes == optimizer_bytes(counts.trainable_sizes, config.optimizer)
    assert {(need.stage, need.offload) for need in found.zero} == set(CHOICES)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
    assert list(tmp_path.iterdir()) == []
    assert found.prediction.peak_memory_mib >= found.prediction.peak_allocated_mib > counts.weight_bytes / 2**20


def test_predictions_and_refusals_have_their_places(monkeypatch, tmp_path):
    monkeypatch.setattr(kept_predictions, "cache_folder", lambda: tmp_path)
    dora = compose_trial("quantization=nf4", "tuning.use_dora=true")
    configs = [compose_trial("data.tile_px=64"), compose_trial("backbone=any", "backbone.name=nobody_knows"), dora]
    reported = {"predictions": {}, "refused": {}}
    predict(lambda **values: [reported[name].update(found) for name, found in values.items()], configs, "cpu")
    assert reported["predictions"][0].device == "cpu"
    assert "nobody_knows" in reported["refused"][1]
    assert (reported["predictions"].keys(), reported["refused"].keys()) == ({0, 2}, {1})


def test_a_peak_that_cannot_be_traced_costs_no_plan(monkeypatch):
    def fail(config, device, keep):
        raise RuntimeError("this backbone wants values")

    monkeypatch.setattr(peak_memory, "predict_peak_memory", fail)
    reported = {}
    plan(lambda **values: reported.update(values), compose_trial())
    assert reported["plan"].prediction is None
    assert reported["plan"].notes == ["The peak can't be predicted: RuntimeError: this backbone wants values."]


def test_a_model_that_cannot_be_built_is_no_peak_that_cannot_be_traced(monkeypatch):
    def refuse(config, device, keep):
        raise InvalidConfig("backbone.name=x: no")

    monkeypatch.setattr(peak_memory, "predict_peak_memory", refuse)
    with pytest.raises(InvalidConfig, match=r"^backbone\.name=x: no$"):
        plan(lambda **_: None, compose_trial())


def test_a_trial_that_cannot_be_traced_costs_no_other_prediction(monkeypatch):
    def trace(config, device):
        if config.train.batch_size == 4:
            raise RuntimeError("this backbone wants values\nof its input")
        return config.train.batch_size

    monkeypatch.setattr(peak_memory, "predict_peak_memory", trace)
    reported = {"predictions": {}, "refused": {}}
    configs = [compose_trial(f"train.batch_size={batch}") for batch in (2, 4, 8)]
    predict(lambda **values: [reported[name].update(found) for name, found in values.items()], configs, "cpu")
    assert reported == {"predictions": {0: 2, 2: 8}, "refused": {1: "RuntimeError: this backbone wants values"}}


def test_under_zero_nothing_is_traced(monkeypatch):
    monkeypatch.setattr(peak_memory, "predict_peak_memory", None)
    reported = {}
    plan(lambda **values: reported.update(values), compose_trial("offload=optimizer"))
    assert (reported["plan"].prediction, reported["plan"].notes) == (None, [])
