"""Validation between steps: the curve, the kept state, the early end, and that nothing of it is timed."""

import copy

import pytest
import torch
from safetensors.torch import load_file

from terrasweep.machine.paths import WEIGHTS
from terrasweep.measure.learning_curves import VAL_ACCURACY, VAL_LOSS, VAL_SECONDS
from terrasweep.models.trained_weights import TRAINED, save_weights
from terrasweep.training.tasks import build_task
from terrasweep.training.trainer import StepClock, build_trainer, evaluate, fit
from terrasweep.training.validation import LearningCurve
from tests.unit.training.batches import CPU, Tiny, built, config, opened

pytestmark = pytest.mark.usefixtures("products_in_32_bits")


def batch(seed=0):
    """Classes that a linear layer can tell apart."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(4, 2, 8, 8, generator=generator)
    return {"image": images, "mask": (images[:, 0] > 0).long() + (images[:, 1] > 0).long()}


class Snapshots(StepClock):
    """The model after each step."""

    def on_train_batch_end(self, trainer, pl_module, *arguments):
        super().on_train_batch_end(trainer, pl_module, *arguments)
        self.states = [*getattr(self, "states", []), copy.deepcopy(pl_module.model.state_dict())]


class PausedMeter:
    def __init__(self):
        self.told = []

    def on_step_begin(self, step):
        self.told.append(f"begin {step}")

    def on_step_end(self, step, samples):
        self.told.append(f"end {step}")

    def on_pause_end(self):
        self.told.append("pause")


class Trained:
    """A training of a linear layer, and what was kept of it."""

    def __init__(self, tmp_path, *overrides, meters=(), model=None, judge=None, fits=True):
        torch.manual_seed(0)
        self.trial = config("segmentation", "train.lr=0.3", "train.max_steps=8", *overrides)
        self.model, self.data = built(model or Tiny("segmentation", 3)), opened([batch(1), batch(2)], 3)
        self.task = build_task(self.trial, self.model, self.data)
        self.clock = Snapshots(meters, CPU)
        self.curve = LearningCurve(self.trial, lambda: 10.0 * len(self.clock.losses), judge)
        self.trainer = build_trainer(self.trial, CPU, [self.clock, self.curve], self.model, self.data, tmp_path)
        self.evaluations = 0
        if fits:
            fit(self.trainer, self.task, self.data, self.clock)
            self.concluded = self.curve.conclude(self.task, len(self.clock.losses), self.evaluate)

    def evaluate(self):
        self.evaluations += 1
        return evaluate(self.trainer, self.task, self.data)

    def kept_step(self):
        """The step after which the model was what it is now."""
        now = self.model.module.state_dict()
        return [
            number
            for number, state in enumerate(self.clock.states, start=1)
            if all(torch.equal(state[name], now[name]) for name in now)
        ]


def test_each_validation_is_a_point_of_the_curve_and_what_an_evaluation_finds_then(tmp_path):
    run = Trained(tmp_path, "train.validate_every=3")
    curves = run.curve.curves()
    assert [step for step, _ in curves[VAL_ACCURACY]] == [step for step, _ in curves[VAL_LOSS]] == [3, 6, 8]
    assert curves[VAL_SECONDS] == [(3, 30.0), (6, 60.0), (8, 80.0)]
    for step, accuracy in curves[VAL_ACCURACY]:
        run.model.module.load_state_dict(run.clock.states[step - 1])
        assert run.evaluate()["val/mIoU"] == pytest.approx(accuracy, rel=1e-6)


class Stopped(Exception):
    """What a judge may raise."""


def test_a_judge_hears_of_every_validation_and_may_end_the_training(tmp_path):
    """Of each objective that is a validation metric, by its name; what was found by then stays."""
    heard = []

    def judge(steps, length, values):
        heard.append((steps, length, values))
        if steps == 6:
            raise Stopped

    names = ("accuracy", "val_loss", "val_F1_Score", "peak_memory_mib")
    objectives = ",".join(f"{{name:{name},direction:maximize}}" for name in names)
    run = Trained(tmp_path, "train.validate_every=3", f"study.objectives=[{objectives}]", judge=judge, fits=False)
    with pytest.raises(Stopped):
        fit(run.trainer, run.task, run.data, run.clock)
    curves = run.curve.curves()
    assert [(steps, length) for steps, length, _ in heard] == [(3, 8), (6, 8)]
    assert [steps for steps, _ in curves["val_F1_Score"]] == [3, 6]
    for name, curve in {"accuracy": VAL_ACCURACY, "val_loss": VAL_LOSS, "val_F1_Score": "val_F1_Score"}.items():
        assert [values[name] for *_, values in heard] == [value for _, value in curves[curve]]
    assert all("peak_memory_mib" not in values for *_, values in heard)


def test_a_training_that_ends_by_its_own_patience_is_over_with_its_last_validation(tmp_path):
    heard = []
    overrides = ("train.validate_every=2", "train.patience=1", "train.max_steps=20")
    Trained(tmp_path, *overrides, model=Spoilt(), judge=lambda steps, length, _: heard.append((steps, length)))
    assert heard == [(2, 20), (4, 20), (6, 6)]


def test_an_epoch_is_all_batches(tmp_path):
    run = Trained(tmp_path, "train.validate_every=2epochs", "train.max_steps=null", "train.epochs=4")
    assert len(run.clock.losses) == 8
    assert [step for step, _ in run.curve.accuracies] == [4, 8]


class Spoilt(Tiny):
    """At some numbers of steps, first of all after the fourth, its outputs are those of another class."""

    def __init__(self, spoilt=lambda steps: steps > 4):
        super().__init__("segmentation", 3)
        self.register_buffer("steps", torch.zeros(()))
        self.spoilt = spoilt

    def forward(self, images, **kwargs):
        if self.training:
            self.steps += 1
        output = super().forward(images, **kwargs)
        if not self.training and self.spoilt(self.steps):
            output.output = output.output.roll(1, dims=1)
        return output


@pytest.mark.parametrize(("keep", "step"), [("best", 4), ("last", 8)])
def test_the_state_that_is_asked_for_is_the_one_that_is_evaluated(tmp_path, keep, step):
    run = Trained(tmp_path, "train.validate_every=2", f"train.keep={keep}", model=Spoilt())
    by_step = dict(run.curve.accuracies)
    assert max(by_step, key=by_step.get) == 4
    assert (run.kept_step(), run.curve.kept_steps(8)) == ([step], step)
    assert run.curve.kept_seconds(8) == 10.0 * step
    assert run.evaluate()["val/mIoU"] == pytest.approx(by_step[step], rel=1e-6)


@pytest.mark.parametrize(("keep", "step"), [("best", 4), ("last", 8)])
def test_the_weights_that_are_saved_are_those_of_that_state(tmp_path, keep, step):
    run = Trained(tmp_path, "train.validate_every=2", f"train.keep={keep}", model=Spoilt())
    run.model.module.encoder = torch.nn.Module()  # A backbone of which nothing is stored.
    save_weights(tmp_path, run.model, 3)
    stored, expected = load_file(tmp_path / WEIGHTS / TRAINED), run.clock.states[step - 1]
    assert stored.keys() == expected.keys()
    assert all(torch.equal(stored[name], expected[name]) for name in expected)


def test_the_last_state_may_be_the_best_though_no_validation_falls_on_it(tmp_path):
    run = Trained(tmp_path, "train.validate_every=3", "train.keep=best", model=Spoilt(lambda steps: steps < 7))
    by_step = dict(run.curve.accuracies)
    assert list(by_step) == [3, 6, 8]
    assert max(by_step, key=by_step.get) == 8
    assert run.kept_step() == [8]


@pytest.mark.parametrize(("patience", "steps"), [(1, 6), (2, 8)])
def test_a_training_ends_where_it_no_longer_gets_better(tmp_path, patience, steps):
    run = Trained(
        tmp_path, "train.validate_every=2", f"train.patience={patience}", "train.max_steps=20", model=Spoilt()
    )
    assert len(run.clock.losses) == steps


def test_a_plateau_lowers_the_learning_rate(tmp_path):
    overrides = ("schedule=plateau", "schedule.patience=0", "schedule.factor=0.5", "train.validate_every=2")
    run = Trained(tmp_path, *overrides, model=Spoilt())
    by_step = dict(run.curve.accuracies)
    assert by_step[4] > by_step[2]
    assert by_step[4] > by_step[6]
    rates = [rate for _, rate in run.clock.learning_rates]
    assert rates == pytest.approx([0.3] * 6 + [0.15] * 2)


def test_a_validation_is_a_pause_between_two_steps(tmp_path):
    meter = PausedMeter()
    run = Trained(tmp_path, "train.validate_every=4", meters=[meter])
    assert meter.told.count("pause") == 2
    assert meter.told[meter.told.index("pause") - 1] == "end 3"
    told = len(meter.told)
    run.evaluate()
    assert len(meter.told) == told, "the evaluation after the training is none of its pauses"


def test_without_validation_the_evaluation_is_the_only_point(tmp_path):
    run = Trained(tmp_path)
    assert run.curve.accuracies == [(8, run.concluded["val/mIoU"])]
    assert run.curve.kept_steps(8) == 8


@pytest.mark.parametrize(
    ("every", "keep", "spoilt", "kept", "evaluations"),
    [
        (3, "best", lambda steps: steps < 7, 8, 1),
        (3, "best", lambda steps: steps > 4, 3, 2),
        (2, "best", lambda steps: steps > 4, 4, 1),
        (2, "best", lambda steps: steps < 7, 8, 1),
        (3, "last", lambda steps: steps > 4, 8, 1),
        (2, "last", lambda steps: steps > 4, 8, 1),
    ],
)
def test_no_state_is_evaluated_twice_after_the_training(tmp_path, every, keep, spoilt, kept, evaluations):
    run = Trained(tmp_path, f"train.validate_every={every}", f"train.keep={keep}", model=Spoilt(spoilt))
    assert (run.kept_step(), run.evaluations) == ([kept], evaluations)
    steps = [step for step, _ in run.curve.accuracies]
    assert steps == sorted({*range(every, 9, every), 8}), "one point of the curve per state"
    assert run.concluded["val/mIoU"] == pytest.approx(dict(run.curve.accuracies)[kept], rel=1e-6)
