"""Meters are told where steps begin and end, and a training that makes no sense ends with its reason."""

import copy
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision

from terrasweep.results.errors import DataError, Diverged, InvalidConfig
from terrasweep.training.optimizers import build_optimizer
from terrasweep.training.tasks import build_task
from terrasweep.training.trainer import StepClock, build_trainer, fit
from tests.unit.training.batches import CPU, Tiny, built, config, opened

pytestmark = pytest.mark.usefixtures("products_in_32_bits")


class Modalities(Tiny):
    def forward(self, images, **kwargs):
        return super().forward(images["S2"] + images["S1"])


class StepMeter:
    """Keeps what it was told."""

    def __init__(self):
        self.told = []

    def on_step_begin(self, step):
        self.told.append(("begin", step))

    def on_step_end(self, step, samples):
        self.told.append(("end", step, samples))

    def on_pause_end(self):
        raise AssertionError("nothing is validated in between")


class ScaledGradients(MixedPrecision):
    """What ``precision=fp16`` does to gradients on a GPU, around 32-bit arithmetic."""

    def __init__(self):
        super().__init__("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=2.0**12))

    def autocast_context_manager(self):
        return nullcontext()


def trained(trial, batches, tmp_path, model=None, meters=(), precision=None):
    """The clock of a training on batches, whose every epoch is the same."""
    model, data = built(model or Tiny("segmentation", 3)), opened(batches, 3)
    clock = StepClock(meters, CPU)
    trainer = build_trainer(trial, CPU, [clock], model, data, tmp_path)
    if precision is not None:
        trainer.strategy.precision_plugin = precision
    fit(trainer, build_task(trial, model, data), data, clock)
    return clock


def batch(samples=4, scale=1.0):
    generator = torch.Generator().manual_seed(samples)
    images = scale * torch.randn(samples, 2, 8, 8, generator=generator)
    return {"image": images, "mask": torch.randint(0, 3, (samples, 8, 8), generator=generator)}


def test_a_batch_of_several_modalities_has_as_many_samples_as_each_of_them(tmp_path):
    images = {"S2": torch.randn(4, 2, 8, 8), "S1": torch.randn(4, 2, 8, 8)}
    meter = StepMeter()
    several = {"image": images, "mask": batch()["mask"]}
    trained(config("segmentation"), [several], tmp_path, Modalities("segmentation", 3), [meter])
    assert meter.told == [("begin", 0), ("end", 0, 4)]


def test_meters_are_told_every_step_of_warm_up_and_training_with_its_samples(tmp_path):
    """Two unequal batches make an epoch; three and two steps are one training."""
    trial, meter = config("segmentation", "train.untimed_steps=3", "train.max_steps=2"), StepMeter()
    clock = trained(trial, [batch(4), batch(2)], tmp_path, meters=[meter])
    samples = [4, 2, 4, 2, 4]
    assert meter.told == [part for n in range(5) for part in (("begin", n), ("end", n, samples[n]))]
    assert [step for step, _ in clock.losses] == list(range(5))


def test_the_curve_is_the_loss_of_each_step(tmp_path):
    """By hand: plain steps on the same batch, from the same weights."""
    trial = config("segmentation", "train.max_steps=3", "train.lr=0.1")
    torch.manual_seed(0)
    model = Tiny("segmentation", 3)
    twin = copy.deepcopy(model)
    clock = trained(trial, [batch()], tmp_path, model)
    optimizer = build_optimizer(twin.parameters(), trial.optimizer, trial.train.lr)
    for _, loss in clock.losses:
        expected = torch.nn.functional.cross_entropy(twin(batch()["image"]).output, batch()["mask"])
        assert loss == pytest.approx(expected.item(), rel=1e-5)
        optimizer.zero_grad()
        expected.backward()
        optimizer.step()
    assert clock.losses[2][1] < clock.losses[0][1]


@pytest.mark.parametrize("scale", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_ends_the_training_and_every_begun_step_is_ended(tmp_path, scale):
    trial, meter = config("segmentation", "train.max_steps=9", "train.lr=0.5"), StepMeter()
    with pytest.raises(Diverged, match=r"the loss is nan at step 1; lower train\.lr \(it is 0\.5\)"):
        trained(trial, [batch(), batch(2, scale)], tmp_path, meters=[meter])
    assert meter.told == [("begin", 0), ("end", 0, 4), ("begin", 1), ("end", 1, 2)]


def test_a_training_without_a_batch_is_an_error_of_the_data(tmp_path):
    with pytest.raises(DataError, match="the training split gave no batch"):
        trained(config("segmentation"), [], tmp_path)


class Pooled(Tiny):
    """Normalizes what is left of an image after pooling."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.norm = torch.nn.BatchNorm2d(2)

    def forward(self, images, **kwargs):
        pooled = self.norm(images.mean((2, 3), keepdim=True))
        return super().forward(images + pooled, **kwargs)


def test_a_batch_too_small_for_batch_normalization_is_one_line_and_no_crash(tmp_path):
    with pytest.raises(InvalidConfig, match=r"train\.batch_size: a batch of one sample .*; use train\.batch_size=2"):
        trained(config("segmentation"), [batch(1)], tmp_path, Pooled("segmentation", 3))
    assert trained(config("segmentation"), [batch(2)], tmp_path, Pooled("segmentation", 3)).losses


def test_a_training_leaves_nothing_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained(config("segmentation"), [batch()], tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("implementation", "scaled"), [("loop", False), ("fused", False), ("foreach", True), ("fused", True)]
)
@pytest.mark.parametrize("parts", [1, 2])
def test_a_clipped_training_is_that_of_a_loop_by_hand(tmp_path, parts, implementation, scaled):
    """In 32 bits: AdamW on clipped gradients, groups without decay, a learning rate that falls.

    Ignored pixels differ between the parts of a batch, whose gradients are summed up. Scaled ones, as those of 16 bits,
    are clipped by the norm that they have without their scale.
    """
    overrides = ("train.max_steps=6", "train.lr=0.05", "optimizer.weight_decay=0.1", "train.clip_norm=0.02")
    recipe = (*overrides, f"optimizer.implementation={implementation}", "schedule=linear", "schedule.warmup=0")
    trial = config("segmentation", *recipe, f"train.accumulate={parts}")
    batches, model = [batch(4), batch(2, scale=5.0)], Tiny("segmentation", 3)
    batches[0]["mask"][0], batches[0]["mask"][3, :, :5], batches[1]["mask"][1, :2] = -1, -1, -1
    by_hand = copy.deepcopy(model)
    trained(trial, batches, tmp_path, model, precision=ScaledGradients() if scaled else None)
    weight, bias = by_hand.layer.weight, by_hand.layer.bias
    optimizer = torch.optim.AdamW(
        [{"params": [weight], "weight_decay": 0.1}, {"params": [bias], "weight_decay": 0.0}], lr=0.05, foreach=False
    )
    for step in range(6):
        for group in optimizer.param_groups:
            group["lr"] = 0.05 * (1 - step / 6)
        given = batches[step % 2]
        optimizer.zero_grad()
        for images, mask in zip(given["image"].chunk(parts), given["mask"].chunk(parts), strict=True):
            scores = by_hand(images).output.movedim(1, -1)[mask != -1]
            loss = torch.nn.functional.cross_entropy(scores, mask[mask != -1], reduction="sum")
            (loss / (given["mask"] != -1).sum()).backward()
        norm = torch.sqrt(sum(p.grad.square().sum() for p in (weight, bias)))
        assert norm > 0.02, "nothing would be clipped"
        for parameter in (weight, bias):
            parameter.grad *= 0.02 / (norm + 1e-6)
        optimizer.step()
    for ours, theirs in zip(model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_a_step_on_a_gpu_is_over_when_the_gpu_has_done_it(monkeypatch):
    meter = StepMeter()
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: meter.told.append(device))
    device = torch.device("cuda", 1)
    task = SimpleNamespace(step_loss=torch.tensor(0.5))
    StepClock([meter], device).on_train_batch_end(None, task, None, batch(2), 0)
    assert meter.told == [device, ("end", 0, 2)]


def test_an_error_of_another_kind_comes_through_as_it_is():
    error = ValueError("no such loader")

    def fail(task, datamodule):
        raise error

    with pytest.raises(ValueError, match="no such loader") as told:
        fit(SimpleNamespace(fit=fail), None, opened([], 3), StepClock([], CPU))
    assert told.value is error
