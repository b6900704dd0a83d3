"""A prediction is found again by what bears on memory, and by nothing else."""

import pytest

from terrasweep.predict import kept_predictions
from terrasweep.predict.kept_predictions import keep, kept_prediction
from terrasweep.predict.prediction import Prediction
from terrasweep.predict.trace import Kind, Phase
from tests.composing import compose_trial

FOUND = Prediction(device="cpu", on_host={Phase.STEADY_STEP: {Kind.WEIGHTS: 3.0}})


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setattr(kept_predictions, "cache_folder", lambda: tmp_path)
    return tmp_path


def test_what_is_kept_is_found_by_a_trial_that_needs_the_same():
    assert kept_prediction(compose_trial(), "cpu") is None
    keep(FOUND, compose_trial())
    assert kept_prediction(compose_trial("train.lr=1e-5", "budget.memory_gib=3"), "cpu") == FOUND
    assert kept_prediction(compose_trial("train.batch_size=16"), "cpu") is None
    assert kept_prediction(compose_trial(), "cuda") is None


def test_other_code_predicts_anew(monkeypatch):
    keep(FOUND, compose_trial())
    monkeypatch.setattr(kept_predictions, "code_digest", lambda _: "another")
    assert kept_prediction(compose_trial(), "cpu") is None


def test_a_disk_that_cannot_be_written_costs_nothing(cache):
    (cache / "predictions").write_text("a file in the way")
    keep(FOUND, compose_trial())
    assert kept_prediction(compose_trial(), "cpu") is None
