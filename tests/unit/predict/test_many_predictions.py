"""Of many configurations each that needs another memory is traced once, and the others are known by it."""

import pytest

from terrasweep import process
from terrasweep.predict import kept_predictions, many_predictions
from terrasweep.predict.many_predictions import predict_all
from terrasweep.predict.prediction import Prediction
from terrasweep.predict.trace import Kind, Phase
from terrasweep.results.errors import Crashed
from tests.composing import compose_trial


def prediction(size):
    return Prediction(
        device="cuda",
        on_device={Phase.STEADY_STEP: {Kind.WEIGHTS: size}},
        on_host={Phase.STEADY_STEP: {Kind.WEIGHTS: 1.0}},
        reserved={Phase.STEADY_STEP: size},
    )


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """A child that predicts as many MiB as a batch has samples, and refuses int8; what it was asked."""
    monkeypatch.setattr(kept_predictions, "cache_folder", lambda: tmp_path / "cache")
    asked = []

    def run(task, arguments, log, limits, *, hear):
        asked.append(arguments)
        for family in arguments["families"]:
            for place, config in family:
                if config.quantization.name == "int8":
                    hear({"refused": {place: "it wants values"}})
                else:
                    hear({"predictions": {place: prediction(float(config.train.batch_size))}})
        return process.Outcome({"done": True})

    monkeypatch.setattr(process, "run", run)
    return asked


def compose(*overrides):
    return compose_trial("augment=none", *overrides)


def test_what_is_alike_is_asked_once_and_batches_are_one_family(asked, tmp_path):
    configs = [
        *(compose(f"train.batch_size={batch}", f"train.lr={lr}") for batch in (2, 4, 8) for lr in (0.1, 0.2)),
        compose("train.batch_size=4", "quantization=int8"),
        compose("train.batch_size=4", "optimizer=adamw8bit"),
        compose("train.batch_size=4", "optimizer=paged_adamw8bit"),
    ]
    told = []
    found = predict_all(configs, "cuda", tmp_path / "log", lambda done, total: told.append((done, total)))
    (arguments,) = asked
    assert sorted(len(family) for family in arguments["families"]) == [1, 1, 3]
    assert arguments["device"] == "cuda"
    sizes = [None if p is None else p.peak_memory_mib for p in found.predictions]
    assert sizes == [2, 2, 4, 4, 8, 8, None, 4, 4]
    assert found.refused == {6: "it wants values"}
    assert found.new == 5
    assert told[0] == (0, 9)
    assert told[-1] == (9, 9)


def test_what_is_kept_is_not_asked(asked, tmp_path):
    kept_predictions.keep(prediction(5.0), compose("train.batch_size=4"))
    found = predict_all([compose("train.batch_size=4")], "cuda", tmp_path / "log")
    assert [p.peak_memory_mib for p in found.predictions if p] == [5.0]
    assert (found.new, asked) == (0, [])


def test_a_child_that_ends_leaves_reasons_and_what_it_had_said(monkeypatch, asked, tmp_path):
    def run(task, arguments, log, limits, *, hear):
        (place, _), *_ = arguments["families"][0]
        hear({"predictions": {place: prediction(1.0)}, "not_preloaded": "something"})
        return process.Outcome({}, Crashed("it was ended"))

    monkeypatch.setattr(process, "run", run)
    configs = [compose("train.batch_size=2"), compose("train.batch_size=4")]
    found = predict_all(configs, "cuda", tmp_path / "log")
    assert found.predictions[0] == prediction(1.0)
    assert found.refused == {1: "it was ended"}


def test_nothing_follows_from_a_trial_that_was_refused(asked, tmp_path):
    configs = [
        compose(f"train.batch_size={batch}", f"optimizer={optimizer}", "quantization=int8")
        for optimizer in ("adamw", "adamw8bit")
        for batch in (2, 4)
    ]
    found = predict_all(configs, "cuda", tmp_path / "log")
    assert found.refused == dict.fromkeys(range(4), "it wants values")
    asked_for = [[config.train.batch_size for family in a["families"] for _, config in family] for a in asked]
    assert [sorted(batches) for batches in asked_for] == [[2, 2, 4], [4]], "the last one is asked for itself"


def test_as_many_processes_as_processors_and_no_more_than_families(monkeypatch, asked, tmp_path):
    monkeypatch.setattr(many_predictions.os, "sched_getaffinity", lambda _: {0, 1, 2})
    families = [compose(f"tuning.rank={rank}") for rank in (1, 2, 3, 4)]
    predict_all(families, "cuda", tmp_path / "log")
    predict_all(families[:2], "cuda", tmp_path / "log")
    predict_all(families, "cuda", tmp_path / "log", processes=1)
    assert [arguments["processes"] for arguments in asked] == [3, 2, 1]


def test_of_another_optimizer_one_is_traced_and_the_others_follow(monkeypatch, asked, tmp_path):
    """The state of one is that of all with the same parameters that learn; with others it is traced again."""
    derived = []

    def follow(usual, reference):
        derived.append((usual.peak_memory_mib, reference.peak_memory_mib))
        return prediction(0.5) if usual.peak_memory_mib < 8 else None

    monkeypatch.setattr(many_predictions, "with_other_optimizer", follow)
    configs = [
        compose(f"train.batch_size={batch}", f"optimizer={optimizer}", f"tuning.rank={rank}")
        for optimizer in ("adamw", "adamw8bit")
        for rank in (2, 4)
        for batch in (2, 4, 8)
    ]
    found = predict_all(configs, "cuda", tmp_path / "log")
    assert derived == [(4, 2), (4, 2), (8, 2), (8, 2)]
    assert [p.peak_memory_mib for p in found.predictions] == [2, 4, 8, 2, 4, 8, 2, 0.5, 8, 2, 0.5, 8]
    first, second = ([config for family in a["families"] for _, config in family] for a in asked)
    assert len(first) == 6 + 2
    assert [(c.optimizer.name, c.train.batch_size) for c in second] == [("adamw8bit", 8)] * 2
    assert kept_predictions.kept_prediction(configs[7], "cuda") == prediction(0.5)
