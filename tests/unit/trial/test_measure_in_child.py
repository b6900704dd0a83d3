"""The order in which a trial is measured, and what is known of one that ends early; the parts stand still."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from terrasweep.measure import board
from terrasweep.measure.durations import FIT_SECONDS
from terrasweep.measure.measurement import Measurement
from terrasweep.measure.meter import MeteredTrial, PassiveMeter, Phase
from terrasweep.results.errors import Diverged, InvalidConfig, OverBudget
from terrasweep.training.validation import LearningCurve
from terrasweep.trial import measure_in_child
from tests.composing import compose_trial

CPU = torch.device("cpu")
PEAK = Measurement(name="peak_memory_mib", label="peak", unit="MiB", definition="A peak.", within_budget=True)


class Reported(dict):
    """Takes what a child reports: dictionaries grow, everything else is replaced."""

    def __call__(self, **values):
        for name, value in values.items():
            self[name] = {**self.get(name, {}), **value} if isinstance(value, dict) else value


class Peak(PassiveMeter):
    """Knows its number from the moment it is left."""

    def __init__(self, mib):
        self._mib, self._reading = mib, {}

    def __exit__(self, *_):
        self._reading = {PEAK.name: self._mib}

    def reading(self):
        return self._reading


@pytest.fixture
def config():
    return replace(compose_trial(), task=replace(compose_trial().task, accuracy="val/mIoU", accuracy_name="mIoU"))


@pytest.fixture
def train(config, monkeypatch, tmp_path):
    """Trains and evaluates with given peaks, where each part takes no time or fails."""

    def run(report, *, fit=None, budget_gib=None, peaks=(100.0, 300.0)):
        def fitted(trainer, task, data, clock):
            clock.losses += [(1, 0.75), (2, 0.5)]
            if fit:
                raise fit

        found = {Phase.TRAINING: [Peak(peaks[0])], Phase.EVALUATION: [Peak(peaks[1])]}
        monkeypatch.setattr(measure_in_child, "meters_for", lambda phase, _: found.get(phase, []))
        monkeypatch.setattr(measure_in_child, "build_trainer", lambda *_: None)
        monkeypatch.setattr(measure_in_child, "fit", fitted)
        monkeypatch.setattr(measure_in_child, "evaluate", lambda *_: {})
        monkeypatch.setattr(measure_in_child, "read_accuracy", lambda *_: (0.625, {"val/mIoU": 0.625}))
        metering = MeteredTrial(device=CPU, baseline_mib=0.0, untimed_steps=1)
        data = SimpleNamespace(batches_per_epoch=4, class_names=["land", "water"])
        task = SimpleNamespace(confusion=[[3, 1], [0, 4]])
        setting = measure_in_child.Setting(task, SimpleNamespace(), data, metering, tmp_path)
        limited = replace(config, budget=replace(config.budget, memory_gib=budget_gib))
        measure_in_child._train(report, limited, setting, probe=False)

    return run


def test_a_trial_has_the_larger_peak_of_both_phases_its_last_loss_and_its_accuracy(train):
    report = Reported()
    train(report)
    known = report["measurements"]
    assert (known["peak_memory_mib"], known["train_loss"]) == (300.0, 0.5)
    assert (known["accuracy"], known["accuracy_name"]) == (0.625, "mIoU")
    assert known.keys() >= {"fit_seconds", "evaluate_seconds"}
    assert report["curves"]["train_loss"] == [(1, 0.75), (2, 0.5)]
    assert (known["kept_steps"], known["kept_epochs"]) == (2, 0.5)
    assert report["metrics"] == {"val/mIoU": 0.625}
    assert report["confusion"].classes == ["land", "water"]
    assert report["confusion"].counts == [[3, 1], [0, 4]]
    assert report["measured"]


def test_a_trial_that_ends_in_training_leaves_what_it_measured_until_then(train):
    report = Reported()
    with pytest.raises(Diverged):
        train(report, fit=Diverged("the loss is nan"))
    assert report["measurements"].items() >= {"peak_memory_mib": 100.0, "train_loss": 0.5}.items()
    assert report["arithmetic"]
    assert not {"measured", "metrics", "confusion"} & report.keys()


def test_a_trial_over_its_budget_is_told_with_all_its_numbers_and_counts_as_not_measured(train):
    report = Reported()
    with pytest.raises(OverBudget) as over:
        train(report, budget_gib=0.25, peaks=(100.0, 320.0))
    assert over.value.violation == pytest.approx(0.25)
    assert report["measurements"]["accuracy"] == 0.625
    assert "measured" not in report


def test_what_took_how_long_is_told_where_it_came_to_its_end():
    report = Reported()
    with measure_in_child._timed(report, FIT_SECONDS):
        pass
    assert report["measurements"][FIT_SECONDS.name] >= 0
    report.clear()
    with pytest.raises(ZeroDivisionError), measure_in_child._timed(report, FIT_SECONDS):
        raise ZeroDivisionError
    assert report == {}


def test_half_precision_on_a_cpu_is_refused_before_anything_is_opened(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    report = Reported()
    with pytest.raises(InvalidConfig, match=r"^precision=fp16: .*use bf16$"):
        measure_in_child.measure(report, compose_trial("precision=fp16"), tmp_path)
    assert report == {}


@pytest.mark.parametrize(
    ("save", "keep", "wanted"),
    [(True, "front", True), (True, "all", True), (True, "none", False), (False, "front", False), (False, "all", False)],
)
def test_weights_are_written_where_they_would_stay(config, save, keep, wanted):
    changed = replace(
        config, train=replace(config.train, save_weights=save), study=replace(config.study, keep_weights=keep)
    )
    assert changed.keeps_weights is wanted


def test_that_parts_of_a_batch_have_statistics_of_their_own_is_said(monkeypatch, tmp_path):
    model = SimpleNamespace(module=torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4)))
    still = dict.fromkeys(("open_data", "set_arithmetic", "build_task", "_train", "report_plan"))
    for name, answer in (still | {"select_device": CPU, "_build": model}).items():
        monkeypatch.setattr(measure_in_child, name, lambda *_, answer=answer, **__: answer)
    monkeypatch.setattr(measure_in_child.pl, "seed_everything", lambda *_, **__: None)
    remarks = {}
    for parts in (1, 2):
        report, alone = Reported(), ("train.save_weights=false", "train.count_flops=false")
        measure_in_child.measure(report, compose_trial(f"train.accumulate={parts}", *alone), tmp_path)
        assert report["batch_statistics"] is True
        remarks[parts] = report.get("remarks")
    assert remarks[1] == {}
    assert remarks[2]["batch statistics"].startswith("train.accumulate=2: batch normalization (1) takes the statistics")


def test_what_is_saved_is_the_model_as_its_training_left_it(monkeypatch, tmp_path):
    """The training gives the model the state that is kept; what is counted afterwards needs no state."""
    done, model = [], SimpleNamespace(module=torch.nn.Linear(2, 2))
    still = dict.fromkeys(("open_data", "set_arithmetic", "build_task", "report_plan"))
    for name, answer in (still | {"select_device": CPU, "_build": model}).items():
        monkeypatch.setattr(measure_in_child, name, lambda *_, answer=answer, **__: answer)
    monkeypatch.setattr(measure_in_child.pl, "seed_everything", lambda *_, **__: None)
    for step in ("_train", "save", "report_flops"):
        monkeypatch.setattr(measure_in_child, step, lambda *_, step=step, **__: done.append(step))
    measure_in_child.measure(Reported(), compose_trial("train.keep=best", "train.validate_every=2"), tmp_path)
    assert done == ["_train", "save", "report_flops"]


@pytest.mark.parametrize(("keep", "expected"), [("best", (2, 0.5, 7, 2.5)), ("last", (5, 1.25, 18, 9.0))])
def test_the_training_behind_the_kept_state_is_counted(config, keep, expected):
    """Steps, epochs of four batches, samples of unequal batches, and seconds; the accuracy is best after two steps."""
    clock = SimpleNamespace(losses=[(step, 1.0) for step in range(5)], samples=[4, 3, 4, 4, 3])
    seconds = iter([2.5, 6.0, 9.0])
    kept = replace(config, train=replace(config.train, keep=keep, validate_every=2))
    curve = LearningCurve(replace(kept, task=replace(kept.task, accuracy="mIoU")), lambda: next(seconds))
    for steps, accuracy in ((2, 0.75), (4, 0.5), (5, 0.625)):
        curve.note(steps, {"val/mIoU": accuracy})
    seconds = iter([99.0] * 2)  # It goes on being asked, and nothing of it may count.
    behind = measure_in_child._behind(clock, curve, SimpleNamespace(batches_per_epoch=4))
    names = ("kept_steps", "kept_epochs", "kept_samples", "kept_train_seconds")
    assert tuple(behind[name] for name in names) == expected


def test_that_a_decay_over_blocks_changes_nothing_is_said_beside_the_other_remarks():
    module = torch.nn.Module()
    module.encoder = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4)).requires_grad_(False)
    overrides = ("train.layer_decay=0.7", "train.accumulate=2")
    told = measure_in_child._remarks(compose_trial(*overrides), SimpleNamespace(module=module))
    assert [line.partition(":")[0] for line in told.values()] == ["train.accumulate=2", "train.layer_decay=0.7"]


def test_a_training_batch_is_read_only_for_a_knob_that_measures_with_it(config):
    batches = []

    def training_batch(device):
        batches.append(device)
        return {"image": "images", "mask": "labels"}

    data = SimpleNamespace(training_batch=training_batch)
    assert measure_in_child._calibration_images(config, data, CPU) is None
    assert batches == []
    auto = replace(config, quantization=replace(config.quantization, skip="auto"))
    assert measure_in_child._calibration_images(auto, data, CPU) == "images"
    assert batches == [CPU]


@pytest.mark.parametrize("compiled", [False, True])
def test_a_preparation_for_nvme_compiles_what_is_not_compiled_yet_after_the_data(monkeypatch, compiled):
    done = []
    monkeypatch.setattr(measure_in_child, "select_device", lambda name: CPU)
    monkeypatch.setattr(measure_in_child, "prepare_data", lambda config, tell: done.append("data"))
    monkeypatch.setattr(measure_in_child, "are_compiled", lambda device: compiled)
    monkeypatch.setattr(measure_in_child, "compile_extensions", done.append)
    config = compose_trial("offload=nvme", "offload.nvme_path=/nvme", "backbone.checkpoint=null")
    measure_in_child.prepare(Reported(), config)
    assert done == (["data"] if compiled else ["data", CPU])


def test_a_look_at_data_tells_how_far_it_is(config, monkeypatch):
    looked, report = [], Reported()

    def write(data, tell):
        looked.append(data)
        tell("samples", 3, 7)

    monkeypatch.setattr(measure_in_child, "write_survey", write)
    measure_in_child.survey(report, config)
    assert looked == [config]
    assert report == {"progress": {"what": "samples", "done": 3, "total": 7}}


def test_the_memory_of_a_gpu_is_limited_by_the_budget_and_what_cuda_takes_itself(config, monkeypatch):
    limits = []
    monkeypatch.setattr(board, "context_mib", lambda device: 400.0)
    monkeypatch.setattr(measure_in_child, "limit_device_memory", lambda *arguments: limits.append(arguments))
    measure_in_child._limit_memory(CPU, config)
    assert limits == []
    gpu = torch.device("cuda", 0)
    measure_in_child._limit_memory(gpu, config)
    assert limits == [(gpu, config.budget, 400.0)]
