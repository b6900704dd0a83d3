"""A trial that its sweep may end early tells what it costs by then; the parts of the training stand still."""

from types import SimpleNamespace

import pytest
import torch

from terrasweep.measure.meter import MeteredTrial, PassiveMeter, Phase
from terrasweep.results.errors import Pruned
from terrasweep.trial import measure_in_child
from terrasweep.trial.judged_training import JudgedTraining
from terrasweep.trial.validations import Answer, read_progress, write_answer
from tests.composing import compose_trial


class Fixed(PassiveMeter):
    def __init__(self, **values):
        self._values = values

    def reading(self):
        return self._values


def test_what_is_measured_by_a_validation_is_told_and_stays_where_the_training_ends(monkeypatch, tmp_path):
    reported, judges = {}, []
    meters = {
        Phase.TRAINING: [Fixed(throughput_samples_per_s=40.0, peak_memory_mib=90.0)],
        Phase.EVALUATION: [Fixed(peak_memory_mib=95.0)],
    }
    curve_of_trial = measure_in_child.LearningCurve
    monkeypatch.setattr(measure_in_child, "meters_for", lambda phase, _: meters.get(phase, []))
    monkeypatch.setattr(measure_in_child, "build_trainer", lambda *_: None)
    monkeypatch.setattr(
        measure_in_child,
        "LearningCurve",
        lambda config, seconds, told: judges.append(told) or curve_of_trial(config, seconds, told),
    )
    monkeypatch.setattr(JudgedTraining, "_answer", lambda _: "a pruner: no")

    def fit(trainer, task, data, clock):
        clock.losses += [(1, 0.75)]
        judges[0](1, 8, {"accuracy": 0.25})

    monkeypatch.setattr(measure_in_child, "fit", fit)
    metering = MeteredTrial(device=torch.device("cpu"), baseline_mib=0.0, untimed_steps=0)
    data = SimpleNamespace(batches_per_epoch=4)
    setting = measure_in_child.Setting(None, SimpleNamespace(), data, metering, tmp_path, "key")
    write_answer(tmp_path, Answer(validations=1))  # It goes before the training begins.
    with pytest.raises(Pruned, match="a pruner: no"):
        measure_in_child._train(
            lambda **told: reported.update(told), compose_trial("trial.judged=true"), setting, probe=False
        )
    progress = read_progress(tmp_path)
    assert progress.costs == {"throughput_samples_per_s": 40.0, "peak_memory_mib": 95.0}
    assert (progress.length, progress.cost_key, len(progress.validations)) == (8, "key", 1)
    assert reported["measurements"]["train_loss"] == 0.75
    assert "measured" not in reported
