"""An evaluation by itself has the trial's precision where the device has it, and no offload."""

from types import SimpleNamespace

import pytest
import torch

from terrasweep.measure.accuracy import TEST_PREFIX
from terrasweep.trial import evaluate_in_child
from terrasweep.trial.evaluate_in_child import as_evaluated, evaluated_accuracy, evaluation_device
from tests.composing import compose_trial
from tests.unit.training.batches import CPU, Echo, built, config, opened

CUDA = torch.device("cuda")


@pytest.mark.parametrize(
    ("overrides", "device", "precision"),
    [
        (("precision=bf16",), CPU, ("bf16", "bf16-mixed")),
        (("precision=fp16",), CPU, ("fp32", "32-true")),
        (("precision=fp16",), CUDA, ("fp16", "16-mixed")),
        (("precision=fp32", "offload=optimizer"), CUDA, ("fp32", "32-true")),
    ],
)
def test_precision_is_the_trial_s_where_the_device_has_it(overrides, device, precision):
    found = as_evaluated(compose_trial(*overrides), device)
    assert (found.precision.name, found.precision.lightning) == precision
    assert found.offload.name == "none"


@pytest.mark.parametrize(("offload", "place"), [("none", "auto"), ("optimizer", "auto"), ("parameters", "cpu")])
def test_a_model_whose_parameters_were_offloaded_is_evaluated_on_the_host(monkeypatch, offload, place):
    monkeypatch.setattr(evaluate_in_child, "select_device", lambda asked: asked)
    assert evaluation_device(compose_trial(f"offload={offload}")) == place


def test_the_accuracy_is_that_of_all_samples_under_names_that_say_test():
    trial = config("classification")
    scores = torch.eye(3)[[0, 1, 2, 2, 1]]
    batch = {"image": scores, "label": torch.tensor([0, 1, 2, 1, 1])}
    model, data = built(Echo()), opened([batch], 3)
    task = evaluate_in_child.build_task(trial, model, data)
    accuracy, metrics = evaluated_accuracy(trial, model, task, data, CPU, TEST_PREFIX)
    assert accuracy == pytest.approx(0.8)
    assert "test_loss" in metrics
    assert all(name.startswith("test_") for name in metrics)


def test_weights_are_restored_and_evaluated_on_the_test_split_alone(monkeypatch, tmp_path):
    """Which data are opened, which weights loaded, and that the trial's arithmetic is set before anything is built."""
    order, trial = [], compose_trial("precision=fp32", "train.device=cpu")
    data = SimpleNamespace(module=SimpleNamespace(evaluated_samples=7))

    def noted(name, value):
        return lambda *arguments: order.append((name, *arguments)) or value

    for name, value in {"open_test": data, "set_arithmetic": {}, "restore": "model", "build_task": "task"}.items():
        monkeypatch.setattr(evaluate_in_child, name, noted(name, value))
    monkeypatch.setattr(evaluate_in_child, "evaluated_accuracy", lambda *_: (0.5, {"test_loss": 1.0}))
    reported = {}
    evaluate_in_child.evaluate_test(lambda **found: reported.update(found), trial, tmp_path)
    assert [name for name, *_ in order] == ["open_test", "set_arithmetic", "restore", "build_task"]
    assert order[1][1] == trial.precision.matmul
    assert order[2][1] == tmp_path
    assert (reported["accuracy"], reported["samples"], reported["precision"]) == (0.5, 7, "fp32")
